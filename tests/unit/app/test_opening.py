"""May a slot's run be opened now?"""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from tests.unit.app.bench import Bench

from interlock.app.arrivals import Opened, Opening
from interlock.app.opening import Refusal, Refused, open_slot, refusals, slot_of
from interlock.core.ids import ScheduleName, Slot
from interlock.core.pipelines import Deadline, ExclusionSpec, OverlapPolicy, ScheduleSpec, WatchSpec
from interlock.core.runs import Cause
from interlock.core.schedules import Window, window_of
from interlock.ports.controls import Pause
from interlock.testing.builders import a_slot, a_spec

TOMORROW = a_slot("2026-03-08")


def _window(bench: Bench, slot: Slot = TOMORROW) -> Window:
    found = window_of(bench.spec.name, bench.spec.schedules[0], slot.period)
    assert found is not None
    return found


def _open(bench: Bench, slot: Slot = TOMORROW) -> Opened | Refused:
    return open_slot(_window(bench, slot), bench.spec, bench.hands, cause=Cause.SCHEDULE)


def _overlapping(policy: OverlapPolicy) -> Bench:
    return Bench(a_spec(schedules=(ScheduleSpec(overlap=policy),))).running().later(13 * 3600)


@pytest.mark.parametrize(
    ("policy", "why"), [(OverlapPolicy.SKIP, Refusal.OVERLAPS), (OverlapPolicy.QUEUE, Refusal.QUEUED)]
)
def test_a_slot_does_not_open_beside_a_run_that_is_in_its_way(policy: OverlapPolicy, why: Refusal) -> None:
    """T-37."""
    result = _open(_overlapping(policy))
    assert isinstance(result, Refused)
    assert result.why is why


def test_slots_may_be_allowed_to_overlap() -> None:
    """T-37."""
    result = _open(_overlapping(OverlapPolicy.ALLOW))
    assert isinstance(result, Opened)
    assert result.how is Opening.OPENED


@pytest.mark.parametrize("policy", [OverlapPolicy.SKIP, OverlapPolicy.QUEUE])
def test_a_run_that_has_done_what_it_is_for_is_in_nobodys_way(policy: OverlapPolicy) -> None:
    watch = WatchSpec(monitoring=timedelta(days=2))
    bench = Bench(a_spec(watch=watch, schedules=(ScheduleSpec(overlap=policy),))).completed().later(13 * 3600)
    assert not bench.run.ended
    assert isinstance(_open(bench), Opened)


def test_a_slot_does_not_open_before_its_window() -> None:
    result = _open(Bench())
    assert isinstance(result, Refused)
    assert result.why is Refusal.EARLY


def test_a_slot_does_not_open_once_its_schedule_has_closed_it() -> None:
    """T-30."""
    bench = Bench(a_spec(schedules=(ScheduleSpec(close_at=Deadline(span=timedelta(hours=6))),)))
    bench.later(20 * 3600)
    result = _open(bench)
    assert isinstance(result, Refused)
    assert result.why is Refusal.CLOSED


@pytest.mark.parametrize(("seconds", "closed"), [(18 * 3600 - 1, False), (18 * 3600, True)])
def test_the_instant_at_which_a_slot_closes_is_too_late(seconds: int, closed: bool) -> None:
    """T-30."""
    bench = Bench(a_spec(schedules=(ScheduleSpec(close_at=Deadline(span=timedelta(hours=6))),)))
    assert isinstance(_open(bench.later(seconds)), Refused) is closed


def test_a_slot_that_has_a_run_is_returned_with_it_whatever_else_holds() -> None:
    bench = Bench(a_spec(schedules=(ScheduleSpec(close_at=Deadline(span=timedelta(hours=1))),)))
    result = _open(bench, bench.key.slot)
    assert isinstance(result, Opened)
    assert result.how is Opening.JOINED


def test_a_schedule_that_is_not_there_means_the_only_one_that_is() -> None:
    named = a_spec(schedules=(ScheduleSpec(name=ScheduleName("nightly")),))
    assert slot_of(named, a_slot()).schedule == "nightly"
    both = a_spec(schedules=(ScheduleSpec(name=ScheduleName("a1")), ScheduleSpec(name=ScheduleName("b2"))))
    assert slot_of(both, a_slot()) == a_slot()


def test_everything_that_speaks_against_a_slot_is_told_at_once() -> None:
    """Whoever forces it must be told of all that it sets aside."""
    close = Deadline(wall=time(13))
    spec = a_spec(
        schedules=(ScheduleSpec(close_at=close, overlap=OverlapPolicy.SKIP),),
        exclusions=ExclusionSpec(dates=(date(2026, 3, 8),)),
    )
    bench = Bench(spec).running().later(30 * 3600)
    now = bench.clock.now()
    bench.hands.controls.put_pause(
        Pause(pipeline=spec.name, at=now, until=now + timedelta(hours=1), actor="ann", reason="moving")
    )
    found = [each.why for each in refusals(_window(bench), spec, bench.hands, now)]
    assert found == [Refusal.EXCLUDED, Refusal.CLOSED, Refusal.PAUSED, Refusal.OVERLAPS]
