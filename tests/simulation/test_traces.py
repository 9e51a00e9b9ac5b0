"""The stories of three fleets, byte for byte. A difference is a change of policy: read it, then `make golden`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from interlock.testing.fleet.trace import GOLDEN, golden

TRACES = Path(__file__).parent.parent / "data" / "traces"


@pytest.mark.parametrize("seed", GOLDEN)
def test_the_story_of_a_seed_is_as_it_was(seed: int) -> None:
    """LAT-42."""
    assert golden(seed) == (TRACES / f"fleet-{seed}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_stories_are_the_same_in_every_process(hash_seed: str) -> None:
    """LAT-42."""
    told = subprocess.run(
        [sys.executable, "-m", "interlock.testing.fleet.trace", *map(str, GOLDEN)],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        check=True,
        timeout=50,
    )
    kept = "".join((TRACES / f"fleet-{seed}.txt").read_text(encoding="utf-8") for seed in GOLDEN)
    assert told.stdout.decode() == kept
