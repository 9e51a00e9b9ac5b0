"""What an alert looks like to machines."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from interlock.codec.alerts import lifecycle_json, notice_json
from interlock.codec.documents import document
from interlock.core.alerts import Alert, AlertLevel, AlertType, LifecycleEvent, Notice, NoticeKind
from interlock.core.ids import RunId
from interlock.testing.builders import NOON, a_key, a_slot


def an_alert(alert_id: str = "a/1", kind: AlertType = AlertType.RUN_FAILED) -> Alert:
    slot = a_slot()
    return Alert(
        alert_id=alert_id,
        alert_type=kind,
        level=AlertLevel.ERROR,
        at=NOON,
        message="m",
        slot=slot,
        run_id=a_key().run_id,
    )


def a_notice(alert: Alert | None = None) -> Notice:
    return Notice(alert=alert or an_alert(), at=NOON)


@pytest.mark.parametrize("kind", list(AlertType))
def test_every_alert_carries_its_type_its_id_and_its_slot(kind: AlertType) -> None:
    """T-104."""
    said = json.loads(notice_json(a_notice(an_alert(kind=kind))))
    assert (said["alertType"], said["alertId"], said["pipelineId"], said["date"]) == (
        kind,
        "a/1",
        "example",
        "2026-03-07",
    )


def test_the_same_fact_has_the_same_dedup_key_in_every_telling() -> None:
    """T-105."""
    later = Notice(alert=an_alert(), kind=NoticeKind.REMINDED, number=2, at=NOON + timedelta(hours=4))
    first, second = json.loads(notice_json(a_notice())), json.loads(notice_json(later))
    assert first["dedupKey"] == second["dedupKey"] == "a/1"
    assert (first["noticeId"], second["noticeId"]) == ("a/1#1", "a/1#2")
    assert (first["notice"], second["notice"]) == ("opened", "reminded")


def test_an_alert_about_interlock_itself_has_the_same_keys_and_no_slot() -> None:
    about_us = Alert(
        alert_id="w", alert_type=AlertType.WATCHER_STALLED, level=AlertLevel.ERROR, at=NOON, message="stalled"
    )
    said = json.loads(notice_json(a_notice(about_us)))
    assert [said[key] for key in ("pipelineId", "scheduleId", "date", "runId")] == ["", "", "", ""]
    assert set(said) == set(json.loads(notice_json(a_notice())))


def test_the_last_telling_says_what_mended_it() -> None:
    over = Notice(alert=an_alert(), kind=NoticeKind.RESOLVED, number=3, at=NOON, resolution="the rerun completed")
    said = json.loads(notice_json(over))
    assert (said["notice"], said["resolution"]) == ("resolved", "the rerun completed")


def test_what_says_nothing_is_left_out() -> None:
    said = json.loads(notice_json(a_notice()))
    assert not {"resolution", "tier", "owner", "folded", "grouped"} & set(said)


def test_what_is_told_together_is_listed_in_short() -> None:
    notice = Notice(alert=an_alert(), at=NOON, folded=(an_alert("a/2"),), grouped=(an_alert("a/3"), an_alert("a/4")))
    said = json.loads(notice_json(notice))
    assert [one["alertId"] for one in said["folded"]] == ["a/2"]
    assert [one["alertId"] for one in said["grouped"]] == ["a/3", "a/4"]
    assert set(said["folded"][0]) == {
        "level",
        "alertType",
        "alertId",
        "pipelineId",
        "scheduleId",
        "date",
        "message",
        "timestamp",
    }


def test_whose_it_is_and_how_much_it_matters_is_said() -> None:
    alert = Alert(
        alert_id="a",
        alert_type=AlertType.TEST,
        level=AlertLevel.INFO,
        at=NOON,
        message="m",
        tier=1,
        owner="team-sales",
    )
    said = json.loads(notice_json(a_notice(alert)))
    assert (said["tier"], said["owner"]) == (1, "team-sales")


def test_instants_are_told_in_utc() -> None:
    here = datetime(2026, 3, 7, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    said = json.loads(notice_json(Notice(alert=an_alert(), at=here)))
    assert said["noticedAt"] == said["timestamp"] == "2026-03-07T12:00:00Z"


def test_half_a_character_costs_no_alert() -> None:
    half = "x\ud800y"
    alert = Alert(alert_id=half, alert_type=AlertType.TEST, level=AlertLevel.INFO, at=NOON, message=half, owner=half)
    said = json.loads(notice_json(Notice(alert=alert, at=NOON, resolution=half)))
    assert [said[key] for key in ("alertId", "dedupKey", "message", "owner", "resolution")] == ["x?y"] * 5


def test_it_is_one_line() -> None:
    alert = Alert(alert_id="a", alert_type=AlertType.TEST, level=AlertLevel.INFO, at=NOON, message="one\ntwo")
    assert b"\n" not in notice_json(a_notice(alert))


def test_the_end_of_a_run_is_told_with_an_id_that_stays_the_same() -> None:
    event = LifecycleEvent(
        event_type="PIPELINE_FAILED",
        slot=a_slot(),
        run_id=RunId("example:daily:2026-03-07:1"),
        status="FAILED",
        at=NOON,
    )
    assert json.loads(lifecycle_json(event)) == {
        "eventType": "PIPELINE_FAILED",
        "eventId": "PIPELINE_FAILED/example:daily:2026-03-07:1",
        "pipelineId": "example",
        "scheduleId": "daily",
        "date": "2026-03-07",
        "runId": "example:daily:2026-03-07:1",
        "status": "FAILED",
        "timestamp": "2026-03-07T12:00:00Z",
    }


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf"), b"bytes", "\ud800"])
def test_what_is_not_json_is_refused_and_never_becomes_an_empty_message(value: object) -> None:
    """BUG-34."""
    with pytest.raises(ValueError, match="not JSON"):
        document({"detail": value})
