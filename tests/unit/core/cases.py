"""Pipelines and terms of opening that histories are played with: with and without deadlines, limits, monitoring, triggers."""

from __future__ import annotations

from typing import Final

from interlock.core.lifecycle import AS_ASKED, Terms
from interlock.core.pipelines import ScheduleSpec, SlaSpec, TriggerSpec, WatchSpec
from interlock.core.readiness import ReadinessRule, RuleType
from interlock.core.retries import RetrySpec
from interlock.core.runs import Cause, Override
from interlock.core.schedules import Limits
from interlock.core.traits import DriftSpec
from interlock.testing.builders import MINUTE, NOON, SECOND, a_spec, a_trait

FORCED: Final = Override(actor="ann", reason="told by phone", constraints=("readiness",))
SPECS: Final = (
    a_spec(),
    a_spec(a_trait("fresh", ttl=2 * MINUTE), a_trait("upstream"), clock_skew=2 * SECOND),
    a_spec(
        a_trait("fresh", ttl=20 * SECOND),
        a_trait("slow", ttl=10 * MINUTE, timeout=5 * MINUTE),
        a_trait("disk", required=False),
        retry=RetrySpec(max_attempts=2, backoff=10 * SECOND),
    ),
    a_spec(
        a_trait("fresh", ttl=MINUTE),
        a_trait("upstream", ttl=3 * MINUTE),
        a_trait("disk"),
        rule=ReadinessRule(type=RuleType.AT_LEAST, threshold=2),
        trigger=TriggerSpec(type="fake", poll_budget=2),
        retry=RetrySpec(max_attempts=1),
    ),
    a_spec(
        a_trait("rows", ttl=MINUTE, drift=DriftSpec(field="count", threshold=0.2, relative=True)),
        a_trait("upstream"),
        watch=WatchSpec(monitoring=8 * MINUTE),
        sla=SlaSpec(at_risk=2 * MINUTE),
    ),
    a_spec("fresh", "upstream", trigger=None, schedules=(ScheduleSpec(interval=20 * SECOND),)),
    a_spec(
        "fresh",
        a_trait("disk", required=False),
        watch=WatchSpec(monitoring=5 * MINUTE, rerun_on_drift=False),
        sla=SlaSpec(at_risk=MINUTE, expected_duration=4 * MINUTE),
        retry=RetrySpec(max_attempts=5, backoff=5 * SECOND),
    ),
    a_spec(
        a_trait("fresh", ttl=3 * MINUTE),
        verify=(a_trait("rows"), a_trait("totals", timeout=MINUTE)),
        trigger=TriggerSpec(type="fake", poll_budget=2, start_retry=RetrySpec(max_attempts=2, backoff=5 * SECOND)),
        watch=WatchSpec(monitoring=4 * MINUTE),
    ),
    a_spec(
        "fresh",
        verify=(a_trait("rows"),),
        retry=RetrySpec(max_attempts=2, backoff=10 * SECOND),
        sla=SlaSpec(at_risk=MINUTE),
    ),
)


def _limits(evaluation: int | None, completion: int | None, closes: int, *, hard: bool) -> Limits:
    due = None if completion is None else NOON + completion * MINUTE
    return Limits(
        opens_at=NOON,
        evaluation_due=None if evaluation is None else NOON + evaluation * MINUTE,
        evaluation_warn=None if evaluation is None else NOON + (evaluation - 2) * MINUTE,
        completion_due=due,
        completion_warn=None if due is None else due - 4 * MINUTE,
        closes_at=NOON + closes * MINUTE,
        closes_because="sla.validationTimeout" if hard else "the end of its window",
        hard=hard,
    )


TERMS: Final = (
    AS_ASKED,
    Terms(limits=_limits(4, 12, 20, hard=False)),
    Terms(limits=_limits(3, 6, 9, hard=True), cause=Cause.SCHEDULE),
    Terms(limits=_limits(8, 8, 8, hard=False)),
    Terms(limits=_limits(-9, 10, 15, hard=True), cause=Cause.DRIFT),
    Terms(limits=_limits(None, None, 6, hard=True)),
    Terms(limits=_limits(6, None, 60, hard=False), override=FORCED),
    Terms(limits=_limits(5, 5, 5, hard=True)),
)
