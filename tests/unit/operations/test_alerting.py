"""Alerts and silences over the API."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from msgspec.structs import replace
from tests.unit.operations.office import NOW, Office, an_office

from interlock.api import alerting as api
from interlock.api.alerting import AlertOf, Alerts, AlertWhy, BeginSilence, EndSilence, ResolveAlert, Silences
from interlock.api.contract import Request
from interlock.app.delivering import deliver
from interlock.app.notifying import raise_alert
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.dispatching import alert_dispatch
from interlock.errors import Invalid, NotFound
from interlock.operations import alerting
from interlock.operations.performing import perform

FAILED = "run_failed/orders:daily:2026-03-07:1"
NIGHT: dict[str, Any] = {"reason": "database move", "length": "2h"}


def _raised(office: Office, alert_id: str = FAILED, **changes: Any) -> Alert:
    alert = Alert(
        alert_id=alert_id,
        alert_type=AlertType(alert_id.partition("/")[0]),
        level=AlertLevel.ERROR,
        at=office.work.clock.now(),
        message="the job failed",
        slot=office.slot(),
        tier=2,
        owner="data",
    )
    raise_alert(replace(alert, **changes), office.work.hands)
    return alert


def _listed(office: Office, **which: Any) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = perform(Alerts(cursor=cursor, **which), office.desk)
        assert len(page.items) <= which.get("limit", 50)
        found += [each.alert_id for each in page.items]
        cursor = page.next
        if cursor is None:
            return found


def test_alerts_are_narrowed_by_state_pipeline_and_type(office: Office) -> None:
    late = "late_data/orders:daily:2026-03-07:1"
    _raised(office)
    _raised(office, late)
    _raised(office, "run_failed/sales:daily:2026-03-07:1", slot=office.slot("sales"))
    perform(ResolveAlert(alert_id=late, reason="it was nothing"), office.desk)
    assert _listed(office, state="resolved") == [late]
    assert set(_listed(office, state="open")) == {FAILED, "run_failed/sales:daily:2026-03-07:1"}
    assert _listed(office, pipeline="orders", alert_type=AlertType.RUN_FAILED) == [FAILED]
    assert _listed(office, pipeline="orders", state="resolved") == [late]
    assert _listed(office, alert_type=AlertType.JOB_LOST) == []
    assert len(_listed(office)) == 3


@pytest.mark.parametrize("which", [{}, {"alert_type": AlertType.RUN_FAILED}, {"state": "open"}])
def test_pages_of_alerts_hold_each_once_latest_opened_first(office: Office, which: dict[str, Any]) -> None:
    """T-96."""
    names = [f"run_failed/orders:daily:2026-03-0{day}:1" for day in range(1, 8)]
    for place, name in enumerate(names):
        with time_machine.travel(NOW + timedelta(minutes=place)):
            _raised(office, name)
            _raised(office, name.replace("run_failed", "job_lost"))
    found = _listed(office, limit=3, **which)
    assert [name for name in found if name.startswith("run_failed")] == names[::-1]
    assert len(found) == len(set(found)) == (7 if "alert_type" in which else 14)


def test_a_search_among_alerts_stops_somewhere_and_goes_on_from_there(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-96: a page that holds nothing is not the end unless it says so."""
    monkeypatch.setattr(alerting, "LOOKED_AT", 4)
    for place in range(9):
        with time_machine.travel(NOW + timedelta(minutes=place)):
            _raised(office, f"{'run_failed' if place == 0 else 'late_data'}/orders:daily:2026-03-07:{place}")
    first = perform(Alerts(alert_type=AlertType.RUN_FAILED), office.desk)
    assert (first.items, first.next is None) == ((), False)
    assert _listed(office, alert_type=AlertType.RUN_FAILED) == ["run_failed/orders:daily:2026-03-07:0"]


def test_one_alert_is_shown_and_explained_for_every_channel(office: Office) -> None:
    _raised(office)
    shown = perform(AlertOf(alert_id=FAILED), office.desk)
    assert (shown.alert_id, shown.state, shown.pipeline_id) == (FAILED, "open", "orders")
    why = perform(AlertWhy(alert_id=FAILED), office.desk)
    assert why.alert == shown
    assert [(each.channel, each.matched) for each in why.channels] == [("console", True)]


@pytest.mark.parametrize("kind", [AlertOf, AlertWhy])
def test_an_alert_nobody_raised_is_not_found(office: Office, kind: Any) -> None:
    for name in ("run_failed/nothing", "x", "\0", "ü"):
        request: Request[Any] = kind(alert_id=name)
        with pytest.raises(NotFound, match="no alert is named"):
            perform(request, office.desk)


def test_a_person_who_resolves_an_alert_is_named_with_the_reason_and_twice_changes_nothing(office: Office) -> None:
    _raised(office)
    first = perform(ResolveAlert(alert_id=FAILED, reason=" looked "), office.desk)
    assert (first.resolved, first.alert.state) == (True, "resolved")
    assert first.alert.resolution == "looked (api:anna)"
    second = perform(ResolveAlert(alert_id=FAILED, reason="again"), office.desk)
    assert (second.resolved, second.alert) == (False, first.alert)


def test_whoever_was_told_is_told_at_once_that_a_person_called_it_over(office: Office) -> None:
    """Where no watcher is at work nobody else would ever tell them."""
    _raised(office)
    deliver(alert_dispatch(FAILED), office.work.hands)
    ended = perform(ResolveAlert(alert_id=FAILED, reason="looked"), office.desk)
    (telling,) = ended.alert.tellings
    assert (telling.kind, telling.state) == ("resolved", "done")


def test_what_is_recorded_for_good_needs_a_reason(office: Office) -> None:
    _raised(office)
    silence = BeginSilence(reason="\n", length="1h", everything=True)
    requests: list[Request[Any]] = [ResolveAlert(alert_id=FAILED, reason=" "), silence]
    for request in requests:
        with pytest.raises(Invalid, match=r"^reason: "):
            perform(request, office.desk)
    with pytest.raises(NotFound):
        perform(ResolveAlert(alert_id="run_failed/nothing", reason="x"), office.desk)


def test_a_test_alert_goes_through_the_channels_and_is_not_kept(office: Office) -> None:
    tried = perform(api.TestAlert(), office.desk)
    assert (tried.ok, [each.channel for each in tried.items]) == (True, ["console"])
    assert _listed(office) == []
    with pytest.raises(NotFound, match="there are: console"):
        perform(api.TestAlert(channel="pager"), office.desk)


# ------------------------------------------------------------------ silences


def test_a_silence_is_begun_listed_and_ended(office: Office) -> None:
    begun = perform(BeginSilence(pipeline="sales-*", tier=1, alert_type=AlertType.LATE_DATA, **NIGHT), office.desk)
    assert (begun.pipeline, begun.tier, begun.owner, begun.alert_type) == ("sales-*", 1, None, "late_data")
    assert (begun.actor, begun.active, begun.until - begun.starts_at) == ("api:anna", True, timedelta(hours=2))
    assert perform(Silences(), office.desk).items == (begun,)
    ended = perform(EndSilence(silence_id=begun.silence_id), office.desk)
    assert (ended.silence_id, ended.freed) == (begun.silence_id, 0)
    assert perform(Silences(), office.desk).items == ()
    with pytest.raises(NotFound):
        perform(EndSilence(silence_id=begun.silence_id), office.desk)


def test_the_end_of_a_silence_is_read_in_the_zone_of_the_project(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", timezone="Europe/Paris") as office:
        begun = perform(BeginSilence(reason="x", until="18:00", everything=True), office.desk)
    assert begun.until == NOW.replace(hour=17)


@pytest.mark.parametrize(
    "which",
    [
        {},
        {"everything": True, "tier": 1},
        {"everything": True, "length": None},
        {"everything": True, "until": "18:00"},
        {"everything": True, "length": "soon"},
        {"everything": True, "length": "0s"},
        {"everything": True, "length": None, "until": "2020-01-01"},
    ],
)
def test_a_silence_without_aim_or_end_is_refused(office: Office, which: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        perform(BeginSilence(**{**NIGHT, **which}), office.desk)
    assert perform(Silences(), office.desk).items == ()
