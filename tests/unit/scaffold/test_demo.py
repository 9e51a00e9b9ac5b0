"""The demo project: the checks say no for the reason told, and the job computes what it says."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from interlock.scaffold.demo_steps import LATE_FILE, PIPELINE, STEPS
from interlock.scaffold.writing import write_scaffold


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_scaffold(tmp_path / "demo", template="demo")
    return tmp_path / "demo"


def _run(project: Path, *argv: str) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=project, timeout=30)
    return done.stdout


def _land_all_but_the_last(project: Path) -> None:
    _run(project, *STEPS[0].argv)


def _ask(project: Path, trait: str) -> dict[str, Any]:
    pipeline = yaml.safe_load((project / f"pipelines/{PIPELINE}.yaml").read_text())
    archetype = yaml.safe_load((project / "archetypes/daily-rollup.yaml").read_text())
    defaults = next(t.get("defaultConfig", {}) for t in archetype["requiredTraits"] if t["type"] == trait)
    config = defaults | pipeline["traits"][trait].get("config", {})
    done = subprocess.run(
        [project / pipeline["traits"][trait]["evaluator"]],
        input=json.dumps({**config, "config": config}, separators=(",", ":")).encode(),
        check=True,
        capture_output=True,
        cwd=project,
        timeout=30,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _implausible(project: Path) -> int:
    pipeline = yaml.safe_load((project / f"pipelines/{PIPELINE}.yaml").read_text())
    with sqlite3.connect(project / "warehouse.db") as warehouse:
        ((count,),) = warehouse.execute(pipeline["traits"]["readings-plausible"]["config"]["query"])
    warehouse.close()
    return int(count)


def test_every_required_trait_is_configured(project: Path) -> None:
    pipeline = yaml.safe_load((project / f"pipelines/{PIPELINE}.yaml").read_text())
    archetype = yaml.safe_load((project / "archetypes/daily-rollup.yaml").read_text())
    assert pipeline["name"] == PIPELINE
    assert set(pipeline["traits"]) == {trait["type"] for trait in archetype["requiredTraits"]}


def test_while_the_late_file_is_missing_two_checks_say_no_and_say_why(project: Path) -> None:
    _land_all_but_the_last(project)
    assert not (project / LATE_FILE).exists()
    landing, freshness = _ask(project, "landing-complete"), _ask(project, "source-freshness")
    assert (landing["status"], landing["reason"]) == ("FAIL", "91 of 92 files have landed")
    assert freshness["status"] == "FAIL"
    assert freshness["reason"] == "the newest file, 2015-12-30.csv, is 26 h old (limit 24 h)"
    assert _implausible(project) == 0


def test_when_the_late_file_has_landed_all_checks_say_yes(project: Path) -> None:
    _land_all_but_the_last(project)
    _run(project, "python3", "jobs/land.py")
    assert (project / LATE_FILE).is_file()
    assert _ask(project, "landing-complete")["status"] == "PASS"
    assert _ask(project, "source-freshness")["status"] == "PASS"
    assert _implausible(project) == 0


def test_freshness_alone_can_say_no(project: Path) -> None:
    _run(project, "python3", "jobs/land.py", "--age-hours", "24.5")
    assert _ask(project, "landing-complete")["status"] == "PASS"
    assert _ask(project, "source-freshness")["status"] == "FAIL"


def test_a_reading_that_contradicts_itself_is_found(project: Path) -> None:
    _run(project, "python3", "jobs/land.py")
    with sqlite3.connect(project / "warehouse.db") as warehouse:
        warehouse.execute("UPDATE readings SET temp_max = -40 WHERE date = '2015-11-15'")
    warehouse.close()
    assert _implausible(project) == 1


def test_landing_twice_changes_nothing(project: Path) -> None:
    _run(project, "python3", "jobs/land.py", "--age-hours", "3")
    before = {path.name: path.stat().st_mtime_ns for path in (project / "incoming").iterdir()}
    assert len(before) == 92
    assert _run(project, "python3", "jobs/land.py") == "nothing new to land\n"
    assert {path.name: path.stat().st_mtime_ns for path in (project / "incoming").iterdir()} == before


def test_the_files_landed_one_a_day(project: Path) -> None:
    _run(project, "python3", "jobs/land.py")
    ages = [path.stat().st_mtime for path in sorted((project / "incoming").iterdir())]
    assert all(later - earlier == pytest.approx(86_400, abs=1) for earlier, later in pairwise(ages))


def test_the_rollup_is_what_sql_says_it_is(project: Path) -> None:
    _run(project, "python3", "jobs/land.py")
    _run(project, "python3", "jobs/rollup.py", "--output", "output/rollup.csv")
    with (project / "output/rollup.csv").open(newline="") as file:
        rolled = [tuple(row.values()) for row in csv.DictReader(file)]
    query = """
        SELECT substr(date, 1, 7), count(*), avg(temp_max), avg(temp_min), sum(precipitation), max(precipitation)
        FROM readings GROUP BY 1 ORDER BY 1
    """
    with sqlite3.connect(project / "warehouse.db") as warehouse:
        expected = warehouse.execute(query).fetchall()
    warehouse.close()
    assert len(rolled) == len(expected) == 3
    for (month, days, high, low, total, _, wettest), sums in zip(rolled, expected, strict=True):
        assert (month, int(days)) == sums[:2]
        assert [float(high), float(low), float(total), float(wettest)] == pytest.approx(sums[2:], abs=0.051)
    report = (project / "output/rollup.txt").read_text()
    assert report.endswith("The wettest day was 2015-12-08 with 54.1 mm.\n")


def test_the_job_fails_loudly_when_there_is_nothing_to_roll_up(project: Path) -> None:
    done = subprocess.run(
        ["python3", "jobs/rollup.py", "--output", "output/rollup.csv"],
        check=False,
        capture_output=True,
        cwd=project,
        timeout=30,
    )
    assert done.returncode == 1
    assert b"nothing has landed" in done.stderr
    assert not (project / "output").exists()


def test_the_readings_come_with_a_word_on_whose_they_are(project: Path) -> None:
    licence = (project / "station/LICENCE.md").read_text()
    assert "NOAA" in licence
    assert "public domain" in licence


def test_every_step_of_the_story_names_a_program_that_the_demo_can_run(project: Path) -> None:
    for step in STEPS:
        assert step.argv[0] in {"interlock", "python3"}
        if step.argv[0] == "python3":
            assert shutil.which("python3")
            assert (project / step.argv[1]).is_file()
        assert step.title
        assert step.text
