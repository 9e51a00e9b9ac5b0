"""Laws of the subprocess runner: what is run, what it is told, what it sees."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluators.programs import BASH, PASS, PYTHON, ask, write

from interlock.codec.documents import mapping
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer

SAMPLES = Path(__file__).parents[2] / "data" / "evaluators"
ECHO = PYTHON + 'import json,sys\njson.dump({"status":"PASS","value":json.load(sys.stdin)}, sys.stdout)\n'


def value_of(answer: Answer) -> dict[str, Any]:
    assert answer.status is TraitStatus.PASS, answer.reason
    assert answer.value is not None
    return mapping(answer.value)


@pytest.mark.parametrize(
    ("sample", "config"),
    [
        ("readme-check-disk-space", {"maxLagSeconds": 300}),
        ("readme-check-source-freshness", {"maxLagSeconds": 300, "source": "sales_events"}),
        ("page-bash", {"thresholdMinutes": 30, "sourceTable": "events"}),
        ("page-python", {"thresholdMinutes": 30, "sourceTable": "events"}),
        ("node-both-forms", {"maxLagSeconds": 300}),
    ],
)
def test_an_evaluator_written_to_either_document_works(sample: str, config: dict[str, Any]) -> None:
    """T-110, BUG-45."""
    interpreter = (SAMPLES / sample).read_text().splitlines()[0].split()[-1].removeprefix("#!")
    if shutil.which(interpreter) is None or ("jq" in (SAMPLES / sample).read_text() and shutil.which("jq") is None):
        pytest.skip(f"{sample} needs {interpreter} (and perhaps jq)")
    answer = ask(SAMPLES, f"./{sample}", config=config, pipeline="my-pipeline")
    assert answer.status is TraitStatus.PASS, answer.reason


def test_a_threshold_of_the_readme_example_is_obeyed() -> None:
    answer = ask(SAMPLES, "./readme-check-source-freshness", config={"maxLagSeconds": 44})
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.EVALUATOR)


def test_a_compiled_evaluator_gets_its_arguments(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    subprocess.run([compiler, "-o", tmp_path / "check", SAMPLES / "compiled.c"], check=True)
    answer = ask(tmp_path, "./check", "a b", "$HOME", pipeline="my-pipeline")
    assert value_of(answer) == {"arguments": 2}


def test_the_evaluator_is_told_pipeline_trait_schedule_date_and_run(tmp_path: Path) -> None:
    """BUG-45, T-29."""
    write(tmp_path, ECHO)
    seen = value_of(
        ask(
            tmp_path,
            pipeline="gold",
            schedule="h13",
            date="2026-03-07T13:00",
            run_id="r-1",
            config={"date": "x", "a": 1},
        )
    )
    assert seen == {
        "pipelineId": "gold",
        "pipelineID": "gold",
        "traitType": "source-freshness",
        "scheduleId": "h13",
        "date": "2026-03-07T13:00",
        "runId": "r-1",
        "config": {"date": "x", "a": 1},
        "a": 1,
    }


def test_arguments_are_passed_without_a_shell(tmp_path: Path) -> None:
    write(tmp_path, PYTHON + 'import json,sys\nprint(json.dumps({"status":"PASS","value":{"argv":sys.argv[1:]}}))\n')
    answer = ask(tmp_path, "./check", "$(touch pwned)", "a; b", "*")
    assert value_of(answer)["argv"] == ["$(touch pwned)", "a; b", "*"]
    assert not (tmp_path / "pwned").exists()


def test_the_project_comes_before_the_evaluator_directories(tmp_path: Path) -> None:
    write(tmp_path, BASH + 'echo \'{"status":"STALE"}\'', "evaluators/check")
    assert ask(tmp_path, "check").status is TraitStatus.STALE
    write(tmp_path, BASH + PASS, "check")
    assert ask(tmp_path, "check").status is TraitStatus.PASS


def test_a_directory_in_the_project_does_not_hide_a_file_in_an_evaluator_directory(tmp_path: Path) -> None:
    (tmp_path / "check").mkdir()
    write(tmp_path, BASH + PASS, "evaluators/check")
    assert ask(tmp_path, "check").status is TraitStatus.PASS


def test_an_absolute_path_is_used_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere", BASH + PASS)
    assert ask(tmp_path, str(path)).status is TraitStatus.PASS


@pytest.mark.parametrize("name", ["bash", "cat", "true"])
def test_path_is_never_searched(tmp_path: Path, name: str) -> None:
    """T-72: an evaluator is a file of the project, not whatever PATH has under that name today."""
    answer = ask(tmp_path, name)
    assert (answer.status, answer.category) == (TraitStatus.FAIL, FailureCategory.PERMANENT)
    assert "PATH is never searched" in answer.reason


def test_a_missing_evaluator_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, BASH + PASS, "evaluators/check-freshness")
    assert "did you mean './evaluators/check-freshness'?" in ask(tmp_path, "./evaluators/check-freshnes").reason


def test_the_working_directory_is_the_project(tmp_path: Path) -> None:
    write(tmp_path, BASH + 'echo "{\\"status\\":\\"PASS\\",\\"value\\":{\\"cwd\\":\\"$PWD\\"}}"')
    assert value_of(ask(tmp_path))["cwd"] == str(tmp_path)


ENV = PYTHON + 'import json,os\nprint(json.dumps({"status":"PASS","value":dict(os.environ)}))\n'


def test_the_environment_is_a_short_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-73."""
    monkeypatch.setenv("DB_PASSWORD", "hunter2-secret")
    monkeypatch.setenv("LC_NUMERIC", "C")
    write(tmp_path, ENV)
    seen = value_of(ask(tmp_path, run_id="example:daily:2026-03-07:1"))
    assert "hunter2-secret" not in json.dumps(seen)
    assert seen["LC_NUMERIC"] == "C"
    assert seen["INTERLOCK_PIPELINE"] == "example"
    assert seen["INTERLOCK_SCHEDULE"] == "daily"
    assert seen["INTERLOCK_DATE"] == "2026-03-07"
    assert seen["INTERLOCK_RUN_ID"] == "example:daily:2026-03-07:1"
    assert seen["INTERLOCK_TRAIT"] == "source-freshness"
    allowed = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "PWD", "SHLVL", "_", "LC_CTYPE"}
    assert {name for name in seen if not name.startswith(("INTERLOCK_", "LC_"))} <= allowed


def test_an_allowed_variable_arrives_and_its_value_is_never_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-73: in the value, in the reason of an answer, in a protocol error and in the words on stderr."""
    secret = "hunter2/s&cret"
    monkeypatch.setenv("DB_PASSWORD", secret)
    check = 'assert os.environ["DB_PASSWORD"] == "hunter2/" + "s&cret"\n'
    for body in (
        'print(json.dumps({"status":"PASS","value":{"env":dict(os.environ)}}))',
        'print(json.dumps({"status":"FAIL","reason":"cannot log in with " + os.environ["DB_PASSWORD"]}))',
        'print("password is", os.environ["DB_PASSWORD"])',
        'sys.exit("no login: " + os.environ["DB_PASSWORD"])',
        'sys.exit("postgres://u:" + urllib.parse.quote(os.environ["DB_PASSWORD"], safe="") + "@h")',
    ):
        write(tmp_path, PYTHON + "import json,os,sys,urllib.parse\n" + check + body)
        answer = ask(tmp_path, env_allow=("DB_PASSWORD",))
        everything = answer.reason + (answer.value.text if answer.value else "")
        assert "${DB_PASSWORD}" in everything
        assert "cret" not in everything


def test_no_other_file_descriptor_is_inherited(tmp_path: Path) -> None:
    with (tmp_path / "held").open("w") as held:
        import os

        os.set_inheritable(held.fileno(), True)
        write(tmp_path, BASH + 'echo "{\\"status\\":\\"PASS\\",\\"value\\":{\\"fds\\":\\"$(echo /proc/$$/fd/*)\\"}}"')
        seen = value_of(ask(tmp_path))["fds"]
        os.set_inheritable(held.fileno(), False)
    numbers = {int(name.rpartition("/")[2]) for name in seen.split()} if sys.platform == "linux" else {0, 1, 2}
    assert numbers - {255} <= {0, 1, 2, 3}, "255 and 3 are bash's own"
