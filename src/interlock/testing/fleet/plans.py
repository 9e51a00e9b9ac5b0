"""What a simulated fleet consists of: a few pipelines with random schedules, and how their targets behave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from interlock.core.documents import Document
from interlock.core.ids import PipelineName, ScheduleName, TraitName
from interlock.core.pipelines import (
    Deadline,
    ExclusionSpec,
    LateAction,
    LateDataSpec,
    MissedPolicy,
    Mode,
    OverlapPolicy,
    PipelineSpec,
    RerunSpec,
    ScheduleSpec,
    SlaSpec,
    TriggerSpec,
    WatchSpec,
)
from interlock.core.retries import RetrySpec
from interlock.core.times import zone
from interlock.core.traits import DriftSpec, TraitSpec
from interlock.testing.builders import MINUTE, SECOND

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
SKEW: Final = 8 * SECOND
"""How far apart two clocks of a fleet usually are, at most, and what its pipelines allow for."""

UPSTREAM: Final = "builtin:upstream-check"
ZONES: Final = (
    "UTC",
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Pacific/Auckland",
    "Pacific/Kiritimati",
    "America/St_Johns",
    "Asia/Kathmandu",
)
# Ordinary days, nights in which clocks change somewhere, the turn of a year, a leap day.
DATES: Final = (
    date(2026, 3, 6),
    date(2026, 3, 6),
    date(2026, 6, 17),
    date(2026, 3, 7),
    date(2026, 3, 28),
    date(2026, 4, 4),
    date(2026, 10, 24),
    date(2026, 10, 31),
    date(2026, 12, 31),
    date(2028, 2, 28),
)


class Target(NamedTuple):
    """What the system that runs a pipeline's jobs can do; see `interlock.testing.fakes.FakeTrigger`."""

    repeatable: bool = False
    remembers: bool = True
    watchable: bool = True


class Plan(NamedTuple):
    """A pipeline, and the system that runs its jobs."""

    spec: PipelineSpec
    target: Target = Target()


def a_beginning(dice: Random) -> datetime:
    """Choose the instant at which a world begins."""
    chosen = dice.choice(DATES)
    return datetime(chosen.year, chosen.month, chosen.day, tzinfo=UTC) + dice.randrange(24 * 60) * MINUTE


def some_plans(dice: Random, begins: datetime) -> tuple[Plan, ...]:
    """Make a fleet's pipelines: some of them wait for an earlier one."""
    plans: list[Plan] = []
    for place in range(dice.randint(2, 4)):
        ups = [plan for plan in plans if plan.spec.mode is Mode.LIVE]
        upstream = dice.choice(ups).spec if ups and dice.random() < 0.4 else None
        plans.append(_a_plan(dice, f"p{place}", begins, upstream))
    return tuple(plans)


def downstream_of(plans: Sequence[Plan]) -> dict[str, tuple[str, ...]]:
    """Return who waits for whom, as the configuration's index would."""
    found: dict[str, list[str]] = {}
    for plan in plans:
        for trait in plan.spec.traits:
            if trait.evaluator == (UPSTREAM,):
                found.setdefault(upstream_of(trait), []).append(plan.spec.name)
    return {name: tuple(sorted(waiting)) for name, waiting in found.items()}


def upstream_of(trait: TraitSpec) -> PipelineName:
    """Return the pipeline that a trait waits for."""
    return PipelineName((trait.config.get("upstreamPipeline") or "").strip('"'))


def waits_for(upstream: str, **rest: Any) -> TraitSpec:
    """Make a trait that waits for another pipeline."""
    config = Document((("upstreamPipeline", f'"{upstream}"'),))
    return TraitSpec(name=TraitName("upstream"), evaluator=(UPSTREAM,), config=config, **rest)


def _a_plan(dice: Random, name: str, begins: datetime, upstream: PipelineSpec | None) -> Plan:
    if upstream is None:
        schedules: tuple[ScheduleSpec, ...] = (_a_schedule(dice, begins),)
    else:
        schedules = (_like(dice, upstream.schedules[0]),)
    traits = [_a_trait(dice, "fresh")]
    if dice.random() < 0.4:
        drift = DriftSpec(field="rows", threshold=0.1, relative=True)
        traits.append(TraitSpec(name=TraitName("rows"), evaluator=("./rows",), ttl=30 * MINUTE, drift=drift))
    if upstream is not None:
        traits.append(waits_for(upstream.name, ttl=10 * MINUTE))
    spec = PipelineSpec(
        name=PipelineName(name),
        archetype="batch",
        traits=tuple(traits),
        trigger=None if dice.random() < 0.08 else _a_trigger(dice),
        retry=RetrySpec(max_attempts=dice.randint(1, 3), backoff=dice.choice((30, 120)) * SECOND),
        schedules=schedules,
        exclusions=_some_exclusions(dice, begins),
        sla=_an_sla(dice, schedules[0]),
        watch=_a_watch(dice),
        clock_skew=SKEW,
        mode=Mode.SHADOW if dice.random() < 0.08 else Mode.LIVE,
        reruns=RerunSpec(drift=dice.randint(0, 2), manual=3),
        late_data=LateDataSpec(action=dice.choice(tuple(LateAction)), window=6 * HOUR),
        cascade_delay=dice.choice((timedelta(), timedelta(), 30 * SECOND)),
    )
    if spec.trigger is not None and dice.random() < 0.25:
        spec = replace(spec, verify=(_a_trait(dice, "output"),))
    repeatable = dice.random() < 0.35
    remembers = not repeatable or dice.random() < 0.6
    return Plan(spec, Target(repeatable, remembers, watchable=dice.random() < 0.9))


def _a_trait(dice: Random, name: str) -> TraitSpec:
    ttl = dice.choice((timedelta(), 2 * MINUTE, 5 * MINUTE, HOUR))
    return TraitSpec(name=TraitName(name), evaluator=(f"./{name}",), ttl=ttl, timeout=20 * SECOND)


def _a_trigger(dice: Random) -> TriggerSpec:
    poll = dice.choice((1, 3, 5)) * MINUTE
    own = RetrySpec(max_attempts=dice.randint(1, 4), backoff=MINUTE) if dice.random() < 0.3 else None
    return TriggerSpec(type="fake", poll_interval=poll, poll_budget=dice.randint(2, 6), start_retry=own)


def _a_watch(dice: Random) -> WatchSpec:
    watched = dice.random() < 0.3
    return WatchSpec(
        interval=dice.choice((5, 10, 15)) * MINUTE,
        monitoring=dice.choice((20, 45)) * MINUTE if watched else None,
        rerun_on_drift=dice.random() < 0.7,
    )


def _a_schedule(dice: Random, begins: datetime) -> ScheduleSpec:
    zone_name = dice.choice(ZONES)
    soon = (begins + dice.randint(5, 150) * MINUTE).astimezone(zone(zone_name))
    rules = _rules(dice)
    kind = dice.random()
    if kind < 0.5:
        due = (soon + dice.randint(60, 300) * MINUTE).time().replace(second=0) if dice.random() < 0.6 else None
        close = Deadline(span=dice.randint(2, 8) * HOUR) if due is None and dice.random() < 0.4 else None
        after = soon.time().replace(second=0)
        return ScheduleSpec(after=after, deadline=due, close_at=close, timezone=zone_name, **rules)
    name = ScheduleName("often")
    window = dice.choice((None, 40 * MINUTE))
    if kind < 0.75:
        every = dice.choice((HOUR, 2 * HOUR, 3 * HOUR))
        return ScheduleSpec(name=name, every=every, timezone=zone_name, window=window, **rules)
    cron = dice.choice((f"{soon.minute} * * * *", f"*/20 {soon.hour} * * *", f"{soon.minute} {soon.hour} * * *"))
    span = dice.choice((None, 90 * MINUTE))
    return ScheduleSpec(name=name, cron=cron, timezone=zone_name, deadline_span=span, window=window, **rules)


def _rules(dice: Random) -> dict[str, Any]:
    return {
        "overlap": dice.choice(tuple(OverlapPolicy)),
        "missed": dice.choice(tuple(MissedPolicy)),
        "max_catch_up": dice.choice((1, 2, 5)),
    }


def _like(dice: Random, other: ScheduleSpec) -> ScheduleSpec:
    # A downstream keeps its upstream's periods: it waits for the very slot.
    return ScheduleSpec(
        name=other.name,
        after=other.after,
        every=other.every,
        cron=other.cron,
        timezone=other.timezone,
        missed=dice.choice(tuple(MissedPolicy)),
    )


def _an_sla(dice: Random, schedule: ScheduleSpec) -> SlaSpec:
    if schedule.deadline is not None or schedule.deadline_span is not None or dice.random() < 0.4:
        return SlaSpec(at_risk=dice.choice((None, 15 * MINUTE)))
    evaluation = dice.randint(20, 120) * MINUTE
    return SlaSpec(
        evaluation=Deadline(span=evaluation),
        completion=Deadline(span=evaluation + dice.randint(30, 120) * MINUTE) if dice.random() < 0.7 else None,
        validation_timeout=Deadline(span=evaluation + 2 * HOUR) if dice.random() < 0.4 else None,
        at_risk=dice.choice((None, 15 * MINUTE)),
        expected_duration=dice.choice((None, 20 * MINUTE)),
    )


def _some_exclusions(dice: Random, begins: datetime) -> ExclusionSpec:
    if dice.random() > 0.15:
        return ExclusionSpec()
    day = (begins + dice.choice((0, 1)) * DAY).date()
    return ExclusionSpec(dates=(day,)) if dice.random() < 0.5 else ExclusionSpec(weekdays=(day.weekday(),))
