"""The rough worlds again, on each real store: clocks that differ, lost answers, deaths between any two calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.acceptance.providers import PROVIDERS, store_lines
from tests.simulation.asking import AskingWorld

from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.runtime.stores import open_kernel
from interlock.stores.kernel import Kernel
from interlock.testing.world import SPEC, played

pytestmark = [pytest.mark.service, pytest.mark.timeout(240)]

# Clocks up to half a minute off either way: a whole minute between two of them.
APART = replace(SPEC, clock_skew=timedelta(minutes=1))
SEEDS = {"sqlite": 4, "redis": 6, "postgres": 6, "dynamodb": 2}


@pytest.fixture(
    params=[(name, seed) for name in PROVIDERS for seed in range(SEEDS[name])], ids=lambda each: f"{each[0]}-{each[1]}"
)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, Kernel]]:
    provider, seed = request.param
    (tmp_path / "interlock.yaml").write_text(store_lines(provider, request))
    kernel = open_kernel(load_project(tmp_path, settings=Settings(no_cache=True)))
    yield seed, kernel
    kernel.close()


def test_no_world_breaks_a_promise_on_any_store(world: tuple[int, Kernel]) -> None:
    """T-01, T-04, T-08, T-11, T-50, BUG-05, BUG-108, LAT-46."""
    seed, kernel = world
    played(1000 + seed, spec=APART if seed % 2 else SPEC, kernel=kernel)


def test_whoever_asks_over_the_network_is_answered_truly_on_any_store(world: tuple[int, Kernel]) -> None:
    """T-14, BUG-05."""
    seed, kernel = world
    AskingWorld(1000 + seed, kernel=kernel).play()
