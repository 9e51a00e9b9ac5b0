"""How commands take a slot's run as their own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.cli.terminal import Terminal, now

from interlock.app.arrivals import open_run
from interlock.core.ids import RunKey


def _slots(terminal: Terminal, days: int) -> list[RunKey]:
    """Open the runs of some days, the last of them today."""
    spec = terminal.spec()
    keys = []
    with terminal.kept() as store:
        for back in reversed(range(days)):
            slot = terminal.slot(now() - timedelta(days=back))
            keys.append(open_run(slot, spec, store, now()).run.key)
    return keys


def test_cancel_takes_the_one_run_that_has_not_ended(terminal: Terminal) -> None:
    (key,) = _slots(terminal, 1)
    said = terminal("cancel", "orders", "--reason", "by mistake")
    assert (said.code, said.out.split()[:2]) == (0, [str(key), "CANCELLED"])
    assert "nothing of it was running" in said.out


def test_cancel_does_not_choose_among_several_runs(terminal: Terminal) -> None:
    first, second = _slots(terminal, 2)
    said = terminal("cancel", "orders", "--reason", "by mistake")
    assert said.code == 2
    assert str(first) in said.err
    assert str(second) in said.err
    assert terminal("cancel", str(first), "--reason", "by mistake").code == 0
    assert terminal("cancel", "orders", "--date", second.slot.period, "--reason", "by mistake").code == 0


def test_cancel_reaches_a_run_whose_pipeline_no_file_defines_any_more(terminal: Terminal) -> None:
    (key,) = _slots(terminal, 1)
    (terminal.root / "pipelines" / "orders.yaml").unlink()
    assert terminal("cancel", "orders", "--reason", "retired").code == 0
    assert terminal("cancel", "orders", "--date", key.slot.period, "--reason", "retired").code == 2


def test_cancel_of_what_never_ran_is_told_apart_from_what_has_ended(terminal: Terminal) -> None:
    assert terminal("cancel", "ordres", "--reason", "x").code == 8
    assert terminal("cancel", "orders", "--reason", "x").code == 7
    assert terminal("cancel", "orders", "--date", "2026-03-01", "--reason", "x").code == 8
    assert terminal("cancel", "orders:daily:yesterday:1", "--reason", "x").code == 2


@pytest.mark.parametrize("command", ["run", "rerun", "replay"])
def test_force_without_a_reason_is_refused(terminal: Terminal, command: str) -> None:
    """An override that cannot be judged later is none."""
    rest = {"run": (), "rerun": ("--reason", " "), "replay": ("--date", "2026-03-01", "--reason", " ")}[command]
    assert terminal(command, "orders", "--force", *rest).code == 2


def test_a_plan_with_nothing_in_it_is_not_found(terminal: Terminal) -> None:
    file = terminal.root / "pipelines" / "orders.yaml"
    file.write_text(file.read_text() + "schedules:\n  - {name: yearly, cron: '0 6 1 1 *'}\n")
    said = terminal("backfill", "orders", "--from", "2026-03-01", "--to", "2026-03-03", "--dry-run")
    assert (said.code, "no slot" in said.err) == (8, True)


def test_a_backfill_of_too_many_slots_says_to_take_fewer_days(terminal: Terminal) -> None:
    file = terminal.root / "pipelines" / "orders.yaml"
    file.write_text(file.read_text() + "schedules:\n  - {name: often, every: 1m}\n")
    said = terminal("backfill", "orders", "--from", "2020-01-01", "--to", "2026-03-03", "--dry-run")
    assert (said.code, "fewer days" in said.err) == (2, True)


def test_a_marker_for_a_schedule_nobody_has_is_recorded_and_answered(terminal: Terminal) -> None:
    file = terminal.root / "pipelines" / "orders.yaml"
    file.write_text(file.read_text() + "schedules:\n  - {name: early}\n  - {name: late, after: '18:00'}\n")
    said = terminal("marker", "orders", "--schedule", "noon", "--source", "a file", "--json")
    assert (said.code, said.document["scheduleId"], said.document["outcome"]) == (0, "noon", "recorded")
    assert terminal("marker", "orders", "--schedule", "No Name", "--source", "a file").code == 2


def test_a_marker_for_a_pipeline_whose_file_is_broken_is_recorded_and_the_file_is_named(terminal: Terminal) -> None:
    file = terminal.root / "pipelines" / "orders.yaml"
    file.write_text(file.read_text() + "tirger: 3\n")
    said = terminal("marker", "orders", "--source", "a file")
    assert (said.code, "orders.yaml" in said.err) == (2, True)
    assert "MARKER_RECEIVED" in terminal("events", "orders").out


@pytest.mark.parametrize(
    ("until", "shown"), [("18:00", "2026-03-07 18:00:00Z"), ("2026-03-09T06:30", "2026-03-09 06:30:00Z")]
)
def test_a_pause_says_when_it_is_over(terminal: Terminal, until: str, shown: str) -> None:
    said = terminal("pause", "orders", "--until", until, "--reason", "moving")
    assert (said.code, shown in said.out) == (0, True)


@pytest.mark.parametrize("until", ["2026-03-06T06:30", "2026-03-07T11:59:59Z"])
def test_a_pause_that_is_over_already_is_refused(terminal: Terminal, until: str) -> None:
    assert terminal("pause", "orders", "--until", until, "--reason", "moving").code == 2
    assert terminal("pause", "--list").out == "nothing is paused\n"


def test_lists_stand_alone(terminal: Terminal) -> None:
    assert terminal("pause", "orders", "--list").code == 2
    assert terminal("resume", "orders", "--list").code == 2
    assert terminal("status", "--watch", "--json").code == 2


def test_what_somebody_wrote_is_shown_as_one_harmless_line(terminal: Terminal) -> None:
    """A reason is a text from elsewhere, wherever it is shown."""
    evil = "evil\x1b[31m\nsecond"
    said = terminal("pause", "orders", "--for", "1h", "--reason", evil)
    listed, refused = terminal("pause", "--list"), terminal("run", "orders")
    for text in (said.out, listed.out, refused.err):
        assert "\x1b" not in text
        assert "evil\\x1b[31m second" in text
