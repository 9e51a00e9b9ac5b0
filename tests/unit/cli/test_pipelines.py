"""`interlock pipelines`: what the files define."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
from tests.unit.cli.terminal import Terminal, now

from interlock.codec.documents import document
from interlock.core.ids import PipelineName
from interlock.errors import StoreUnavailable
from interlock.stores.registrations import RegistrationRows


def test_each_pipeline_is_listed_with_its_schedules_and_its_file(terminal: Terminal) -> None:
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write(
            'schedules:\n  - {name: morning, after: "06:00", deadline: "09:00", timezone: Europe/Berlin}\n  - {name: evening}\n'
        )
    (item,) = terminal("pipelines", "--json").document["items"]
    assert item["schedules"] == ["morning after 06:00 by 09:00 Europe/Berlin", "evening UTC"]
    assert (item["pipelineId"], item["archetype"], item["triggerType"]) == ("orders", "one-check", "command")
    assert item["file"] == "pipelines/orders.yaml"


def test_every_kind_of_schedule_is_said_in_words(terminal: Terminal) -> None:
    with (terminal.root / "pipelines/orders.yaml").open("a") as file:
        file.write(
            'schedules:\n  - {name: weekdays, cron: "30 6 * * 1-5", deadline: +2h}\n  - {name: quarters, every: 15m}\n'
        )
    (item,) = terminal("pipelines", "--json").document["items"]
    assert item["schedules"] == ["weekdays cron '30 6 * * 1-5' within 2h UTC", "quarters every 15m UTC"]


def test_a_broken_file_is_listed_with_its_problem(terminal: Terminal) -> None:
    """T-118."""
    (terminal.root / "pipelines/sales.yaml").write_text("name: sales\nx: 1\n")
    said = terminal("pipelines")
    assert said.code == 2
    assert "orders" in said.out
    assert "sales" in said.out
    assert "interlock validate" in said.err
    items = terminal("pipelines", "--json").document["items"]
    assert [bool(item["problems"]) for item in items] == [False, True]


def test_a_store_that_cannot_be_read_hides_nothing_that_the_files_define(terminal: Terminal) -> None:
    terminal.store.parent.mkdir()
    terminal.store.write_text("this is no store")
    said = terminal("pipelines")
    assert said.code == 0
    assert "orders" in said.out
    assert "what was registered through the API is not known" in said.err


def test_looking_creates_no_store(terminal: Terminal) -> None:
    assert terminal("pipelines").code == 0
    assert not terminal.store.exists()


def test_what_was_registered_is_listed_and_every_other_command_knows_it(terminal: Terminal) -> None:
    registered(terminal)
    items = terminal("pipelines", "--json").document["items"]
    assert [(item["pipelineId"], item["file"]) for item in items] == [
        ("orders", "pipelines/orders.yaml"),
        ("returns", "api"),
    ]
    assert terminal("evaluate", "returns").code == 1
    assert terminal("traits", "push", "returns", "data-check", "--status", "PASS", "--ttl", "5m").code == 0
    assert terminal("evaluate", "returns").code == 0
    assert "returns" in terminal("status").out
    assert terminal("schedule", "preview", "returns").code == 0


def test_a_registration_that_cannot_be_used_is_listed_with_its_problem(terminal: Terminal) -> None:
    """T-118."""
    registered(terminal, archetype="second")
    said = terminal("pipelines")
    assert said.code == 2
    assert "api:returns" in said.out
    assert "no archetype is named 'second'" in said.out


def test_the_doctor_looks_at_what_was_registered_too(terminal: Terminal) -> None:
    registered(terminal, traits={"data-check": {"evaluator": "check"}})
    assert terminal("doctor", "--json").document["ok"]
    (terminal.root / "evaluators/check").chmod(0o644)
    (terminal.root / "pipelines/orders.yaml").unlink()
    said = terminal("doctor")
    assert said.code == 2
    assert "api:returns" in said.out


def registered(terminal: Terminal, **more: Any) -> None:
    document_ = {"name": "returns", "archetype": "one-check", "traits": {"data-check": {"evaluator": "push"}}} | more
    with terminal.kept() as store:
        RegistrationRows(store.kernel).register(PipelineName("returns"), document(document_), now(), "api:anna")


def test_a_store_that_cannot_be_used_is_told_of_once(terminal: Terminal) -> None:
    terminal.store.parent.mkdir()
    terminal.store.write_text("this is no store")
    for command in (("run", "orders"), ("status",), ("watchdog", "--once")):
        said = terminal(*command)
        assert said.code == 3
        assert len(said.err.splitlines()) == 1
        assert "registered" not in said.err


def test_a_store_that_is_away_is_waited_for_once(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def away(path: Path, *, read_only: bool) -> NoReturn:
        asked.append(path)
        raise StoreUnavailable(f"nobody listens there ({read_only=})")

    monkeypatch.setattr("interlock.runtime.stores._sqlite", away)
    for command in (("run", "orders"), ("history", "orders")):
        asked.clear()
        said = terminal(*command)
        assert said.code == 75
        assert said.err.splitlines() == ["interlock: nobody listens there (read_only=True)"]
        assert len(asked) == 1
