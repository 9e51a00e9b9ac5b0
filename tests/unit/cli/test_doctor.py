"""`interlock doctor`: each thing that is amiss is found, and everything else is looked at all the same."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.unit.cli.terminal import Said, Terminal, a_result, now


def _outcomes(said: Said) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in said.document["checks"]}


def _bad(said: Said) -> dict[str, str]:
    return {name: outcome for name, outcome in _outcomes(said).items() if outcome != "ok"}


def test_all_is_well_before_and_after_there_is_a_store(terminal: Terminal) -> None:
    said = terminal("doctor", "--json")
    assert (said.code, _bad(said), said.document["ok"]) == (0, {}, True)
    assert not terminal.store.exists()
    terminal.judged(a_result(at=now()), at=now())
    assert _bad(terminal("doctor", "--json")) == {}


def test_looking_changes_nothing_in_the_store(terminal: Terminal) -> None:
    """T-92, T-97."""
    terminal.judged(a_result(at=now()), at=now())
    before = terminal.store.read_bytes()
    assert terminal("doctor").code == 0
    assert terminal.store.read_bytes() == before


def test_problems_in_the_files_leave_with_2_and_the_rest_is_still_looked_at(terminal: Terminal) -> None:
    (terminal.root / "pipelines/sales.yaml").write_text("name: sales\n")
    said = terminal("doctor", "--json")
    assert said.code == 2
    assert _bad(said) == {"project": "fail"}
    assert "store" in _outcomes(said)


def test_without_a_project_the_machine_is_looked_at(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(terminal.root.parent)
    said = terminal("doctor", "--json")
    assert said.code == 2
    assert _outcomes(said)["python"] == "ok"


@pytest.mark.parametrize(
    ("content", "told"),
    [("this is no store" * 100, "not a SQLite database"), (None, "directory")],
    ids=["garbage", "directory"],
)
def test_a_store_that_cannot_be_opened_fails(terminal: Terminal, content: str | None, told: str) -> None:
    terminal.store.parent.mkdir()
    terminal.store.mkdir() if content is None else terminal.store.write_text(content)
    said = terminal("doctor", "--json")
    assert said.code == 3
    assert _bad(said) == {"store": "fail"}
    assert told in next(check["message"] for check in said.document["checks"] if check["name"] == "store")


def test_a_store_of_a_later_version_fails_and_is_left_alone(terminal: Terminal) -> None:
    terminal.judged(a_result(at=now()), at=now())
    with closing(sqlite3.connect(terminal.store)) as db:
        db.execute("PRAGMA user_version = 999")
    said = terminal("doctor", "--json")
    assert (said.code, _bad(said)) == (3, {"store": "fail"})


def test_a_clock_that_was_set_back_is_a_warning(terminal: Terminal) -> None:
    ahead = now() + timedelta(hours=3)
    terminal.judged(a_result(at=ahead), at=ahead)
    said = terminal("doctor", "--json")
    assert said.code == 0
    assert _bad(said) == {"clock": "warn"}


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("#!/usr/bin/env no-such-python", "'no-such-python' is not on PATH"),
        ("#!/no/such/interpreter", "/no/such/interpreter does not exist"),
        ("#!/bin/sh\r", "Windows"),
        ("echo", "neither with #!"),
        ("#!", "names no interpreter"),
    ],
)
def test_an_evaluator_that_could_not_start_fails(terminal: Terminal, first: str, told: str) -> None:
    (terminal.root / "evaluators/check").write_text(f"{first}\necho\n", newline="")
    said = terminal("doctor")
    assert said.code == 3
    assert told in said.out


@pytest.mark.parametrize("first", ["#!/bin/sh", "#!/usr/bin/env sh", "#!/usr/bin/env -S sh -eu", "#! /bin/sh -e"])
def test_an_evaluator_that_could_start_is_fine(terminal: Terminal, first: str) -> None:
    (terminal.root / "evaluators/check").write_text(f"{first}\necho\n")
    assert _bad(terminal("doctor", "--json")) == {}


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        ("no-such-program --x", "fail"),
        ("./no-such-job", "fail"),
        ("sh -c true", "ok"),
        ("python3 job.py", "ok"),
        ("./{{pipeline}}", "ok"),
    ],
)
def test_the_program_of_a_trigger_must_be_there(terminal: Terminal, command: str, outcome: str) -> None:
    file = terminal.root / "pipelines/orders.yaml"
    file.write_text(file.read_text().replace("command: ./job", f'command: "{command}"'))
    assert _outcomes(terminal("doctor", "--json"))["triggers"] == outcome


def test_an_allowed_variable_that_is_not_set_is_a_warning_and_no_value_is_shown(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (terminal.root / "interlock.yaml").open("a") as file:
        file.write("env: {allow: [DOCTOR_TOKEN, DOCTOR_UNSET]}\n")
    monkeypatch.setenv("DOCTOR_TOKEN", "s3cret-value")
    monkeypatch.delenv("DOCTOR_UNSET", raising=False)
    said = terminal("doctor", "--json")
    assert (said.code, _bad(said)) == (0, {"environment": "warn"})
    assert "DOCTOR_UNSET" in said.out
    assert "s3cret-value" not in said.out


@pytest.mark.parametrize(("free", "outcome"), [(10 * 2**20, "fail"), (100 * 2**20, "warn"), (10 * 2**30, "ok")])
def test_little_space_is_a_warning_and_none_a_failure(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, free: int, outcome: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=free, used=0, free=free))
    assert _outcomes(terminal("doctor", "--json"))["disk"] == outcome


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("provider: redis\n", "pip install 'interlock[redis]'"),
        (
            "provider: postgres\npostgres: {dsn: '${env:NO_SUCH_DSN}'}\n",
            "names the variable NO_SUCH_DSN, which is not set",
        ),
    ],
)
def test_a_store_that_lacks_something_here_hides_nothing_of_the_rest(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, lines: str, told: str
) -> None:
    monkeypatch.setattr("interlock.runtime.stores.find_spec", lambda name: None if name == "redis" else name)
    file = terminal.root / "interlock.yaml"
    file.write_text(re.sub(r"(?m)^provider: .*\n", lines, file.read_text()))
    said = terminal("doctor", "--json")
    assert said.code == 3
    found = {each["name"]: each for each in said.document["checks"]}
    assert told in found["store"]["message"]
    assert found["evaluators"]["outcome"] == "ok"
