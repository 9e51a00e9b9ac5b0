"""Which slots of a range are still to be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from interlock.app.backfilling import TO_DO, Action, Plan, TooMany, plan_backfill
from interlock.core.ids import RunKey, ScheduleName, Slot
from interlock.core.pipelines import ExclusionSpec, PipelineSpec, ScheduleSpec
from interlock.core.runs import Run, RunStatus
from interlock.testing.builders import NOON, a_run, a_slot, a_spec

FIRST, LAST = date(2026, 3, 4), date(2026, 3, 6)
HOURLY = ScheduleSpec(name=ScheduleName("hourly"), every=timedelta(hours=1), timezone="America/New_York")


def nothing(_slot: Slot) -> Run | None:
    return None


def past(runs: dict[str, RunStatus], number: int = 1) -> Callable[[Slot], Run | None]:
    def latest(slot: Slot) -> Run | None:
        status = runs.get(slot.period)
        return None if status is None else replace(a_run(), key=RunKey(slot, number), status=status)

    return latest


def a_plan(
    latest: Callable[[Slot], Run | None] = nothing,
    *,
    spec: PipelineSpec | None = None,
    days: tuple[date, date] = (FIRST, LAST),
    at: datetime = NOON,
    most: int | None = None,
) -> Plan:
    spec = spec or a_spec()
    return plan_backfill(spec, spec.schedules, days, latest, at, most=most)


def actions(plan: Plan) -> list[Action]:
    return [step.action for step in plan.steps]


def test_every_slot_that_never_ran_is_run_oldest_first() -> None:
    plan = a_plan()
    assert [step.slot for step in plan.to_do] == [a_slot(f"2026-03-0{day}") for day in (4, 5, 6)]


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (RunStatus.COMPLETED, Action.DONE),
        (RunStatus.COMPLETED_MONITORING, Action.DONE),
        (RunStatus.TRIGGERING, Action.BUSY),
        (RunStatus.RUNNING, Action.BUSY),
        (RunStatus.FAILED, Action.RUN_AGAIN),
        (RunStatus.CANCELLED, Action.RUN_AGAIN),
        (RunStatus.PENDING, Action.GO_ON),
    ],
)
def test_what_is_done_about_a_slot_follows_from_how_its_latest_run_stands(status: RunStatus, action: Action) -> None:
    plan = a_plan(past({"2026-03-05": status}, number=3))
    assert actions(plan) == [Action.RUN, action, Action.RUN]
    assert [step.after for step in plan.steps] == [0, 3, 0]


def test_an_excluded_day_is_listed_and_not_run_unless_it_ran_already() -> None:
    spec = a_spec(exclusions=ExclusionSpec(dates=(FIRST, LAST)))
    plan = a_plan(past({"2026-03-04": RunStatus.COMPLETED}), spec=spec)
    assert actions(plan) == [Action.DONE, Action.RUN, Action.EXCLUDED]
    assert "excluded dates" in plan.steps[2].reason


def test_a_slot_whose_window_has_not_opened_is_not_run() -> None:
    spec = a_spec(schedules=(ScheduleSpec(after=time(14)),))
    plan = a_plan(spec=spec, days=(date(2026, 3, 6), date(2026, 3, 8)))
    assert actions(plan) == [Action.RUN, Action.FUTURE, Action.FUTURE]


def test_a_slot_is_run_from_the_instant_on_at_which_its_window_opens() -> None:
    spec = a_spec(schedules=(ScheduleSpec(after=NOON.time()),))
    assert actions(a_plan(spec=spec, days=(NOON.date(), NOON.date()))) == [Action.RUN]


def test_no_more_than_asked_for_are_run_and_the_rest_is_left() -> None:
    assert actions(a_plan(past({"2026-03-04": RunStatus.COMPLETED}), most=1)) == [Action.DONE, Action.RUN, Action.LEFT]


def test_a_plan_goes_by_one_name_until_anything_in_it_differs() -> None:
    same = a_plan(), a_plan(at=NOON + timedelta(hours=1))
    other = a_plan(past({"2026-03-05": RunStatus.FAILED})), a_plan(past({"2026-03-05": RunStatus.FAILED}, number=2))
    assert same[0].digest == same[1].digest
    assert len({same[0].digest, other[0].digest, other[1].digest, a_plan(most=1).digest}) == 4


def test_slots_of_several_schedules_are_run_in_the_order_of_time() -> None:
    spec = a_spec(schedules=(ScheduleSpec(name=ScheduleName("late"), after=time(12)), HOURLY))
    plan = a_plan(spec=spec)
    opened = [step.opens_at for step in plan.steps]
    assert opened == sorted(opened)
    assert {step.slot.schedule for step in plan.steps} == {"late", "hourly"}


@pytest.mark.parametrize(("day", "slots"), [(date(2026, 3, 8), 23), (date(2026, 3, 9), 24), (date(2025, 11, 2), 25)])
def test_a_day_has_as_many_slots_as_its_clocks_show(day: date, slots: int) -> None:
    """Both days on which clocks change have their slots once each."""
    plan = a_plan(spec=a_spec(schedules=(HOURLY,)), days=(day, day), at=NOON + timedelta(days=30))
    assert len(plan.steps) == len({step.slot for step in plan.steps}) == slots
    assert {step.slot.period.day for step in plan.steps} == {day}


def test_a_range_too_large_is_refused_before_it_is_counted_out() -> None:
    spec = a_spec(schedules=(ScheduleSpec(every=timedelta(minutes=1)),))
    with pytest.raises(TooMany, match="more than 10000"):
        a_plan(spec=spec, days=(date(2000, 1, 1), date(2026, 3, 1)))


@given(
    st.dictionaries(st.sampled_from(["2026-03-04", "2026-03-05", "2026-03-06"]), st.sampled_from(list(RunStatus))),
    st.one_of(st.none(), st.integers(1, 4)),
)
def test_whatever_happened_before_no_successful_slot_is_run_and_no_limit_is_passed(
    runs: dict[str, RunStatus], most: int | None
) -> None:
    plan = a_plan(past(runs), most=most)
    assert len(plan.steps) == 3
    assert len(plan.to_do) <= (most or 3)
    succeeded = {
        period for period, status in runs.items() if status in (RunStatus.COMPLETED, RunStatus.COMPLETED_MONITORING)
    }
    assert not succeeded & {str(step.slot.period) for step in plan.to_do}
    assert all(step.action in TO_DO for step in plan.to_do)
