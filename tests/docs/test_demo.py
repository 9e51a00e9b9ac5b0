"""`make demo` and `interlock demo` tell the truth."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.docs.samples import ROOT, Block, Command, Session, samples


@pytest.mark.timeout(120)
def test_the_demo_tells_its_story_and_leaves_a_project_to_play_with(tmp_path: Path) -> None:
    page = """
```console
$ interlock demo weather
...
NOT_READY  blocked by: landing-complete, source-freshness
  FAIL landing-complete: 91 of 92 files have landed
...
COMPLETED  attempt 1 took ...
...
2015-12,31,8.4,3.8,284.5,2015-12-08,54.1
...
The wettest day was 2015-12-08 with 54.1 mm.
...
The project is yours to play with: cd weather
$ cd weather
$ interlock validate
$ rm incoming/2015-12-31.csv
$ interlock evaluate daily-weather-rollup  # exit 1
$ python3 jobs/land.py
landed in incoming/: 1, the newest 2015-12-31.csv
$ interlock evaluate daily-weather-rollup
```
"""
    session = Session(tmp_path)
    for sample in samples(page):
        assert isinstance(sample, Command)
        session.play(sample)


def test_make_plays_the_demo_in_a_new_folder_each_time() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.run-installed", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout.count("mktemp -d") == 1
    assert "interlock demo" in done.stdout


def test_the_things_to_try_in_the_demo_project_are_commands_that_exist() -> None:
    text = (ROOT / "src/interlock/scaffold/files/demo/README.md").read_text()
    assert not [sample for sample in samples(text) if isinstance(sample, Block)]
    verbs = {line.split()[1] for line in text.splitlines() if line.startswith("    interlock ")}
    assert verbs == {"status", "evaluate", "run", "history"}
