"""A pipeline, fully resolved: what a run is pinned to when it opens."""

from __future__ import annotations

import enum
from datetime import date, time, timedelta
from typing import Final

from msgspec import Struct

from interlock.core.calendars import DaySet
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


class OverlapPolicy(enum.StrEnum):
    """What becomes of a slot that opens while an earlier run of its schedule has not ended."""

    ALLOW = "allow"
    QUEUE = "queue"
    SKIP = "skip"


class MissedPolicy(enum.StrEnum):
    """What becomes of slots that should have opened while nobody was there to open them."""

    LATEST = "latest"
    ALL = "all"
    SKIP = "skip"


class ScheduleSpec(Struct, frozen=True, kw_only=True):
    """When slots open: once a day at `after`, or at every match of `cron`, or once in every stretch of `every`.

    All wall times are in `timezone`. A deadline at or before `after` belongs to the next day: the window then runs over
    midnight and belongs to the day on which it opens. `deadline_span` says the same as a span from the opening; at most
    one of the two is given. At most one of `after`, `cron` and `every` is given. `every` divides a day and counts elapsed
    time from local midnight. A slot that nobody let through by `close_at`, or within `window` of its opening, is given up.
    `interval` is how often a waiting run of this schedule asks again, when it differs from the pipeline's.
    """

    name: ScheduleName = DEFAULT_SCHEDULE
    after: time | None = None
    deadline: time | None = None
    deadline_span: timedelta | None = None
    timezone: str = "UTC"
    cron: str = ""
    every: timedelta | None = None
    close_at: Deadline | None = None
    window: timedelta | None = None
    interval: timedelta | None = None
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
    missed: MissedPolicy = MissedPolicy.LATEST
    max_catch_up: int = 10


class ExclusionSpec(Struct, frozen=True, kw_only=True):
    """Days on which nothing new starts: weekday numbers (Monday is 0), dates, and every day of some calendars.

    With `include`, nothing starts on any other day either. `calendar` names a calendar whose dates were merged in, as
    specs pinned by earlier versions have it.
    """

    weekdays: tuple[int, ...] = ()
    dates: tuple[date, ...] = ()
    calendar: str = ""
    calendars: tuple[DaySet, ...] = ()
    include: DaySet | None = None


class SlaSpec(Struct, frozen=True, kw_only=True):
    """By when the evaluation must have said yes, and by when the job must have ended.

    `at_risk` is how long before either people are warned; `expected_duration` is how long the job usually takes, so that
    one not begun so long before its deadline is at risk too. After `validation_timeout` a slot that was never let through
    is given up.
    """

    evaluation: Deadline | None = None
    completion: Deadline | None = None
    validation_timeout: Deadline | None = None
    timezone: str = "UTC"
    at_risk: timedelta | None = None
    expected_duration: timedelta | None = None


class WatchSpec(Struct, frozen=True, kw_only=True):
    """How often a waiting run asks again, and how long a completed one is watched for drift.

    `rerun_on_drift` is whether drift asks for a rerun besides telling people.
    """

    interval: timedelta = DEFAULT_INTERVAL
    enabled: bool = True
    monitoring: timedelta | None = None
    rerun_on_drift: bool = True


class RerunSpec(Struct, frozen=True, kw_only=True):
    """How often a slot may be run again: for drift and late data together, and because people ask."""

    drift: int = 1
    manual: int = 10


class LateAction(enum.StrEnum):
    """What late data leads to."""

    RERUN = "rerun"
    ALERT = "alert"
    IGNORE = "ignore"


class LateDataSpec(Struct, frozen=True, kw_only=True):
    """What happens when data for a completed slot arrives, within `window` of its completion. Later it is only recorded."""

    action: LateAction = LateAction.ALERT
    window: timedelta = timedelta(days=1)


class Mode(enum.StrEnum):
    """Whether effects leave: in shadow everything is decided and recorded, and nothing is done."""

    LIVE = "live"
    SHADOW = "shadow"


class TriggerSpec(Struct, frozen=True, kw_only=True):
    """How the job is started. `config` is the validated configuration of the trigger's type, templates unexpanded.

    `start_timeout` bounds one call that starts, finds, polls or cancels; `poll_interval` is how often a running job is
    looked at; `poll_budget` how many looks in a row may fail before people are told. `start_retry` is how a start that came
    to nothing is tried again; None: as failed jobs are, each counted apart.
    """

    type: str
    config: Document = EMPTY
    start_timeout: timedelta = timedelta(seconds=30)
    poll_interval: timedelta = timedelta(seconds=30)
    poll_budget: int = 10
    start_retry: RetrySpec | None = None


class PipelineSpec(Struct, frozen=True, kw_only=True):
    """Everything Interlock knows of one pipeline. Editing YAML never changes a run that has one of these pinned.

    `verify` are the checks of what a job has left behind, asked when it says that its work is done; no trait has the name of
    one of them.
    """

    name: PipelineName
    archetype: str
    traits: tuple[TraitSpec, ...]
    rule: ReadinessRule = ALL_REQUIRED
    tier: int = 0
    trigger: TriggerSpec | None = None
    verify: tuple[TraitSpec, ...] = ()
    retry: RetrySpec = RetrySpec()
    schedules: tuple[ScheduleSpec, ...] = (ScheduleSpec(),)
    exclusions: ExclusionSpec = ExclusionSpec()
    sla: SlaSpec = SlaSpec()
    watch: WatchSpec = WatchSpec()
    permit_lifetime: timedelta = timedelta(minutes=5)
    clock_skew: timedelta = timedelta()
    owner: str = ""
    mode: Mode = Mode.LIVE
    reruns: RerunSpec = RerunSpec()
    late_data: LateDataSpec = LateDataSpec()
    cascade_delay: timedelta = timedelta()
    stuck_after: timedelta | None = None

    @property
    def checks(self) -> tuple[TraitSpec, ...]:
        """Everything that evaluators are asked for: before the start, and after the job."""
        return (*self.traits, *self.verify)

    def schedule(self, name: str) -> ScheduleSpec | None:
        """Return one of its schedules by name."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)
