from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.unit.core.alert_lives import CHAT, PACE, PAGER, an_alert, tell

from interlock.core import dispatching
from interlock.core.alerts import AlertLevel, LifecycleEvent
from interlock.core.dispatch_story import lines
from interlock.core.dispatching import AlertRecord
from interlock.errors import NotFound, UnreadableRecord
from interlock.ports.stores import DueKind
from interlock.stores.dispatches import EVENTS_KEPT, DispatchRows
from interlock.stores.kernel import Put, Record
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, a_key, a_slot

EVENT = LifecycleEvent(event_type="PIPELINE_FAILED", slot=a_slot(), run_id=a_key().run_id, status="FAILED", at=NOON)


@pytest.fixture
def kernel() -> MemoryKernel:
    return MemoryKernel()


@pytest.fixture
def rows(kernel: MemoryKernel) -> DispatchRows:
    return DispatchRows(kernel)


def _kept(rows: DispatchRows, name: str, minute: int = 0, *, pipeline: str = "example", cause: str = "") -> AlertRecord:
    at = NOON + minute * MINUTE
    alert = replace(an_alert(name, at=at, level=AlertLevel.WARNING), slot=a_slot(pipeline=pipeline))
    record = dispatching.opened(alert, (PAGER, CHAT), PACE, at, cause=cause)
    assert rows.commit(None, record)
    return record


def _changed(rows: DispatchRows, before: AlertRecord, after: AlertRecord) -> AlertRecord:
    after = replace(after, version=before.version + 1)
    assert rows.commit(before, after, lines(before, after, NOON))
    return after


def _resolved(rows: DispatchRows, before: AlertRecord) -> AlertRecord:
    return _changed(rows, before, dispatching.resolved(before, "it ran", NOON + timedelta(days=1)))


@pytest.mark.parametrize("name", ["run_failed/a:daily:2026-03-07:1", "a|b\0c%", "Ünïcode 事/#", "x" * 3000])
def test_what_is_kept_is_found_again_and_is_due_under_its_own_name(
    rows: DispatchRows, kernel: MemoryKernel, name: str
) -> None:
    """T-64, BUG-41."""
    record = _kept(rows, name)
    assert rows.alert(name) == record == rows.dispatch(record.dispatch_id)
    (due,) = Repository(kernel).due(NOON, 9)
    assert (due.kind, due.subject) == (DueKind.DISPATCH, record.dispatch_id)


def test_of_two_changes_of_one_version_one_happens(rows: DispatchRows) -> None:
    """T-57, BUG-05."""
    record = _kept(rows, "one")
    assert not rows.commit(None, record)
    _resolved(rows, record)
    assert not rows.commit(record, replace(tell(record, NOON), version=2))


def test_what_wants_nothing_is_not_due(rows: DispatchRows, kernel: MemoryKernel) -> None:
    _resolved(rows, _kept(rows, "one"))
    assert Repository(kernel).due(NOON + timedelta(days=9), 9) == ()


def test_alerts_are_listed_latest_first_and_go_on_from_the_last_one_seen(rows: DispatchRows) -> None:
    """BUG-44, T-96."""
    names = [f"alert-{number:03d}" for number in range(250)]
    for minute, name in enumerate(names):
        _kept(rows, name, minute)
    for filters in ({}, {"open_only": True}, {"pipeline": "example"}, {"open_only": True, "pipeline": "example"}):
        found: list[str] = []
        while page := rows.alerts(limit=70, before=found[-1] if found else None, **filters):
            found += [each.alert.alert_id for each in page]
        assert found == names[::-1]
    with pytest.raises(NotFound, match="no alert nobody"):
        rows.alerts(limit=9, before="nobody")


def test_lists_hold_what_is_asked_for_and_nothing_else(rows: DispatchRows) -> None:
    ours, theirs, over = _kept(rows, "a", 1), _kept(rows, "b", 2, pipeline="stock"), _kept(rows, "c", 3)
    over = _resolved(rows, over)
    assert rows.alerts(limit=9) == (over, theirs, ours)
    assert rows.alerts(limit=9, open_only=True) == (theirs, ours)
    assert rows.alerts(limit=9, pipeline="example") == (over, ours)
    assert rows.alerts(limit=9, pipeline="example", open_only=True) == (ours,)
    assert rows.alerts(limit=1, pipeline="stock") == (theirs,)
    assert rows.alerts(limit=0) == ()


def test_an_alert_that_opens_anew_is_listed_once_and_at_its_new_place(rows: DispatchRows) -> None:
    first, other = _kept(rows, "a", 1), _kept(rows, "b", 2)
    over = _resolved(rows, first)
    later = NOON + timedelta(days=2)
    again = _changed(
        rows,
        over,
        dispatching.raised(over, replace(first.alert, at=later), (PAGER,), PACE, later),
    )
    for filters in ({}, {"open_only": True}, {"pipeline": "example"}):
        assert rows.alerts(limit=9, **filters) == (again, other)


def test_folded_alerts_are_listed_under_their_cause_while_they_are_folded(rows: DispatchRows) -> None:
    folded, freed, over = (_kept(rows, name, place, cause="up/1") for place, name in enumerate("abc"))
    assert rows.folded("up/1", limit=9) == (folded, freed, over)
    _changed(rows, freed, dispatching.unfolded(freed, PACE, NOON))
    _resolved(rows, over)
    assert rows.folded("up/1", limit=9) == (folded,)
    assert rows.folded("up", limit=9) == ()


def test_what_waits_for_company_is_listed_under_its_channel_and_group(rows: DispatchRows) -> None:
    first, second = _kept(rows, "a"), _kept(rows, "b", 1)
    assert rows.waiting(CHAT.name, CHAT.group, limit=9) == (first, second)
    _changed(rows, first, tell(first, NOON + MINUTE))
    assert rows.waiting(CHAT.name, CHAT.group, limit=9) == (second,)
    assert rows.waiting(PAGER.name, PAGER.group, limit=9) == rows.waiting(CHAT.name, "other", limit=9) == ()


def test_what_is_silenced_is_listed_under_its_silence(rows: DispatchRows) -> None:
    record = _kept(rows, "a")
    hushed = _changed(rows, record, dispatching.silenced(record, "s/1", NOON + MINUTE, NOON))
    assert rows.silenced("s/1", limit=9) == (hushed,)
    _changed(rows, hushed, dispatching.unsilenced(hushed, NOON))
    assert rows.silenced("s/1", limit=9) == ()


def test_lines_reach_the_timeline_with_the_change_that_they_tell(rows: DispatchRows, kernel: MemoryKernel) -> None:
    """T-66, T-117."""
    _resolved(rows, _kept(rows, "a|b\0c"))
    (line,) = Repository(kernel).timeline("example", limit=9)
    assert (line.record.kind.value, line.record.message) == ("ALERT_RESOLVED", "it ran")
    assert Repository(kernel).timeline("example", limit=9, before=line.cursor) == ()


def test_an_event_is_kept_until_everybody_has_it_and_for_a_month_after(
    rows: DispatchRows, kernel: MemoryKernel
) -> None:
    record = dispatching.published(EVENT, ("audit",), NOON)
    assert rows.commit(None, record)
    assert rows.dispatch(record.dispatch_id) == record
    assert rows.alert(EVENT.event_id) is None
    assert kernel.purge(NOON + 2 * EVENTS_KEPT, 9) == 0
    held = dispatching.begun(record, NOON, NOON + MINUTE)
    done = dispatching.released(dispatching.delivered(held, "audit", 1, PACE, NOON), NOON + MINUTE, NOON)
    assert rows.commit(record, replace(done, version=2))
    assert kernel.purge(NOON + EVENTS_KEPT - MINUTE, 9) == 0
    assert kernel.purge(NOON + EVENTS_KEPT, 9) == 1


def test_a_damaged_alert_is_said_and_never_skipped(rows: DispatchRows, kernel: MemoryKernel) -> None:
    """BUG-43."""
    record = _kept(rows, "a")
    pk = f"dispatch/{record.dispatch_id}"
    assert kernel.commit(pk, [Put(Record(pk=pk, sk="DISPATCH", version=2, body={"alert": 7}, wake_at=NOON))])
    with pytest.raises(UnreadableRecord, match="DISPATCH"):
        rows.alert("a")


def test_a_pointer_to_what_is_gone_points_to_nothing(rows: DispatchRows, kernel: MemoryKernel) -> None:
    stray = Record(pk="dispatch/alert/gone", sk="IN#x", version=1, body={}, kind="alerts/open", rank="x")
    assert kernel.commit(stray.pk, [Put(stray)])
    assert rows.alerts(limit=9, open_only=True) == ()
