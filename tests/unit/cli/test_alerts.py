from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.cli.terminal import Terminal, now

from interlock.cli.exits import Exit
from interlock.core import dispatching
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.deliveries import Pace, Target, Trouble
from interlock.core.dispatching import AlertRecord
from interlock.stores.dispatches import DispatchRows

PACE = Pace()


def _alert(terminal: Terminal, name: str = "run_failed/orders:daily:1", *, minutes: int = 0) -> Alert:
    return Alert(
        alert_id=name,
        alert_type=AlertType.RUN_FAILED,
        level=AlertLevel.ERROR,
        at=now() + timedelta(minutes=minutes),
        message="the job\nfailed \x1b[31m",
        slot=terminal.slot(now()),
        tier=2,
        owner="data",
    )


def _kept(terminal: Terminal, *records: AlertRecord) -> None:
    with terminal.kept() as store:
        for record in records:
            assert DispatchRows(store.kernel).commit(None, replace(record, version=1))


def _open(alert: Alert, *names: str) -> AlertRecord:
    return dispatching.opened(alert, tuple(Target(name=name) for name in names), PACE, alert.at)


def _given_up(alert: Alert) -> AlertRecord:
    held = dispatching.begun(_open(alert, "console"), alert.at, alert.at + timedelta(minutes=1))
    lost = dispatching.failed(held, "console", 1, Trouble("the stream is closed", retryable=False), PACE, alert.at)
    return dispatching.released(lost, alert.at + timedelta(minutes=1), alert.at)


def test_a_project_without_alerts_lists_none(terminal: Terminal) -> None:
    said = terminal("alerts", "list")
    assert (said.code, said.out) == (0, "")
    assert "no alert" in said.err
    assert terminal("alerts", "list", "--open", "--json").document["items"] == []


def test_alerts_are_listed_latest_first_and_page_by_page(terminal: Terminal) -> None:
    """BUG-44."""
    names = [f"alert-{number}" for number in range(5)]
    _kept(terminal, *(_open(_alert(terminal, name, minutes=place)) for place, name in enumerate(names)))
    found: list[str] = []
    cursor: list[str] = []
    while True:
        page = terminal("alerts", "list", "--limit", "2", "--json", *cursor).document
        found += [each["alertId"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = ["--before", page["next"]]
    assert found == names[::-1]
    assert "there are more" in terminal("alerts", "list", "--limit", "2").err


def test_a_list_holds_what_is_asked_for(terminal: Terminal) -> None:
    over = dispatching.resolved(_open(_alert(terminal, "over")), "it ran", now() + timedelta(minutes=1))
    _kept(terminal, _open(_alert(terminal, "open")), over)
    assert {each["alertId"] for each in terminal("alerts", "list", "--json").document["items"]} == {"open", "over"}
    (item,) = terminal("alerts", "list", "--open", "--pipeline", "orders", "--json").document["items"]
    assert item["alertId"] == "open"
    assert "no open alert about nobody" in terminal("alerts", "list", "--open", "--pipeline", "nobody").err


def test_a_list_for_people_is_harmless_on_a_terminal(terminal: Terminal) -> None:
    """T-76."""
    _kept(terminal, _open(_alert(terminal), "console"))
    said = terminal("alerts", "list")
    assert "\x1b" not in said.out
    assert len(said.out.splitlines()) == 2
    assert "0 of 1, due" in said.out


def test_an_alert_is_shown_with_its_tellings(terminal: Terminal) -> None:
    alert = _alert(terminal)
    _kept(terminal, _given_up(alert))
    said = terminal("alerts", "show", alert.alert_id)
    assert said.code == 0
    assert "console  opened given_up" in said.out
    (telling,) = terminal("alerts", "show", alert.alert_id, "--json").document["tellings"]
    assert (telling["state"], telling["reason"]) == ("given_up", "the stream is closed")


@pytest.mark.parametrize("verb", ["show", "explain"])
def test_an_alert_nobody_raised_is_not_found(terminal: Terminal, verb: str) -> None:
    assert terminal("alerts", verb, "nothing").code == Exit.NOT_FOUND


def test_why_an_alert_was_not_told_is_said_for_every_channel(terminal: Terminal) -> None:
    alert = _alert(terminal)
    _kept(terminal, _given_up(alert))
    said = terminal("alerts", "explain", alert.alert_id)
    assert "console: the opening was given up: the stream is closed" in said.out
    other = replace(_alert(terminal, "other"), level=AlertLevel.INFO)
    _kept(terminal, _open(other, "gone"))
    channels = terminal("alerts", "explain", "other", "--json").document["channels"]
    by_name = {each["channel"]: each for each in channels}
    assert by_name["gone"]["configured"] is False
    assert "no channel of this name" in by_name["gone"]["reason"]


def test_what_is_folded_and_silenced_is_explained(terminal: Terminal) -> None:
    cause = dispatching.folding(_open(_alert(terminal, "up"), "console"))
    alert = _alert(terminal, "down")
    folded = dispatching.opened(alert, (Target(name="console"),), PACE, alert.at, cause="up")
    _kept(terminal, cause, folded)
    assert "told with it: down" in terminal("alerts", "explain", "up").out
    said = terminal("alerts", "explain", "down").out
    assert "its cause is told instead: up" in said
    assert "folded" in terminal("alerts", "list").out


def test_a_person_may_say_that_it_is_over(terminal: Terminal) -> None:
    alert = _alert(terminal)
    _kept(terminal, _open(alert, "console"))
    assert terminal("alerts", "resolve", alert.alert_id, "--reason", "looked").code == 0
    shown = terminal("alerts", "show", alert.alert_id, "--json").document
    assert shown["state"] == "resolved"
    assert shown["resolution"].startswith("looked (cli")
    assert "was resolved before" in terminal("alerts", "resolve", alert.alert_id, "--reason", "again").out
    assert terminal("alerts", "resolve", "nothing", "--reason", "x").code == Exit.NOT_FOUND


def test_the_end_of_an_alert_is_an_event_that_one_can_go_on_from(terminal: Terminal) -> None:
    """BUG-44."""
    alert = _alert(terminal)
    _kept(terminal, _open(alert, "console"))
    terminal("alerts", "resolve", alert.alert_id, "--reason", "looked")
    (event,) = terminal("events", "orders", "--json").document["items"]
    assert event["kind"] == "ALERT_RESOLVED"
    assert terminal("events", "orders", "--before", event["cursor"], "--json").document["items"] == []


def test_a_test_alert_goes_through_the_real_channels_and_is_not_kept(terminal: Terminal) -> None:
    """BUG-147."""
    _sinks(
        terminal, "  - {type: file, name: log, path: alerts.jsonl}\n  - {type: file, name: bad, path: no/where.jsonl}"
    )
    said = terminal("alerts", "test", "--json")
    assert said.code == Exit.NOT_READY
    results = {each["channel"]: each for each in said.document["items"]}
    assert results["log"]["delivered"]
    assert "no/where.jsonl" in results["bad"]["reason"]
    assert (terminal.root / "alerts.jsonl").read_text().count('"test"') == 2
    assert terminal("alerts", "list", "--json").document["items"] == []


def test_one_channel_may_be_tested_alone(terminal: Terminal) -> None:
    _sinks(
        terminal, "  - {type: file, name: log, path: alerts.jsonl}\n  - {type: file, name: bad, path: no/where.jsonl}"
    )
    said = terminal("alerts", "test", "--channel", "log")
    assert (said.code, said.out.strip()) == (0, "ok  log")
    assert terminal("alerts", "test", "--channel", "lgo").code == Exit.NOT_FOUND


def _sinks(terminal: Terminal, entries: str) -> None:
    file = Path(terminal.root / "interlock.yaml")
    kept = [line for line in file.read_text().splitlines() if not line.startswith(("alerts:", "  - type: console"))]
    file.write_text("\n".join([*kept, "alerts:", entries, ""]))


def test_a_list_may_be_of_one_type(terminal: Terminal) -> None:
    _kept(terminal, _open(_alert(terminal)))
    assert len(terminal("alerts", "list", "--type", "run_failed", "--json").document["items"]) == 1
    assert terminal("alerts", "list", "--type", "late_data", "--json").document["items"] == []
    assert terminal("alerts", "list", "--type", "run_fail").code == Exit.USAGE
