"""Archetype files to what pipelines refer to, and days of calendars and pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from interlock import reading
from interlock.codec.documents import document, mapping
from interlock.config import values
from interlock.config.schema import ArchetypeFile, RuleEntry, TraitDefinitionEntry
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.values import Refused, meant
from interlock.core.archetypes import Archetype, TraitDefinition
from interlock.core.documents import EMPTY
from interlock.core.ids import TraitName
from interlock.core.readiness import ALL_REQUIRED, ReadinessRule, RuleType

MAX_TRAITS: Final = 60


class ShelvedArchetype(NamedTuple):
    """An archetype, with its defaults as they were written: a builtin's configuration is checked merged."""

    archetype: Archetype
    names: frozenset[str]
    defaults: dict[str, dict[str, Any]]


def build_archetype(file: ArchetypeFile, source: Source) -> ShelvedArchetype | None:
    """Resolve an archetype; None when its file has problems, which are then noted."""
    _check_name(file.name, ("name",), source)
    if not file.required_traits and not source.problems:
        source.fail(("requiredTraits",), "requiredTraits is empty, expected at least one trait")
    if len(file.required_traits) + len(file.optional_traits) > MAX_TRAITS:
        source.fail(("requiredTraits",), f"more than {MAX_TRAITS} traits", "split the archetype", "range")
    _check_twice(file, source)
    required = tuple(
        _definition(entry, ("requiredTraits", index), source) for index, entry in enumerate(file.required_traits)
    )
    optional = tuple(
        _definition(entry, ("optionalTraits", index), source) for index, entry in enumerate(file.optional_traits)
    )
    rule = _rule(file, source)
    if source.problems:
        return None
    archetype = Archetype(name=file.name, required=required, optional=optional, rule=rule)
    entries = (*file.required_traits, *file.optional_traits)
    return ShelvedArchetype(
        archetype, frozenset(archetype.trait_names), {entry.type: entry.default_config for entry in entries}
    )


def shelved_of(archetype: Archetype) -> ShelvedArchetype:
    """Put a resolved archetype back on the shelf, to build pipelines that come after the files."""
    entries = (*archetype.required, *archetype.optional)
    defaults = {str(one.type): mapping(one.default_config) for one in entries}
    return ShelvedArchetype(archetype, frozenset(archetype.trait_names), defaults)


def _traits(file: ArchetypeFile) -> Iterator[tuple[Steps, TraitDefinitionEntry]]:
    for index, entry in enumerate(file.required_traits):
        yield ("requiredTraits", index), entry
    for index, entry in enumerate(file.optional_traits):
        yield ("optionalTraits", index), entry


def _check_twice(file: ArchetypeFile, source: Source) -> None:
    seen: set[str] = set()
    for path, entry in _traits(file):
        if entry.type in seen:
            source.fail((*path, "type"), f"the trait {entry.type!r} is defined twice", "remove one", "duplicate-name")
        seen.add(entry.type)


def _definition(entry: TraitDefinitionEntry, path: Steps, source: Source) -> TraitDefinition:
    _check_name(entry.type, (*path, "type"), source)
    ttl = timeout = None
    try:
        ttl = None if entry.default_ttl is UNSET else values.duration(entry.default_ttl, values.TTL)
    except Refused as exc:
        source.refuse((*path, "defaultTtl"), exc, "defaultTtl")
    try:
        timeout = None if entry.default_timeout is UNSET else values.duration(entry.default_timeout, values.TIMEOUT)
    except Refused as exc:
        source.refuse((*path, "defaultTimeout"), exc, "defaultTimeout")
    try:
        config = document(entry.default_config)
    except ValueError as exc:
        source.fail((*path, "defaultConfig"), f"defaultConfig: {exc}")
        config = EMPTY
    return TraitDefinition(
        type=TraitName(entry.type),
        description=entry.description,
        default_config=config,
        default_ttl=ttl,
        default_timeout=timeout,
    )


def _rule(file: ArchetypeFile, source: Source) -> ReadinessRule:
    entry = file.readiness_rule
    entry = RuleEntry(type=entry) if isinstance(entry, str) else entry
    place: Steps = ("readinessRule",) if isinstance(file.readiness_rule, str) else ("readinessRule", "type")
    kinds = [kind.value for kind in RuleType]
    if entry.type not in kinds:
        if entry.type or not source.problems:
            source.fail(place, f"no readiness rule is named {entry.type!r}", meant(entry.type, kinds), "unknown-name")
        return ALL_REQUIRED
    threshold = None if entry.parameters.threshold is UNSET else entry.parameters.threshold
    rule = ReadinessRule(type=RuleType(entry.type), threshold=threshold)
    try:
        rule.needed(len(file.required_traits))
    except ValueError as exc:
        where: Steps = ("readinessRule",) if threshold is None else ("readinessRule", "parameters", "threshold")
        source.fail(where, str(exc), "", "range")
    return rule


def days_of(
    days: tuple[str, ...], dates: tuple[str, ...], path: Steps, source: Source
) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Read days of the week and dates, sorted and each once."""
    found_days, found_dates = set(), set()
    for index, text in enumerate(days):
        try:
            found_days.add(values.weekday(text))
        except Refused as exc:
            source.refuse((*path, "days", index), exc)
    for index, text in enumerate(dates):
        try:
            found_dates.add(values.day(text))
        except Refused as exc:
            source.refuse((*path, "dates", index), exc)
    return tuple(sorted(found_days)), tuple(sorted(found_dates))


def _check_name(text: str, path: Steps, source: Source) -> None:
    if text == "" and source.problems:
        return  # it is missing, and that has been said
    try:
        values.name(text)
    except Refused as exc:
        source.refuse(path, exc)


def shaped(source: Source, data: Any, kind: type[Any]) -> Any:
    """Turn plain values into a file struct; None when not even a part of it can be used. Problems are noted."""
    from interlock.config.shape import violations

    left, found = violations(data, kind)
    for one in found:
        source.fail(one.path, one.message, one.hint, one.rule, on_key=one.on_key)
    if left is None:
        return None
    try:
        return reading.value(left, kind)
    except msgspec.ValidationError as exc:
        if not found:
            source.fail((), str(exc))
        return None
