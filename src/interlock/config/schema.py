"""The shape of pipeline, archetype and calendar files: keys exactly as people write them.

A field that is not given is UNSET, so that a zero, an empty text and "not said" never mix; null is refused everywhere but
inside an evaluator's `config`. What needs more than one field to judge is judged in `build`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

from interlock.core.ids import NAME_PATTERN

_DURATION_SCHEMA: Final = {
    "minimum": 0,
    "pattern": r"^(\+?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+|\+?0)$",
    "examples": ["90s", "1h30m"],
}
_DEADLINE_SCHEMA: Final = {
    "pattern": r"^(([01]?\d|2[0-3]):[0-5]\d|\+?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+)$",
    "examples": ["09:00", "+45m"],
}
_WALL_SCHEMA: Final = {"pattern": r"^([01]?\d|2[0-3]):[0-5]\d$", "examples": ["06:00"]}
_NAME_SCHEMA: Final = {"pattern": f"^{NAME_PATTERN}$"}

Duration: TypeAlias = Annotated[
    int | str,
    Meta(
        extra={"expected": "seconds, or a duration such as 90s, 5m or 1h30m"},
        extra_json_schema=_DURATION_SCHEMA,
    ),
]
Wall: TypeAlias = Annotated[
    str, Meta(extra={"expected": "a time of day such as 06:00"}, extra_json_schema=_WALL_SCHEMA)
]
DeadlineText: TypeAlias = Annotated[
    str,
    Meta(
        extra={"expected": "a time of day such as 09:00, or a duration such as 45m"},
        extra_json_schema=_DEADLINE_SCHEMA,
    ),
]
Name: TypeAlias = Annotated[str, Meta(extra={"expected": "a name"}, extra_json_schema=_NAME_SCHEMA)]
Zone: TypeAlias = Annotated[str, Meta(extra={"expected": "an IANA time zone such as Europe/Berlin"})]
Day: TypeAlias = Annotated[
    str,
    Meta(
        extra={"expected": "a date such as 2025-12-25"},
        extra_json_schema={"pattern": r"^\d{4}-\d{2}-\d{2}$", "examples": ["2025-12-25"]},
    ),
]
Weekday: TypeAlias = Annotated[
    str,
    Meta(extra={"expected": "a day of the week such as Saturday or Sat"}, extra_json_schema={"examples": ["Saturday"]}),
]
Names: TypeAlias = Annotated[Name | tuple[Name, ...], Meta(extra={"expected": "a name or a list of names"})]
EvaluatorText: TypeAlias = Annotated[
    str | tuple[str, ...],
    Meta(
        description="A path, `builtin:NAME`, `python:module:function`, `http(s)://…` or `push`; a list adds arguments.",
        extra={"expected": "a path, builtin:NAME, python:module:function, an http(s) address or push"},
    ),
]


class _File(Struct, frozen=True, kw_only=True, gc=False, rename="camel", forbid_unknown_fields=True):
    """What all of these have in common: strict, immutable, camel case."""


class DriftEntry(_File, frozen=True, kw_only=True):
    """How far a number in a trait's value may move from what it was at the start."""

    field: Annotated[str, Meta(description="The key within the trait's value.")]
    threshold: Annotated[float, Meta(ge=0)] = 0.0
    relative: Annotated[bool, Meta(description="Count the move as a part of the value at the start.")] = False


class TraitEntry(_File, frozen=True, kw_only=True):
    """How a pipeline checks one trait of its archetype."""

    evaluator: EvaluatorText | UnsetType = UNSET
    config: Annotated[dict[str, Any], Meta(description="Laid over the archetype's defaultConfig.")] = {}
    ttl: Duration | UnsetType = UNSET
    timeout: Duration | UnsetType = UNSET
    drift: DriftEntry | UnsetType = UNSET


class RetryEntry(_File, frozen=True, kw_only=True):
    """How a failed job is tried again; what is not given keeps its default."""

    max_attempts: Annotated[int, Meta(ge=1, le=20, description="All attempts, the first included.")] | UnsetType = UNSET
    backoff_seconds: Duration | UnsetType = UNSET
    backoff_multiplier: Annotated[float, Meta(ge=1, le=100)] | UnsetType = UNSET
    retryable_failures: tuple[str, ...] | UnsetType = UNSET


class SlaEntry(_File, frozen=True, kw_only=True):
    """By when a pipeline must be evaluated and done."""

    evaluation_deadline: DeadlineText | UnsetType = UNSET
    completion_deadline: DeadlineText | UnsetType = UNSET
    validation_timeout: DeadlineText | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    at_risk_lead_time: Duration | UnsetType = UNSET
    expected_duration: Duration | UnsetType = UNSET


class MonitoringEntry(_File, frozen=True, kw_only=True):
    """How long a completed run is watched for drift. A duration alone switches it on."""

    enabled: bool | UnsetType = UNSET
    duration: Duration | UnsetType = UNSET
    on_drift: Literal["rerun", "alert"] = "rerun"


class WatchEntry(_File, frozen=True, kw_only=True):
    """How often a waiting run asks again."""

    interval: Duration | UnsetType = UNSET
    enabled: bool = True
    monitoring: MonitoringEntry | UnsetType = UNSET


class EvaluationEntry(_File, frozen=True, kw_only=True):
    """For how long a slot may wait to become ready, and how often it is asked meanwhile."""

    window: Duration | UnsetType = UNSET
    interval: Duration | UnsetType = UNSET


class ScheduleEntry(_File, frozen=True, kw_only=True):
    """When slots open: once a day, by a cron expression, or every so often."""

    name: Name
    after: Wall | UnsetType = UNSET
    cron: Annotated[str, Meta(extra={"expected": "a cron expression such as '0 6 * * 1-5'"})] | UnsetType = UNSET
    every: Duration | UnsetType = UNSET
    deadline: DeadlineText | UnsetType = UNSET
    close_at: DeadlineText | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    evaluation: EvaluationEntry | UnsetType = UNSET
    overlap: Literal["allow", "queue", "skip"] = "allow"
    missed: Literal["latest", "all", "skip"] = "latest"
    max_catch_up: Annotated[int, Meta(ge=1, le=1000, description="How many missed slots are made up for.")] = 10


class DaysEntry(_File, frozen=True, kw_only=True):
    """Days: of the week, by date, and those of named calendars."""

    days: tuple[Weekday, ...] = ()
    dates: tuple[Day, ...] = ()
    calendar: Names | UnsetType = UNSET


class RerunsEntry(_File, frozen=True, kw_only=True):
    """How often a slot may be run again."""

    drift: Annotated[int, Meta(ge=0, le=100, description="For drift and late data together.")] = 1
    manual: Annotated[int, Meta(ge=0, le=100, description="Because people ask.")] = 10


class LateDataEntry(_File, frozen=True, kw_only=True):
    """What becomes of data that arrives for a slot that has completed."""

    action: Literal["rerun", "alert", "ignore"] = "alert"
    window: Duration | UnsetType = UNSET


class StuckEntry(_File, frozen=True, kw_only=True):
    """When a run of this pipeline counts as stuck, in place of the project's threshold."""

    stuck_run_threshold: Duration | UnsetType = UNSET


class CascadeEntry(_File, frozen=True, kw_only=True):
    """How downstream pipelines are told of a completion."""

    delay_between: Duration | UnsetType = UNSET


class SensorRuleEntry(_File, frozen=True, kw_only=True):
    """What a sensor of the pipeline must be like: a required trait of its own, checked by `builtin:rule`."""

    sensor: Annotated[str, Meta(description="The key of the sensor; `key` means the same.")] | UnsetType = UNSET
    key: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    check: str
    value: Any | UnsetType = UNSET
    per_period: bool | UnsetType = UNSET
    skew: Duration | UnsetType = UNSET


class VerifyEntry(_File, frozen=True, kw_only=True):
    """One check of a job's work, asked after the job has said that it is done. An evaluator alone is one, too."""

    evaluator: EvaluatorText
    name: Annotated[str, Meta(description="Taken from the evaluator when left out.")] = ""
    config: dict[str, Any] = {}
    timeout: Duration | UnsetType = UNSET


class PipelineFile(_File, frozen=True, kw_only=True):
    """A pipeline: which archetype, how its traits are checked, what is started, when, and by when."""

    name: Name
    archetype: Name
    tier: Annotated[int, Meta(ge=0, le=9, description="How much it matters; 0 is not said.")] = 0
    traits: dict[str, TraitEntry] = {}
    rules: Annotated[
        tuple[SensorRuleEntry, ...], Meta(description="What sensors must be like, besides what the archetype asks for.")
    ] = ()
    trigger: Annotated[dict[str, Any], Meta(extra={"expected": "a trigger: a type and its keys"})] | UnsetType = UNSET
    verify: Annotated[
        tuple[str | VerifyEntry, ...],
        Meta(description="What is asked about the job's work when the job says that it is done; all must pass."),
    ] = ()
    retry: RetryEntry = RetryEntry()
    sla: SlaEntry = SlaEntry()
    watch: WatchEntry = WatchEntry()
    schedules: tuple[ScheduleEntry, ...] = ()
    include: Annotated[DaysEntry, Meta(description="There are slots on these days only.")] | UnsetType = UNSET
    exclusions: Annotated[DaysEntry, Meta(description="Nothing new starts on these days.")] = DaysEntry()
    cascade: CascadeEntry = CascadeEntry()
    owner: Annotated[str, Meta(max_length=200, description="Who is told, and whom alerts can be routed by.")] = ""
    mode: Literal["live", "shadow"] = "live"
    reruns: RerunsEntry = RerunsEntry()
    late_data: LateDataEntry = LateDataEntry()
    watchdog: StuckEntry = StuckEntry()


class TraitDefinitionEntry(_File, frozen=True, kw_only=True):
    """One trait as an archetype defines it."""

    type: Name
    description: str = ""
    default_config: dict[str, Any] = {}
    default_ttl: Duration | UnsetType = UNSET
    default_timeout: Duration | UnsetType = UNSET


class RuleParameters(_File, frozen=True, kw_only=True):
    """What a readiness rule counts to."""

    threshold: int | UnsetType = UNSET


class RuleEntry(_File, frozen=True, kw_only=True):
    """How many required traits must pass."""

    type: str
    parameters: RuleParameters = RuleParameters()


class ArchetypeFile(_File, frozen=True, kw_only=True):
    """A reusable template of safety traits."""

    name: Name
    required_traits: tuple[TraitDefinitionEntry, ...]
    optional_traits: tuple[TraitDefinitionEntry, ...] = ()
    readiness_rule: Annotated[str | RuleEntry, Meta(extra={"expected": "a rule such as all-required-pass"})] = (
        "all-required-pass"
    )


class BusinessDaysEntry(_File, frozen=True, kw_only=True):
    """Days by their place among the business days of a month; those are Monday to Friday less the `holidays`."""

    first: bool = False
    last: bool = False
    nth: Annotated[
        tuple[Annotated[int, Meta(ge=-23, le=23)], ...], Meta(description="1 is the first, -1 the last.")
    ] = ()
    holidays: Name | UnsetType = UNSET


class CalendarFile(_File, frozen=True, kw_only=True):
    """Named days, for `exclusions` and `include` of pipelines; calendars may be made of calendars."""

    name: Name
    days: tuple[Weekday, ...] = ()
    dates: tuple[Day, ...] = ()
    business_days: BusinessDaysEntry | UnsetType = UNSET
    union: Annotated[tuple[Name, ...], Meta(description="Calendars whose days belong to this one, too.")] = ()
    without: Annotated[
        tuple[Name, ...], Meta(description="Calendars whose days do not belong to this one, whatever else is said.")
    ] = field(default=(), name="except")
