"""Archetypes: what must be checked; and their merge with what a pipeline says about how."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.ids import TraitName
from interlock.core.readiness import ALL_REQUIRED, ReadinessRule
from interlock.core.traits import DEFAULT_TIMEOUT, DriftSpec, TraitSpec


class TraitDefinition(Struct, frozen=True, kw_only=True):
    """One trait as an archetype defines it; None means that the archetype does not say."""

    type: TraitName
    description: str = ""
    default_config: Document = EMPTY
    default_ttl: timedelta | None = None
    default_timeout: timedelta | None = None


class Archetype(Struct, frozen=True, kw_only=True):
    """A reusable template of safety traits."""

    name: str
    required: tuple[TraitDefinition, ...]
    optional: tuple[TraitDefinition, ...] = ()
    rule: ReadinessRule = ALL_REQUIRED

    @property
    def trait_names(self) -> tuple[TraitName, ...]:
        """All traits it defines, required ones first."""
        return tuple(trait.type for trait in (*self.required, *self.optional))


class TraitOverride(Struct, frozen=True, kw_only=True):
    """What a pipeline says about one trait; None means that the archetype's word stands."""

    trait: TraitName
    evaluator: tuple[str, ...] | None = None
    config: Document = EMPTY
    ttl: timedelta | None = None
    timeout: timedelta | None = None
    drift: DriftSpec | None = None


def resolve(
    archetype: Archetype,
    overrides: tuple[TraitOverride, ...],
    *,
    default_timeout: timedelta = DEFAULT_TIMEOUT,
) -> tuple[TraitSpec, ...]:
    """Merge an archetype with a pipeline's overrides.

    Required traits come first, then those optional ones that the pipeline mentions, each in the archetype's order.
    Configuration is overlaid key by key at the top level; an explicit zero ttl or null value replaces.

    Raises:
        ValueError: an override names a trait that the archetype does not define, or a trait is left without an evaluator.
    """
    by_trait = {override.trait: override for override in overrides}
    unknown = sorted(set(by_trait) - set(archetype.trait_names))
    if unknown:
        raise ValueError(f"archetype {archetype.name} defines no trait {', '.join(unknown)}")
    chosen = [(definition, True) for definition in archetype.required]
    chosen += [(definition, False) for definition in archetype.optional if definition.type in by_trait]
    return tuple(
        _merged(definition, by_trait.get(definition.type), required=required, default_timeout=default_timeout)
        for definition, required in chosen
    )


def _merged(
    definition: TraitDefinition,
    override: TraitOverride | None,
    *,
    required: bool,
    default_timeout: timedelta,
) -> TraitSpec:
    if override is None or not override.evaluator:
        raise ValueError(f"trait {definition.type} has no evaluator")
    return TraitSpec(
        name=definition.type,
        evaluator=override.evaluator,
        required=required,
        description=definition.description,
        config=definition.default_config.overlaid(override.config),
        ttl=_first(override.ttl, definition.default_ttl, timedelta()),
        timeout=_first(override.timeout, definition.default_timeout, default_timeout),
        drift=override.drift,
    )


def _first(*choices: timedelta | None) -> timedelta:
    return next(choice for choice in choices if choice is not None)
