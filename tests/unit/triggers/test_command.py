from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock.codec.documents import mapping
from interlock.core.templates import expand, values_for
from interlock.ports.triggers import JobReport, JobState
from interlock.testing.conformance.triggers import TIMEOUT, a_job, the_end
from interlock.triggers.command import CommandConfig, CommandTrigger
from interlock.triggers.context import TriggerContext


def config(**keys: Any) -> CommandConfig:
    return msgspec.convert(keys, CommandConfig)


def run(root: Path, made: CommandConfig, *, allow: tuple[str, ...] = ()) -> JobReport:
    trigger = CommandTrigger(made, TriggerContext(state_dir=root / ".interlock", root=root, env_allow=allow))
    return the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))


SHOW_ARGUMENTS = "import json, sys; json.dump(sys.argv[1:], open('argv', 'w'))"


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ("cmd; touch evil", ["cmd;", "touch", "evil"]),
        ("$(touch evil) `touch evil`", ["$(touch", "evil)", "`touch", "evil`"]),
        ("a | tee evil > evil", ["a", "|", "tee", "evil", ">", "evil"]),
        ("'two words' \"$HOME\" *", ["two words", "$HOME", "*"]),
    ],
)
def test_nothing_in_a_command_is_read_by_a_shell(tmp_path: Path, arguments: str, seen: list[str]) -> None:
    """BUG-178."""
    (tmp_path / "show.py").write_text(SHOW_ARGUMENTS)
    assert run(tmp_path, config(command=f"{sys.executable} show.py {arguments}")).state is JobState.SUCCEEDED
    assert json.loads((tmp_path / "argv").read_text()) == seen
    assert not (tmp_path / "evil").exists()


def test_the_seeds_example_runs_python_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run_pipeline.py").write_text("open('ran', 'w')")
    assert run(tmp_path, config(command="python scripts/run_pipeline.py")).state is JobState.SUCCEEDED
    assert (tmp_path / "ran").exists()


def test_a_shell_reads_a_command_only_when_asked_to(tmp_path: Path) -> None:
    made = config(command='echo "$INTERLOCK_DATE" > out && exit 5', shell=True)
    assert "exit status 5" in run(tmp_path, made).reason
    assert (tmp_path / "out").read_text() == "2026-03-07\n"


def test_a_job_knows_what_it_is_for_and_little_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-73, BUG-119, LAT-20."""
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    monkeypatch.setenv("REGION", "eu-west-1")
    made = config(command="env", env={"MINE": "yes"})
    context = TriggerContext(state_dir=tmp_path / ".interlock", root=tmp_path, env_allow=("REGION",))
    trigger = CommandTrigger(made, context)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    the_end(trigger, a_job(), handle)
    log = tmp_path / mapping(handle.details)["log"]
    seen = dict(line.split("=", 1) for line in log.read_text().splitlines())
    assert (
        seen.items()
        >= {
            "INTERLOCK_PIPELINE": "daily-sales",
            "INTERLOCK_SCHEDULE": "daily",
            "INTERLOCK_DATE": "2026-03-07",
            "INTERLOCK_HOUR": "",
            "INTERLOCK_RUN_ID": "daily-sales:daily:2026-03-07:1",
            "INTERLOCK_ATTEMPT": "1",
            "INTERLOCK_PROJECT": str(tmp_path),
            "REGION": "eu-west-1",
            "MINE": "yes",
        }.items()
    )
    assert "DATABASE_PASSWORD" not in seen


def test_the_values_of_allowed_variables_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-73, T-76."""
    monkeypatch.setenv("TOKEN", "hunter2")
    made = config(command='echo "token is $TOKEN"; exit 1', shell=True)
    assert "token is ***" in run(tmp_path, made, allow=("TOKEN",)).reason


def test_a_job_runs_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert run(tmp_path, config(command=["touch", "here"], cwd="sub")).state is JobState.SUCCEEDED
    assert (tmp_path / "sub" / "here").exists()


def test_a_handle_shows_the_pid_and_the_log_relative_to_the_project(tmp_path: Path) -> None:
    context = TriggerContext(state_dir=tmp_path / ".interlock", root=tmp_path)
    trigger = CommandTrigger(config(command="true"), context)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    details = mapping(handle.details)
    assert details["pid"] > 1
    assert details["log"] == f".interlock/jobs/{handle.id}/output.log"
    the_end(trigger, a_job(), handle)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"command": ""},
        {"command": "  "},
        {"command": []},
        {"command": "say 'hello"},
        {"command": ["a"], "shell": True},
        {"command": "", "shell": True},
        {"command": "x\0y"},
        {"command": "x", "timeout": 0},
        {"command": "x", "timeout": -1},
        {"command": "x", "timeoutSeconds": 5},
        {"command": "x", "env": {"A=B": "c"}},
        {"command": "x", "env": {"A": 1}},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        config(**keys)


def test_a_command_is_split_before_anything_is_put_into_it() -> None:
    """T-100: a value with a space or a quotation mark stays one argument."""
    made = CommandTrigger.normal_form({"command": "run.sh --date '{{date}} x' ${env:NAME}"})
    assert made == {"command": ["run.sh", "--date", "{{date}} x", "${env:NAME}"]}


def test_a_shells_text_takes_no_placeholder() -> None:
    """BUG-178: what is put in could be read as shell."""
    with pytest.raises(ValueError, match="INTERLOCK_DATE"):
        CommandTrigger.normal_form({"command": "echo {{date}}", "shell": True})


@pytest.mark.parametrize("text", ["echo $HOME $1 $@", "kill $$", "echo $$$$ $$$", "awk '{print $1}'"])
def test_filling_in_leaves_a_shells_text_as_it_was_written(text: str) -> None:
    """T-100."""
    made = CommandTrigger.normal_form({"command": text, "shell": True})
    assert expand(made["command"], values_for(a_job().run, 1), {}) == text


def test_a_list_is_taken_as_it_is() -> None:
    assert CommandTrigger.normal_form({"command": ["a b", "{{date}}"]}) == {"command": ["a b", "{{date}}"]}


def test_a_job_does_not_belong_to_the_terminal_of_interlock(tmp_path: Path) -> None:
    """T-68: Ctrl-C in the terminal stops Interlock, and not the job."""
    program = "import os; open('session', 'w').write(str(os.getsid(0)))"
    assert run(tmp_path, config(command=[sys.executable, "-c", program])).state is JobState.SUCCEEDED
    assert int((tmp_path / "session").read_text()) != os.getsid(0)
