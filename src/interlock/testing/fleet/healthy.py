"""A healthy fleet over a whole day, and faults put into it one at a time: how much people are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from interlock.core.alerts import AlertType, NoticeKind
from interlock.core.ids import PipelineName
from interlock.core.pipelines import Deadline, ScheduleSpec, SlaSpec, TriggerSpec, WatchSpec
from interlock.core.retries import RetrySpec
from interlock.core.traits import FailureCategory, Origin, TraitSpec, TraitStatus
from interlock.ports.evaluators import Answer
from interlock.ports.triggers import JobState
from interlock.testing.builders import MINUTE, a_trait
from interlock.testing.fakes import Start
from interlock.testing.fleet.outside import NEVER
from interlock.testing.fleet.plans import DAY, HOUR, Plan, Target, waits_for
from interlock.testing.fleet.stories import ORDINARY, a_plan, often
from interlock.testing.fleet.world import Fleet

MIDNIGHT: Final = datetime(2026, 6, 17, tzinfo=UTC)
GRAIN: Final = 20 * timedelta(seconds=1)
VICTIM: Final = PipelineName("victim")
UP: Final = PipelineName("up")

_SLA: Final = SlaSpec(
    evaluation=Deadline(span=5 * HOUR), completion=Deadline(span=9 * HOUR), expected_duration=100 * MINUTE
)
_TIGHT: Final = SlaSpec(evaluation=Deadline(span=HOUR), completion=Deadline(span=3 * HOUR))
_POLLED: Final = TriggerSpec(type="fake", poll_interval=10 * MINUTE)
_WAITS: Final = (a_trait("fresh", ttl=5 * MINUTE), waits_for("up", ttl=5 * MINUTE))


def some_healthy_plans(count: int) -> list[Plan]:
    """Make pipelines of every kind: daily and hourly, watched for drift, waiting for one another; a fifth of each."""
    plans: list[Plan] = []
    for number in range(count):
        daily = often() if number % 5 == 3 else _at(number % 13, number * 7 % 60)
        traits: tuple[TraitSpec, ...] = (a_trait("fresh", ttl=5 * MINUTE),)
        if number % 5 in (1, 2):
            up = plans[-(number % 5)]
            daily, traits = up.spec.schedules[0], (*traits, waits_for(up.spec.name, ttl=5 * MINUTE))
        watch = WatchSpec(interval=10 * MINUTE, monitoring=HOUR if number % 5 == 4 else None)
        plans.append(a_plan(f"p{number:03}", daily, traits=traits, sla=_SLA, trigger=_POLLED, watch=watch))
    return plans


def _at(hour: int, minute: int = 0) -> ScheduleSpec:
    return ScheduleSpec(after=time(hour, minute))


def a_healthy_fleet(*more: Plan, count: int) -> Fleet:
    """Make a fleet in which all goes well: some data is a little late, and jobs take from a minute to three hours."""
    fleet = Fleet(1, plans=(*some_healthy_plans(count), *more), begins=MIDNIGHT, watchers=2, chaos=0.0)
    for number, (name, trigger) in enumerate(sorted(fleet.triggers.items())):
        trigger.usual = (1, 25) if number % 5 == 3 else (1, 180)
        fleet.data.delays[name] = (number % 3) * 12 * MINUTE
    return fleet


def pass_time(fleet: Fleet, span: timedelta) -> Fleet:
    """Let a fleet be at work for a while."""
    end = fleet.stage.now + span
    while fleet.stage.now < end:
        fleet.calm_step(GRAIN)
    return fleet


def told(fleet: Fleet) -> list[list[AlertType]]:
    """Return what each sink was told of anew, in order."""
    return [
        [notice.alert.alert_type for _, notice in sink.told if notice.kind is NoticeKind.OPENED] for sink in fleet.sinks
    ]


# ---------------------------------------------------------------------- faults


def _with_a_victim(target: Target = ORDINARY, **fields: Any) -> Fleet:
    rest = {"sla": _TIGHT, "retry": RetrySpec(max_attempts=1), "trigger": _POLLED, **fields}
    fleet = a_healthy_fleet(a_plan(VICTIM, _at(2), target=target, **rest), count=10)
    fleet.triggers[VICTIM].usual = (5, 25)
    fleet.data.delays[VICTIM] = timedelta()
    return fleet


def _no_answer(category: FailureCategory) -> Answer:
    return Answer(status=TraitStatus.FAIL, reason="no answer", category=category, origin=Origin.RUNNER)


def _source_never_lands() -> Fleet:
    fleet = _with_a_victim()
    fleet.data.delays[VICTIM] = NEVER
    return pass_time(fleet, DAY)


def _evaluator_crashes() -> Fleet:
    fleet = _with_a_victim()
    fleet.evaluator.broken[VICTIM] = _no_answer(FailureCategory.EVALUATOR_CRASH)
    return pass_time(fleet, DAY)


def _evaluator_hangs() -> Fleet:
    fleet = _with_a_victim()
    fleet.evaluator.broken[VICTIM] = _no_answer(FailureCategory.TIMEOUT)
    return pass_time(fleet, DAY)


def _job_fails_for_good() -> Fleet:
    fleet = _with_a_victim()
    fleet.triggers[VICTIM].fates[VICTIM] = JobState.FAILED
    return pass_time(fleet, DAY)


def _answer_of_a_start_is_lost() -> Fleet:
    fleet = _with_a_victim(target=Target(remembers=False, watchable=False))
    fleet.triggers[VICTIM].begins = Start.ANSWER_LOST
    return pass_time(fleet, DAY)


def _job_vanishes() -> Fleet:
    fleet = _with_a_victim()
    fleet.triggers[VICTIM].fates[VICTIM] = JobState.VANISHED
    fleet.people_look = False
    return pass_time(fleet, DAY)


def _watchers_die() -> Fleet:
    fleet = pass_time(_with_a_victim(), 11 * HOUR)
    fleet.without_watchers(HOUR)
    return pass_time(fleet, 12 * HOUR)


def _watchdog_dies() -> Fleet:
    fleet = pass_time(_with_a_victim(), 6 * HOUR)
    fleet.watchdog.die(6 * HOUR)
    return pass_time(fleet, 18 * HOUR)


def _upstream_fails_with_five_downstreams() -> Fleet:
    downs = [a_plan(f"down-{number}", _at(2), traits=_WAITS, sla=_SLA) for number in range(5)]
    fleet = a_healthy_fleet(a_plan("up", _at(2), sla=_SLA, retry=RetrySpec(max_attempts=1)), *downs, count=10)
    fleet.triggers[UP].fates[UP] = JobState.FAILED
    return pass_time(fleet, DAY)


def _job_is_late() -> Fleet:
    fleet = _with_a_victim(stuck_after=DAY)
    fleet.triggers[VICTIM].usual = (300, 300)
    return pass_time(fleet, DAY)


FAULTS: Final[tuple[tuple[Callable[[], Fleet], AlertType], ...]] = (
    (_source_never_lands, AlertType.EVALUATION_SLA_BREACH),
    (_evaluator_crashes, AlertType.EVALUATION_FAILED),
    (_evaluator_hangs, AlertType.EVALUATION_TROUBLE),
    (_job_fails_for_good, AlertType.RUN_FAILED),
    (_answer_of_a_start_is_lost, AlertType.START_UNKNOWN),
    (_job_vanishes, AlertType.JOB_LOST),
    (_watchers_die, AlertType.WATCHER_STALLED),
    (_watchdog_dies, AlertType.WATCHDOG_STALLED),
    (_upstream_fails_with_five_downstreams, AlertType.RUN_FAILED),
    (_job_is_late, AlertType.COMPLETION_SLA_BREACH),
)
