from __future__ import annotations

from collections import Counter

import pytest

from interlock.core.alerts import AlertType, NoticeKind
from interlock.core.ids import Slot
from interlock.core.runs import RunStatus
from interlock.core.settling import deadline_of
from interlock.testing.builders import MINUTE
from interlock.testing.fleet.plans import HOUR
from interlock.testing.fleet.stories import NOON, STORIES, a_plan, often, story_of
from interlock.testing.fleet.world import Fleet, Story, played

SEEDS = 300
BLOCKS = 10


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_fleet_breaks_a_promise(block: int) -> None:
    """BUG-01, BUG-05, BUG-33, LAT-14, LAT-46, T-01, T-08, T-44."""
    for seed in range(block, SEEDS, BLOCKS):
        played(seed, story_of(seed))


def test_a_run_whose_job_took_days_is_given_up_in_time_at_its_retry() -> None:
    """Its limit grew with each retry by all the time that had passed."""
    played(44231, story_of(44231))


@pytest.mark.parametrize("seed", [3268, 3790, 41808])
def test_a_world_that_was_judged_wrongly_is_judged_rightly(seed: int) -> None:
    """A scan begun in the middle of another; a run opened by a clock ahead of the last step; one forced on an excluded day."""
    played(seed, story_of(seed))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_no_story_ends_badly(story: Story) -> None:
    """T-26, T-39, BUG-86."""
    for seed in range(1000, 1004):
        played(seed, story, steps=40)


def test_a_world_is_the_same_each_time_it_is_played() -> None:
    first, second = (played(7) for _ in range(2))
    assert first.laws.runs == second.laws.runs
    assert [sink.told for sink in first.sinks] == [sink.told for sink in second.sinks]


def test_the_fleets_are_rough_enough_to_prove_something() -> None:
    fleets = [played(seed) for seed in range(60)]
    ends = Counter(run.status for fleet in fleets for run in fleet.laws.runs.values())
    states = Counter(str(each.state) for fleet in fleets for each in fleet.laws.expectations.values())
    alerts = Counter(
        str(record.alert.alert_type) for fleet in fleets for record in fleet.laws.dispatches.alerts(limit=999)
    )
    assert sum(watcher.deaths for fleet in fleets for watcher in fleet.watchers) > 60
    assert min(ends[status] for status in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)) > 3, ends
    for state in ("met", "late", "missed", "excluded", "skipped", "waived"):
        assert states[state] > 2, states
    assert len(alerts) > 10, alerts


def test_a_healthy_fleet_tells_nobody_anything() -> None:
    for seed in range(15):
        fleet = Fleet(seed, plans=(a_plan("p0"), a_plan("p1", often())), begins=NOON, chaos=0.0)
        for trigger in fleet.triggers.values():
            trigger.usual = (1, 25)
        for _ in range(60):
            fleet.calm_step()
        fleet.calm_down()
        assert not fleet.laws.dispatches.alerts(limit=9), seed
        assert set(map(str, fleet.runs(RunStatus.COMPLETED))) > {"p0:daily:2026-06-17:1", "p1:often:2026-06-17T13:00:1"}


def opened(fleet: Fleet, kind: AlertType) -> list[list[Slot | None]]:
    """Return what each sink was told of a kind, in order."""
    return [
        [
            notice.alert.slot
            for _, notice in sink.told
            if notice.kind is NoticeKind.OPENED and notice.alert.alert_type is kind
        ]
        for sink in fleet.sinks
    ]


def test_with_all_watchers_dead_each_missed_slot_is_told_once_and_their_death_once() -> None:
    """G4. LAT-14, BUG-01."""
    for seed in range(8):
        plans = (a_plan("p0"), a_plan("p1", often(3 * HOUR, deadline_span=40 * MINUTE)))
        fleet = Fleet(seed, plans=plans, begins=NOON, chaos=0.0)
        for _ in range(3 + seed * 3):
            fleet.calm_step()
        died = fleet.stage.now
        fleet.without_watchers(14 * HOUR, back=False)
        now = fleet.stage.now
        late = {each.slot: deadline_of(each) for each in fleet.laws.expectations.values() if each.opens_at > died}
        sure = {slot for slot, due in late.items() if due < now - HOUR}
        assert len(sure) >= 4, seed
        for told in opened(fleet, AlertType.SCHEDULE_MISSED):
            assert len(set(told)) == len(told), seed
            assert sure <= set(told) <= {slot for slot, due in late.items() if due <= now}, seed
        assert [len(told) for told in opened(fleet, AlertType.WATCHER_STALLED)] == [1, 1], seed
