"""Whoever asks over HTTP, however often, in whatever order, whatever of it is lost: the promises hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.simulation.asking import asked

from interlock.app import gate_views
from interlock.core.runs import Run
from interlock.operations import gating, starting
from interlock.stores.askers import AskerRows

SEEDS = 70
BLOCKS = 2


@pytest.mark.parametrize("block", range(BLOCKS))
def test_nothing_that_is_asked_breaks_a_promise(block: int) -> None:
    """G1, G2, G3, G5, T-14: permits, starts and leaves, completions that were taken, and runs that end."""
    for seed in range(block, SEEDS, BLOCKS):
        asked(seed)


def test_the_stories_are_rough_enough_to_prove_something() -> None:
    worlds = [asked(seed) for seed in range(25)]
    answers = Counter(type(answer).__name__ for world in worlds for answer in world.answers)
    for kind in ("RunView", "RerunView", "ReplayView", "GateView", "CompletedView", "PingView", "Conflict", "NotReady"):
        assert answers[kind] > 5, answers
    assert any(len(server.store.runs_of("orders", limit=99)) > 4 for world in worlds for server in world.servers)


def _everybody_is_first(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AskerRows, "is_first", lambda *_: True)


def _nobody_minds_whose_job_it_is(patch: pytest.MonkeyPatch) -> None:
    plain = starting._require_own

    def careless(work: Any, found: Any, run: Run, who: str) -> None:
        plain(work, found._replace(digest=run.spec_digest), run, who)

    patch.setattr(starting, "_require_own", careless)


def _leave_is_given_to_whoever_asks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gating._Gate, "_has", lambda self, run: run.status == "RUNNING" and bool(run.job_id))


def _leave_is_good_for_ever(patch: pytest.MonkeyPatch) -> None:
    plain = gating._Gate._leave

    def generous(self: Any, run: Run) -> gate_views.GateView:
        return replace(plain(self, run), valid_seconds=timedelta(days=1).total_seconds())

    patch.setattr(gating._Gate, "_leave", generous)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (_everybody_is_first, "T-14"),
        (_nobody_minds_whose_job_it_is, "T-14"),
        (_leave_is_given_to_whoever_asks, "G2|T-14"),
        (_leave_is_good_for_ever, "G1"),
    ],
)
def test_a_fault_in_what_is_answered_is_caught(
    fault: Callable[[pytest.MonkeyPatch], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=rf"world \d+: \w+: ({words})"):
        _ask_all()


def _ask_all() -> None:
    for seed in range(400):
        asked(seed)
