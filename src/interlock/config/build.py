"""Pipeline files to resolved specs: the one place where "not said" becomes a default (rule: parse at the edge, once)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from msgspec import UNSET, UnsetType

from interlock.codec.documents import document
from interlock.config import values
from interlock.config.build_shelf import ShelvedArchetype, days_of
from interlock.config.build_trigger import build_trigger
from interlock.config.checks import BUILTIN, Checks
from interlock.config.project import Calendar, ProjectSettings
from interlock.config.schema import PipelineFile, RetryEntry, ScheduleEntry, SlaEntry, TraitEntry, WatchEntry
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.values import Range, Refused, meant
from interlock.core.archetypes import Archetype, TraitOverride, resolve
from interlock.core.documents import EMPTY
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, ScheduleName, TraitName
from interlock.core.pipelines import (
    Deadline,
    ExclusionSpec,
    PipelineSpec,
    ScheduleSpec,
    SlaSpec,
    WatchSpec,
)
from interlock.core.retries import RetrySpec
from interlock.core.traits import TraitSpec

_DEFAULT_RETRY: Final = RetrySpec()
_NO_EXCLUSIONS: Final = ExclusionSpec()
_NOT_SAID_SLA: Final = SlaEntry()


class World(NamedTuple):
    """What pipelines refer to. The `broken_…` names are known to exist in files that have problems of their own."""

    settings: ProjectSettings
    checks: Checks
    archetypes: Mapping[str, ShelvedArchetype]
    calendars: Mapping[str, Calendar]
    broken_archetypes: frozenset[str] = frozenset()
    broken_calendars: frozenset[str] = frozenset()


def build_pipeline(file: PipelineFile, source: Source, world: World) -> PipelineSpec | None:
    """Resolve one pipeline; None when its file has problems, or its archetype's or calendar's has."""
    if file.name or not source.problems:
        try:
            values.name(file.name)
        except Refused as exc:
            source.refuse(("name",), exc)
    settings = world.settings
    sla_zone = settings.timezone
    if file.sla.timezone is not UNSET:
        try:
            sla_zone = values.timezone(file.sla.timezone)
        except Refused as exc:
            source.refuse(("sla", "timezone"), exc, "timezone")
    shelved = _archetype(file, source, world)
    traits = _traits(file, source, world, shelved)
    trigger = build_trigger(file.trigger, source, world.checks)
    retry = _retry(file.retry, source)
    schedules = _schedules(file, source, sla_zone)
    exclusions = _exclusions(file, source, world)
    sla = _sla(file.sla, source, sla_zone)
    watch = _watch(file.watch, source, settings)
    _span(file.cascade.delay_between, values.LEAD, ("cascade", "delayBetween"), source)
    if source.problems or shelved is None or exclusions is None:
        return None
    return PipelineSpec(
        name=PipelineName(file.name),
        archetype=file.archetype,
        traits=traits,
        rule=shelved.archetype.rule,
        tier=file.tier,
        trigger=trigger,
        retry=retry,
        schedules=schedules,
        exclusions=exclusions,
        sla=sla,
        watch=watch,
    )


def _span(value: int | str | UnsetType, allowed: Range, path: Steps, source: Source) -> timedelta | None:
    """Read a duration that may be left out; None also when it is refused, which is noted."""
    if value is UNSET:
        return None
    try:
        return values.duration(value, allowed)
    except Refused as exc:
        source.refuse(path, exc, str(path[-1]))
        return None


# ---------------------------------------------------------------- traits


def _archetype(file: PipelineFile, source: Source, world: World) -> ShelvedArchetype | None:
    shelved = world.archetypes.get(file.archetype)
    if shelved is None and file.archetype not in world.broken_archetypes and (file.archetype or not source.problems):
        names = (*world.archetypes, *world.broken_archetypes)
        hint = meant(file.archetype, names) or "look into archetypeDirs"
        if not names:
            hint = "there are no archetypes at all: put one into ./archetypes"
        source.fail(("archetype",), f"no archetype is named {file.archetype!r}", hint, "unknown-name")
    return shelved


def _traits(
    file: PipelineFile, source: Source, world: World, shelved: ShelvedArchetype | None
) -> tuple[TraitSpec, ...]:
    overrides = tuple(
        [_override(trait, entry, source, world, shelved) for trait, entry in file.traits.items()]  # a list is faster
    )
    if shelved is None:
        return ()
    archetype = shelved.archetype
    if not file.traits.keys() <= shelved.names:
        for trait in file.traits:
            if trait not in shelved.names:
                message = f"the archetype {archetype.name!r} defines no trait {trait!r}"
                source.fail(("traits", trait), message, meant(trait, shelved.names), "unknown-name", on_key=True)
    _check_evaluators_given(file, source, archetype)
    if source.problems:
        return ()
    try:
        return resolve(archetype, overrides, default_timeout=world.settings.default_timeout)
    except ValueError as exc:
        source.fail(("traits",), str(exc))
        return ()


def _override(
    trait: str, entry: TraitEntry, source: Source, world: World, shelved: ShelvedArchetype | None
) -> TraitOverride:
    evaluator = None
    if entry.evaluator is not UNSET:
        evaluator = (entry.evaluator,) if isinstance(entry.evaluator, str) else entry.evaluator
        try:
            world.checks.evaluator(evaluator)
        except Refused as exc:
            source.refuse(("traits", trait, "evaluator"), exc)
        else:
            if evaluator[0].startswith(BUILTIN):
                _check_builtin(trait, evaluator[0], entry, source, world, shelved)
    config = EMPTY
    if entry.config:
        try:
            config = document(entry.config)
        except ValueError as exc:
            source.fail(("traits", trait, "config"), f"config of {trait}: {exc}")
    ttl = timeout = None
    if entry.ttl is not UNSET:
        ttl = _span(entry.ttl, values.TTL, ("traits", trait, "ttl"), source)
    if entry.timeout is not UNSET:
        timeout = _span(entry.timeout, values.TIMEOUT, ("traits", trait, "timeout"), source)
    return TraitOverride(trait=TraitName(trait), evaluator=evaluator, config=config, ttl=ttl, timeout=timeout)


def _check_builtin(
    trait: str, evaluator: str, entry: TraitEntry, source: Source, world: World, shelved: ShelvedArchetype | None
) -> None:
    """Check the configuration that a builtin will see: the archetype's with the pipeline's laid over it."""
    if shelved is None:
        return
    defaults = shelved.defaults.get(trait, {})
    merged = {**defaults, **entry.config}
    wrong = world.checks.config("evaluator", evaluator.removeprefix(BUILTIN), merged)
    for one in (*wrong, *world.checks.placeholders(merged)):
        path: Steps = ("traits", trait, "config", *one.path)
        message = f"{evaluator}: {one.message}"
        if one.path and one.path[0] not in entry.config and one.path[0] in defaults:
            path = ("traits", trait, "evaluator")
            message += f" (from defaultConfig of the archetype {shelved.archetype.name!r})"
        source.fail(path, message, one.hint, one.rule, on_key=one.on_key)


def _check_evaluators_given(file: PipelineFile, source: Source, archetype: Archetype) -> None:
    for definition in archetype.required:
        entry = file.traits.get(definition.type)
        if entry is None or entry.evaluator is UNSET:
            _no_evaluator(definition.type, "required", source, given=entry is not None)
    for definition in archetype.optional:
        entry = file.traits.get(definition.type)
        if entry is not None and entry.evaluator is UNSET:
            _no_evaluator(definition.type, "optional", source, given=True)


def _no_evaluator(trait: str, kind: str, source: Source, *, given: bool) -> None:
    if source.problems and source.said("traits", trait, "evaluator"):
        return
    path: Steps = ("traits", trait) if given else ("traits",)
    hint = f"add it under traits: {trait}: {{evaluator: ./evaluators/{trait}}}"
    source.fail(path, f"the {kind} trait {trait!r} has no evaluator", hint, "evaluator", on_key=True)


# ---------------------------------------------------------------- the rest


def _retry(entry: RetryEntry, source: Source) -> RetrySpec:
    if entry == _NOT_SAID_RETRY:
        return _DEFAULT_RETRY
    backoff = _span(entry.backoff_seconds, values.BACKOFF, ("retry", "backoffSeconds"), source)
    retryable = _DEFAULT_RETRY.retryable
    if entry.retryable_failures is not UNSET:
        found = set()
        for index, text in enumerate(entry.retryable_failures):
            try:
                found.add(values.failure(text))
            except Refused as exc:
                source.refuse(("retry", "retryableFailures", index), exc)
        retryable = tuple(sorted(found))
    return RetrySpec(
        max_attempts=_DEFAULT_RETRY.max_attempts if entry.max_attempts is UNSET else entry.max_attempts,
        backoff=_DEFAULT_RETRY.backoff if backoff is None else backoff,
        multiplier=_DEFAULT_RETRY.multiplier if entry.backoff_multiplier is UNSET else entry.backoff_multiplier,
        retryable=retryable,
    )


_NOT_SAID_RETRY: Final = RetryEntry()


def _schedules(file: PipelineFile, source: Source, zone: str) -> tuple[ScheduleSpec, ...]:
    if not file.schedules:
        return _daily(zone)
    specs = tuple([_schedule(entry, ("schedules", i), source, zone) for i, entry in enumerate(file.schedules)])
    if len({spec.name for spec in specs}) < len(specs):
        seen: set[str] = set()
        for index, spec in enumerate(specs):
            if spec.name in seen and spec.name:
                message = f"two schedules are named {spec.name!r}"
                source.fail(("schedules", index, "name"), message, "rename one", "duplicate-name")
            seen.add(spec.name)
    return specs


@lru_cache(maxsize=256)
def _daily(zone: str) -> tuple[ScheduleSpec, ...]:
    return (ScheduleSpec(name=DEFAULT_SCHEDULE, timezone=zone),)


def _schedule(entry: ScheduleEntry, path: Steps, source: Source, zone: str) -> ScheduleSpec:
    try:
        return _schedule_spec(entry, zone)
    except Refused:
        pass
    # Something is wrong with it: ask again one by one, so that everything wrong is said.
    checks: tuple[tuple[str, Any, Any], ...] = (
        ("name", entry.name, values.name),
        ("after", entry.after, values.wall),
        ("deadline", entry.deadline, values.wall),
        ("timezone", entry.timezone, values.timezone),
    )
    for key, value, parse in checks:
        if value is UNSET or (key == "name" and value == "" and source.problems):
            continue
        try:
            parse(value)
        except Refused as exc:
            source.refuse((*path, key), exc, "" if key == "name" else key)
    return ScheduleSpec(name=ScheduleName(entry.name), timezone=zone)


@lru_cache(maxsize=4096)
def _schedule_spec(entry: ScheduleEntry, zone: str) -> ScheduleSpec:
    return ScheduleSpec(
        name=ScheduleName(values.name(entry.name)),
        after=None if entry.after is UNSET else values.wall(entry.after),
        deadline=None if entry.deadline is UNSET else values.wall(entry.deadline),
        timezone=zone if entry.timezone is UNSET else values.timezone(entry.timezone),
    )


def _exclusions(file: PipelineFile, source: Source, world: World) -> ExclusionSpec | None:
    """Merge the pipeline's own days with its calendar's; None when that calendar is broken, fail closed."""
    entry = file.exclusions
    name = entry.calendar
    if not entry.days and not entry.dates and name is UNSET:
        return _NO_EXCLUSIONS
    weekdays, dates = days_of(entry.days, entry.dates, ("exclusions",), source)
    if name is UNSET:
        return ExclusionSpec(weekdays=weekdays, dates=dates)
    calendar = world.calendars.get(name)
    if calendar is None:
        if name not in world.broken_calendars:
            hint = meant(name, (*world.calendars, *world.broken_calendars)) or "look into calendarDirs"
            source.fail(("exclusions", "calendar"), f"no calendar is named {name!r}", hint, "unknown-name")
        return None
    return ExclusionSpec(
        weekdays=tuple(sorted({*weekdays, *calendar.weekdays})),
        dates=tuple(sorted({*dates, *calendar.dates})),
        calendar=name,
    )


def _sla(entry: SlaEntry, source: Source, zone: str) -> SlaSpec:
    if entry == _NOT_SAID_SLA:
        return _sla_of(None, None, None, zone)
    _span(entry.at_risk_lead_time, values.LEAD, ("sla", "atRiskLeadTime"), source)
    _span(entry.expected_duration, values.DEADLINE, ("sla", "expectedDuration"), source)
    return _sla_of(
        _deadline(entry.evaluation_deadline, "evaluationDeadline", source),
        _deadline(entry.completion_deadline, "completionDeadline", source),
        _deadline(entry.validation_timeout, "validationTimeout", source),
        zone,
    )


@lru_cache(maxsize=4096)
def _sla_of(
    evaluation: Deadline | None, completion: Deadline | None, validation: Deadline | None, zone: str
) -> SlaSpec:
    return SlaSpec(evaluation=evaluation, completion=completion, validation_timeout=validation, timezone=zone)


def _deadline(text: str | UnsetType, key: str, source: Source) -> Deadline | None:
    if text is UNSET:
        return None
    try:
        return values.deadline(text)
    except Refused as exc:
        source.refuse(("sla", key), exc, key)
        return None


def _watch(entry: WatchEntry, source: Source, settings: ProjectSettings) -> WatchSpec:
    interval = _span(entry.interval, values.INTERVAL, ("watch", "interval"), source)
    monitoring = None
    if entry.monitoring is not UNSET:
        monitoring = _span(entry.monitoring.duration, values.MONITORING, ("watch", "monitoring", "duration"), source)
        given = entry.monitoring.duration is not UNSET
        if entry.monitoring.enabled is True and not given:
            source.fail(
                ("watch", "monitoring"), "monitoring has no duration", "add duration: 2h", "missing-key", on_key=True
            )
        if entry.monitoring.enabled is False:
            monitoring = None
    return _watch_of(settings.watcher_interval if interval is None else interval, entry.enabled, monitoring)


@lru_cache(maxsize=1024)
def _watch_of(interval: timedelta, enabled: bool, monitoring: timedelta | None) -> WatchSpec:  # noqa: FBT001
    return WatchSpec(interval=interval, enabled=enabled, monitoring=monitoring)
