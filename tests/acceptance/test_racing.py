"""Many processes, one store, clocks half a minute apart: every slot is started once."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.racing.__main__ import race
from tests.acceptance.providers import PROVIDERS, store_lines

pytestmark = [pytest.mark.slow, pytest.mark.service, pytest.mark.timeout(240)]

SLOTS = {"sqlite": 60, "redis": 60, "postgres": 60, "dynamodb": 8}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_of_many_processes_that_want_a_slot_started_one_starts_it(
    provider: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """T-01, T-50, BUG-05, BUG-130."""
    (tmp_path / "interlock.yaml").write_text(store_lines(provider, request))
    outcome = race(tmp_path, slots=SLOTS[provider], racers=6 if provider == "dynamodb" else 16)
    assert outcome.faults(SLOTS[provider]) == []
