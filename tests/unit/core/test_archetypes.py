from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.codec.documents import document, mapping
from interlock.core.archetypes import Archetype, TraitDefinition, TraitOverride, resolve
from interlock.core.ids import TraitName
from interlock.core.traits import DEFAULT_TIMEOUT

FRESH, UPSTREAM, DISK = TraitName("fresh"), TraitName("upstream"), TraitName("disk")
BATCH = Archetype(
    name="batch",
    required=(
        TraitDefinition(
            type=FRESH,
            description="recent enough",
            default_config=document({"maxLagSeconds": 300, "nested": {"a": 1, "b": 2}}),
            default_ttl=timedelta(minutes=5),
            default_timeout=timedelta(seconds=15),
        ),
        TraitDefinition(type=UPSTREAM),
    ),
    optional=(TraitDefinition(type=DISK, default_ttl=timedelta(minutes=1)),),
)


def _override(trait: TraitName, **rest: object) -> TraitOverride:
    return TraitOverride(trait=trait, evaluator=(f"./check-{trait}",), **rest)  # type: ignore[arg-type]  # test data


PLAIN = (_override(UPSTREAM), _override(FRESH))


def test_required_traits_come_in_the_archetypes_order_with_its_defaults() -> None:
    fresh, upstream = resolve(BATCH, PLAIN)
    assert (fresh.name, fresh.description, fresh.required) == (FRESH, "recent enough", True)
    assert (fresh.ttl, fresh.timeout) == (timedelta(minutes=5), timedelta(seconds=15))
    assert mapping(fresh.config)["maxLagSeconds"] == 300
    assert (upstream.name, upstream.ttl, upstream.timeout) == (UPSTREAM, timedelta(), DEFAULT_TIMEOUT)


def test_an_optional_trait_is_there_only_when_the_pipeline_mentions_it() -> None:
    disk = resolve(BATCH, (*PLAIN, _override(DISK)))[2]
    assert (disk.name, disk.required, disk.ttl) == (DISK, False, timedelta(minutes=1))
    assert len(resolve(BATCH, PLAIN)) == 2


def test_the_pipelines_words_go_before_the_archetypes() -> None:
    (fresh, _) = resolve(
        BATCH,
        (
            _override(
                FRESH, config=document({"maxLagSeconds": 60}), ttl=timedelta(hours=1), timeout=timedelta(seconds=1)
            ),
            PLAIN[0],
        ),
    )
    assert fresh.evaluator == ("./check-fresh",)
    assert (fresh.ttl, fresh.timeout) == (timedelta(hours=1), timedelta(seconds=1))
    assert mapping(fresh.config)["maxLagSeconds"] == 60


def test_configuration_is_overlaid_key_by_key_at_the_top_level_only() -> None:
    over = _override(FRESH, config=document({"nested": {"c": 3}, "maxLagSeconds": None}))
    fresh, _ = resolve(BATCH, (over, PLAIN[0]))
    assert mapping(fresh.config) == {"maxLagSeconds": None, "nested": {"c": 3}}


def test_resolving_changes_nothing_that_others_share() -> None:
    """BUG-118, T-115."""
    resolve(BATCH, (_override(FRESH, config=document({"maxLagSeconds": 1})), PLAIN[0]))
    assert mapping(BATCH.required[0].default_config)["maxLagSeconds"] == 300


def test_an_explicit_zero_ttl_replaces_the_archetypes() -> None:
    fresh, _ = resolve(BATCH, (_override(FRESH, ttl=timedelta()), PLAIN[0]))
    assert fresh.ttl == timedelta()


def test_the_projects_timeout_holds_where_nobody_else_said() -> None:
    fresh, upstream = resolve(BATCH, PLAIN, default_timeout=timedelta(seconds=7))
    assert (fresh.timeout, upstream.timeout) == (timedelta(seconds=15), timedelta(seconds=7))


def test_a_trait_that_the_archetype_does_not_know_is_an_error() -> None:
    """T-24."""
    with pytest.raises(ValueError, match=r"archetype batch defines no trait frehs, zzz"):
        resolve(BATCH, (*PLAIN, _override(TraitName("zzz")), _override(TraitName("frehs"))))


@pytest.mark.parametrize(
    "overrides",
    [(PLAIN[0],), (PLAIN[0], TraitOverride(trait=FRESH)), (PLAIN[0], TraitOverride(trait=FRESH, evaluator=()))],
)
def test_a_trait_without_an_evaluator_is_an_error_and_not_a_no(overrides: tuple[TraitOverride, ...]) -> None:
    """BUG-11, T-103."""
    with pytest.raises(ValueError, match="trait fresh has no evaluator"):
        resolve(BATCH, overrides)


def test_a_mentioned_optional_trait_without_an_evaluator_is_an_error() -> None:
    """T-103."""
    with pytest.raises(ValueError, match="trait disk has no evaluator"):
        resolve(BATCH, (*PLAIN, TraitOverride(trait=DISK)))
