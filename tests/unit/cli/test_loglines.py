"""The lines of long-running commands as JSON, in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project, interlock


def test_every_line_of_a_watcher_is_an_object_that_names_its_run(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    said = interlock("watch", "--until-idle", "--log-format", "json", cwd=root)
    lines = [json.loads(line) for line in said.err.splitlines()]
    assert [line.get("event") for line in lines] == [None, "opened", "started", "completed"]
    assert {line.get("run", "").split(":")[0] for line in lines[1:]} == {"orders"}
    assert said.out == ""


def test_the_environment_may_say_so_and_alerts_for_the_console_are_lines_too(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    interlock("watch", "--once", cwd=root)
    said = interlock("watchdog", "--once", cwd=root, env={"INTERLOCK_LOG_FORMAT": "json"})
    lines = [json.loads(line) for line in said.err.splitlines()]
    assert [(line["level"], line["logger"]) for line in lines] == [("error", "interlock.alerts")]


def test_the_error_at_the_end_is_a_line_like_the_others(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    (root / ".interlock" / "interlock.db").mkdir(parents=True)
    said = interlock("watch", "--once", "--log-format", "json", cwd=root)
    assert said.code != 0
    assert "interlock.db" in json.loads(said.err.splitlines()[-1])["message"]


@pytest.mark.parametrize("command", ["watch", "watchdog"])
def test_a_form_that_does_not_exist_is_refused_by_name(command: str, tmp_path: Path) -> None:
    said = interlock(command, "--once", cwd=a_project(tmp_path), env={"INTERLOCK_LOG_FORMAT": "xml"})
    assert said.code == 2
    assert "'xml' is not one of 'text', 'json'" in said.err
