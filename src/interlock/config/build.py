"""Pipeline files to resolved specs: the one place where "not said" becomes a default (rule: parse at the edge, once)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from msgspec import UNSET

from interlock.codec.documents import document
from interlock.config import values
from interlock.config.build_retry import build_retry
from interlock.config.build_schedules import build_exclusions, build_schedules
from interlock.config.build_shelf import ShelvedArchetype
from interlock.config.build_trigger import build_trigger
from interlock.config.build_watching import build_late_data, build_reruns, build_sla, build_watch
from interlock.config.checks import BUILTIN, Checks
from interlock.config.project import ProjectSettings
from interlock.config.schema import DriftEntry, PipelineFile, TraitEntry
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.spans import span_of
from interlock.config.values import Refused, meant
from interlock.core.archetypes import Archetype, TraitOverride, resolve
from interlock.core.calendars import DaySet
from interlock.core.documents import EMPTY
from interlock.core.ids import PipelineName, TraitName
from interlock.core.pipelines import Mode, PipelineSpec
from interlock.core.times import format_duration
from interlock.core.traits import DriftSpec, TraitSpec

_AT_ONCE: Final = timedelta()


class World(NamedTuple):
    """What pipelines refer to. The `broken_…` names are known to exist in files that have problems of their own."""

    settings: ProjectSettings
    checks: Checks
    archetypes: Mapping[str, ShelvedArchetype]
    calendars: Mapping[str, DaySet]
    broken_archetypes: frozenset[str] = frozenset()
    broken_calendars: frozenset[str] = frozenset()


def build_pipeline(file: PipelineFile, source: Source, world: World) -> PipelineSpec | None:
    """Resolve one pipeline; None when its file has problems, or its archetype's or calendar's has."""
    _check_name(file, source)
    settings = world.settings
    sla_zone = _sla_zone(file, source, settings.timezone)
    shelved = _archetype(file, source, world)
    traits = _all_traits(file, source, world, shelved)
    trigger = build_trigger(file.trigger, source, world.checks)
    verify = _verify(file, source, world, traits) if file.verify else ()
    retry = build_retry(file.retry, source, ("retry",))
    schedules = build_schedules(file, source, sla_zone)
    exclusions = build_exclusions(file, source, world.calendars, world.broken_calendars)
    sla = build_sla(file.sla, source, sla_zone)
    watch = build_watch(file.watch, source, settings)
    late_data = build_late_data(file.late_data, source)
    delay = span_of(file.cascade.delay_between, values.LEAD, ("cascade", "delayBetween"), source)
    stuck = span_of(file.watchdog.stuck_run_threshold, values.DEADLINE, ("watchdog", "stuckRunThreshold"), source)
    if source.problems or shelved is None or exclusions is None:
        return None
    return PipelineSpec(
        name=PipelineName(file.name),
        archetype=file.archetype,
        traits=traits,
        rule=shelved.archetype.rule,
        tier=file.tier,
        trigger=trigger,
        verify=verify,
        retry=retry,
        schedules=schedules,
        exclusions=exclusions,
        sla=sla,
        watch=watch,
        clock_skew=settings.clock_skew,
        owner=file.owner,
        mode=Mode.SHADOW if file.mode == "shadow" else settings.mode,
        reruns=build_reruns(file.reruns),
        late_data=late_data,
        cascade_delay=delay or _AT_ONCE,
        stuck_after=stuck,
    )


def _verify(file: PipelineFile, source: Source, world: World, traits: Sequence[TraitSpec]) -> tuple[TraitSpec, ...]:
    from interlock.config.build_verify import build_verify  # most pipelines have none

    if file.trigger is UNSET:
        source.fail(("verify",), "verify: there is no trigger, so no job to verify", "remove it, or add a trigger")
    taken = [*file.traits, *(trait.name for trait in traits)]
    return build_verify(file.verify, source, world.checks, taken, world.settings.default_timeout)


def _check_name(file: PipelineFile, source: Source) -> None:
    if file.name or not source.problems:
        try:
            values.name(file.name)
        except Refused as exc:
            source.refuse(("name",), exc)


def _sla_zone(file: PipelineFile, source: Source, usual: str) -> str:
    if file.sla.timezone is not UNSET:
        try:
            return values.timezone(file.sla.timezone)
        except Refused as exc:
            source.refuse(("sla", "timezone"), exc, "timezone")
    return usual


# ---------------------------------------------------------------- traits


def _all_traits(
    file: PipelineFile, source: Source, world: World, shelved: ShelvedArchetype | None
) -> tuple[TraitSpec, ...]:
    traits = _traits(file, source, world, shelved)
    if file.rules:
        from interlock.config.build_rules import build_rules  # most pipelines have none

        traits += build_rules(file.rules, source, world.checks, shelved, world.settings.default_timeout)
    _check_lives(traits, world.settings.clock_skew, source)
    return traits


def _check_lives(traits: Sequence[TraitSpec], skew: timedelta, source: Source) -> None:
    """Refuse a trait that another machine's clock may call stale as soon as it has passed: nothing could ever start."""
    for trait in traits:
        if timedelta() < trait.ttl <= skew:
            message = f"{trait.name}: its ttl of {format_duration(trait.ttl)} is not longer than engine.clockSkew"
            hint = f"make it longer than {format_duration(skew)}, or let clocks differ by less"
            source.fail(("traits", trait.name), message, hint, on_key=True)


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
        ttl = span_of(entry.ttl, values.TTL, ("traits", trait, "ttl"), source)
    if entry.timeout is not UNSET:
        timeout = span_of(entry.timeout, values.TIMEOUT, ("traits", trait, "timeout"), source)
    drift = None if entry.drift is UNSET else _drift(trait, entry.drift, source)
    return TraitOverride(
        trait=TraitName(trait), evaluator=evaluator, config=config, ttl=ttl, timeout=timeout, drift=drift
    )


def _drift(trait: str, entry: DriftEntry, source: Source) -> DriftSpec:
    if not entry.field and source.said("traits", trait, "drift", "field"):
        message = f"drift of {trait}: field is empty, expected a key of the trait's value"
        source.fail(("traits", trait, "drift", "field"), message)
    return DriftSpec(field=entry.field, threshold=entry.threshold, relative=entry.relative)


def _check_builtin(
    trait: str, evaluator: str, entry: TraitEntry, source: Source, world: World, shelved: ShelvedArchetype | None
) -> None:
    """Check the configuration that a builtin will see: the archetype's with the pipeline's laid over it."""
    if shelved is None:
        return
    defaults = shelved.defaults.get(trait, {})
    merged = {**defaults, **entry.config}
    wrong = world.checks.config("evaluator", evaluator.removeprefix(BUILTIN), merged)
    for one in (*wrong, *world.checks.placeholders(merged, of_evaluator=True)):
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
