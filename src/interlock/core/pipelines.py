"""A pipeline, fully resolved: what a run is pinned to when it opens."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Final

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, ScheduleName
from interlock.core.readiness import ALL_REQUIRED, ReadinessRule
from interlock.core.retries import RetrySpec
from interlock.core.traits import TraitSpec

DEFAULT_INTERVAL: Final = timedelta(seconds=30)


class Deadline(Struct, frozen=True, kw_only=True):
    """A wall time in the schedule's zone, or a span counted from the opening of the slot; exactly one is given."""

    wall: time | None = None
    span: timedelta | None = None


class ScheduleSpec(Struct, frozen=True, kw_only=True):
    """One window a day: it opens at `after` and should be done by `deadline`, both wall times in `timezone`.

    A deadline at or before `after` belongs to the next day: the window then runs over midnight and belongs to the
    day on which it opens.
    """

    name: ScheduleName = DEFAULT_SCHEDULE
    after: time | None = None
    deadline: time | None = None
    timezone: str = "UTC"


class ExclusionSpec(Struct, frozen=True, kw_only=True):
    """Days on which nothing new starts: weekday numbers (Monday is 0) and dates, a named calendar's merged in."""

    weekdays: tuple[int, ...] = ()
    dates: tuple[date, ...] = ()
    calendar: str = ""


class SlaSpec(Struct, frozen=True, kw_only=True):
    """By when the evaluation must have said yes, and by when the job must have ended."""

    evaluation: Deadline | None = None
    completion: Deadline | None = None
    validation_timeout: Deadline | None = None
    timezone: str = "UTC"


class WatchSpec(Struct, frozen=True, kw_only=True):
    """How often a waiting run asks again, and how long a completed one is watched for drift."""

    interval: timedelta = DEFAULT_INTERVAL
    enabled: bool = True
    monitoring: timedelta | None = None


class TriggerSpec(Struct, frozen=True, kw_only=True):
    """How the job is started. `config` is the validated configuration of the trigger's type, templates unexpanded.

    `start_timeout` bounds one call that starts, finds, polls or cancels; `poll_interval` is how often a running job is
    looked at; `poll_budget` how many looks in a row may fail before people are told.
    """

    type: str
    config: Document = EMPTY
    start_timeout: timedelta = timedelta(seconds=30)
    poll_interval: timedelta = timedelta(seconds=30)
    poll_budget: int = 10


class PipelineSpec(Struct, frozen=True, kw_only=True):
    """Everything Interlock knows of one pipeline. Editing YAML never changes a run that has one of these pinned."""

    name: PipelineName
    archetype: str
    traits: tuple[TraitSpec, ...]
    rule: ReadinessRule = ALL_REQUIRED
    tier: int = 0
    trigger: TriggerSpec | None = None
    retry: RetrySpec = RetrySpec()
    schedules: tuple[ScheduleSpec, ...] = (ScheduleSpec(),)
    exclusions: ExclusionSpec = ExclusionSpec()
    sla: SlaSpec = SlaSpec()
    watch: WatchSpec = WatchSpec()
    permit_lifetime: timedelta = timedelta(minutes=5)
    clock_skew: timedelta = timedelta()

    def schedule(self, name: str) -> ScheduleSpec | None:
        """Return one of its schedules by name."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)
