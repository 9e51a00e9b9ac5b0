"""Scripted openings: what random play seldom comes to by itself. Each makes a fleet that is then played on."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any, Final

from interlock.core.ids import PipelineName, ScheduleName
from interlock.core.pipelines import (
    Deadline,
    MissedPolicy,
    OverlapPolicy,
    PipelineSpec,
    ScheduleSpec,
    SlaSpec,
    TriggerSpec,
    WatchSpec,
)
from interlock.core.retries import RetrySpec
from interlock.core.runs import RunStatus
from interlock.core.traits import TraitSpec
from interlock.ports.triggers import Job, JobState
from interlock.testing.builders import MINUTE, SECOND, a_trait
from interlock.testing.fakes import Start
from interlock.testing.fleet.plans import DAY, HOUR, SKEW, Plan, Target, waits_for
from interlock.testing.fleet.stage import Died
from interlock.testing.fleet.world import Fleet, Story

NOON: Final = datetime(2026, 6, 17, 12, tzinfo=UTC)


ORDINARY: Final = Target()


def a_plan(
    name: str, *schedules: ScheduleSpec, target: Target = ORDINARY, traits: tuple[TraitSpec, ...] = (), **rest: Any
) -> Plan:
    """Make a plain pipeline: one trait, a job, all well."""
    fields: dict[str, Any] = {
        "trigger": TriggerSpec(type="fake", poll_interval=3 * MINUTE),
        "watch": WatchSpec(interval=10 * MINUTE),
        "clock_skew": SKEW,
        **rest,
    }
    spec = PipelineSpec(
        name=PipelineName(name),
        archetype="batch",
        traits=traits or (a_trait("fresh", ttl=5 * MINUTE),),
        schedules=schedules or (ScheduleSpec(after=time(12, 30)),),
        **fields,
    )
    return Plan(spec, target)


def often(every: timedelta = HOUR, **rest: Any) -> ScheduleSpec:
    """Make a schedule that opens several times a day."""
    return ScheduleSpec(name=ScheduleName("often"), every=every, **rest)


def crash_around_the_call(seed: int) -> Fleet:
    """Let the process that starts the first job die between its claim and the end of the call."""
    dice = Random(seed)
    target = Target(repeatable=dice.random() < 0.5, remembers=dice.random() < 0.7)
    fleet = Fleet(seed, plans=(a_plan("crashing", target=target), a_plan("other", often())), begins=NOON)
    trigger, started = fleet.triggers[PipelineName("crashing")], dice.random() < 0.5
    real, calls = trigger.start, list[str]()

    def start(job: Job, *, timeout: timedelta) -> object:
        calls.append(job.key)
        if len(calls) > 1:
            return real(job, timeout=timeout)
        if started:
            trigger.begins = Start.STARTS
            real(job, timeout=timeout)
            trigger.begins = None
        raise Died

    trigger.start = start  # type: ignore[method-assign,assignment]
    return fleet


def asleep_for_three_days(seed: int) -> Fleet:
    """Let all watchers be gone for three days, over slots of all policies."""
    plans = [a_plan(f"p-{policy}", often(8 * HOUR, missed=policy, max_catch_up=2)) for policy in MissedPolicy]
    plans.append(a_plan("queued", often(8 * HOUR, overlap=OverlapPolicy.QUEUE)))
    fleet = Fleet(seed, plans=plans, begins=NOON)
    for _ in range(10):
        fleet.step()
    fleet.without_watchers(3 * DAY)
    return fleet


def asleep_before_a_start(seed: int) -> Fleet:
    """Let all watchers be gone when a start is wished and not tried yet."""
    fleet = Fleet(seed, plans=(a_plan("p0"), a_plan("p1", often())), begins=NOON + 25 * MINUTE, watchers=2)
    for _ in range(200):
        fleet.step()
        if any(run.status is RunStatus.TRIGGERING for run in fleet.laws.runs.values()):
            break
    fleet.without_watchers(HOUR)
    return fleet


def noisy(seed: int) -> Fleet:
    """Play a fleet in which much goes wrong that people are told of, with three watchers that tell it."""
    sla = SlaSpec(evaluation=Deadline(span=20 * MINUTE), completion=Deadline(span=40 * MINUTE), at_risk=10 * MINUTE)
    plans = [a_plan(f"p{n}", often(), sla=sla, retry=RetrySpec(max_attempts=1)) for n in range(3)]
    fleet = Fleet(seed, plans=plans, begins=NOON + 55 * MINUTE, watchers=3, chaos=1.0)
    for name in ("p0", "p1"):
        fleet.triggers[PipelineName(name)].fates[name] = JobState.FAILED
    fleet.data.delays["p2"] = HOUR
    return fleet


def clock_set_back(seed: int) -> Fleet:
    """Let one watcher's clock be set back over an opening, and forward again."""
    fleet = Fleet(seed, plans=(a_plan("p0", often()), a_plan("p1")), begins=NOON + 50 * MINUTE, watchers=2)
    for _ in range(15):
        fleet.step()
    for error in (-40 * MINUTE, 3 * SECOND, 40 * MINUTE, timedelta()):
        fleet.watchers[0].error = error
        fleet.clocks_set()
        for _ in range(8):
            fleet.step()
    return fleet


def night_of_the_change(seed: int) -> Fleet:
    """Play the night in which clocks change, in spring or in autumn, in Europe or in America."""
    dice = Random(seed)
    begins, zone_name = dice.choice(
        (
            (datetime(2026, 3, 28, 23, 30, tzinfo=UTC), "Europe/Berlin"),
            (datetime(2026, 10, 24, 22, 30, tzinfo=UTC), "Europe/Berlin"),
            (datetime(2026, 3, 8, 5, 30, tzinfo=UTC), "America/New_York"),
            (datetime(2026, 11, 1, 4, 30, tzinfo=UTC), "America/New_York"),
        )
    )
    plans = (
        a_plan("skipped", ScheduleSpec(after=time(2, 30), deadline=time(3, 15), timezone=zone_name)),
        a_plan("hourly", often(timezone=zone_name)),
        a_plan("cron", ScheduleSpec(cron="30 1,2 * * *", timezone=zone_name, deadline_span=HOUR)),
    )
    return Fleet(seed, plans=plans, begins=begins)


def around_midnight(seed: int) -> Fleet:
    """Play slots that open, are due and end around midnight, one far from UTC."""
    plans = (
        a_plan("overnight", ScheduleSpec(after=time(23, 55), deadline=time(0, 40))),
        a_plan("sharp", ScheduleSpec(after=time(0, 0), close_at=Deadline(wall=time(2, 0)))),
        a_plan("far", ScheduleSpec(after=time(13, 57), deadline=time(14, 59), timezone="Pacific/Kiritimati")),
    )
    return Fleet(seed, plans=plans, begins=datetime(2026, 12, 31, 23, 45, tzinfo=UTC))


def upstream_in_trouble(seed: int) -> Fleet:
    """Let a pipeline that others wait for be late, or fail."""
    waits = (a_trait("fresh", ttl=5 * MINUTE), waits_for("up", ttl=5 * MINUTE))
    sla = SlaSpec(evaluation=Deadline(span=2 * HOUR))
    plans = (a_plan("up", sla=sla), *(a_plan(f"down-{n}", traits=waits, sla=sla) for n in range(3)))
    return Fleet(seed, plans=plans, begins=NOON + 20 * MINUTE)


STORIES: Final[tuple[Story, ...]] = (
    crash_around_the_call,
    asleep_for_three_days,
    asleep_before_a_start,
    noisy,
    clock_set_back,
    night_of_the_change,
    around_midnight,
    upstream_in_trouble,
)


def story_of(seed: int) -> Story | None:
    """Return the story that a seed begins with: one in four does."""
    return STORIES[seed // 4 % len(STORIES)] if seed % 4 == 3 else None
