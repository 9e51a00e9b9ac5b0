"""One process of many that want every slot started: it opens each, has it judged, and starts its job if it is let.

    python -m scripts.racing.racer PROJECT SLOTS SEED STARTS

The word to start is the day of the slots. Its clock is wrong by up to 30 seconds either way. A job is a line in the file
STARTS, appended in one write.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Final

from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.app.hands import Hands
from interlock.app.perform import carry_out
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.core.events import Woke
from interlock.core.ids import RunKey, Slot
from interlock.core.runs import RunStatus
from interlock.errors import StoreUnavailable
from interlock.ports.triggers import Job
from interlock.runtime.clock import SystemClock
from interlock.runtime.stores import open_kernel
from interlock.stores.repository import Repository
from interlock.testing.builders import Files, a_hand, a_slot, a_spec, a_trait
from interlock.testing.clock import SkewedClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger

SKEW: Final = timedelta(seconds=30)
TURNS: Final = 5
PATIENCE: Final = 200.0
SPEC: Final = a_spec(a_trait("fresh", ttl=timedelta(hours=1)), clock_skew=2 * SKEW)


def main(project: str, slots: str, seed: str, starts: str) -> None:
    """Open the store, say so, wait for the word, race."""
    dice = Random(int(seed))
    kernel = open_kernel(load_project(Path(project), settings=Settings(no_cache=True)))
    hands = _hands(Repository(kernel), dice.uniform(-1, 1) * SKEW, starts)
    order = list(range(int(slots)))
    dice.shuffle(order)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    day = sys.stdin.readline().strip()
    waiting = [a_slot(day, pipeline=f"pipeline-{number:04d}") for number in order]
    end = perf_counter() + PATIENCE
    while waiting:
        if perf_counter() > end:
            raise AssertionError(f"{waiting[0]} was never started")
        waiting = [slot for slot in waiting if not _is_started(slot, hands)]
    kernel.close()


def _hands(store: Repository, error: timedelta, starts: str) -> Hands:
    trigger = FakeTrigger(remembers=False)
    line = os.open(starts, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def start(job: Job) -> None:
        os.write(line, f"{job.key}\n".encode())

    trigger.before_start = start
    clock = SkewedClock(SystemClock(), error)
    return a_hand(store, clock=clock, evaluator=FakeEvaluator(), trigger=trigger, catalog=Files(SPEC))


def _is_started(slot: Slot, hands: Hands) -> bool:
    """Press on until the slot's job is started by somebody, or somebody else is at it."""
    try:
        return any(_turn(RunKey(slot, 1), hands) for _ in range(TURNS))
    except StoreUnavailable:
        return False  # nobody knows whether it happened: look again


def _turn(key: RunKey, hands: Hands) -> bool:
    run = open_run(key.slot, SPEC, hands.store, hands.clock.now()).run
    if run.ended or run.status is RunStatus.RUNNING:
        return True
    for wish in hands.store.outstanding(key):
        carry_out(key, wish, hands)
    now = hands.clock.now()
    if run.due_at is not None and now >= run.due_at:
        advance(key, Woke(at=now), hands.store)
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
