"""Looking at a job soon after its start, and then less and less often, until its own rhythm is reached.

A job of two seconds should not count as running for thirty. A look writes nothing while the job runs, so patience costs no
line in the journal; and as each look comes later than the one before by a part of what has passed, a job costs about fifteen
of them, however long it takes. Jobs of other systems are left alone for longer, as their triggers say.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from interlock.app.advance import Advanced, advance
from interlock.app.hands import Hands, Silence, job_of
from interlock.app.perform import perform
from interlock.core.commands import CheckJob
from interlock.core.events import JobFinished, JobVanished
from interlock.core.ids import RunKey, start_key
from interlock.core.runs import RunStatus
from interlock.ports.triggers import soonest_look

FIRST: Final = timedelta(milliseconds=50)
GROWTH: Final = 1.4


class Look(Struct, frozen=True, order=True):
    """One look that is to be made."""

    at: datetime
    key: RunKey
    attempt: int
    pause: timedelta = FIRST


class Looks:
    """The looks that are to be made, the next one first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[Look] = []
        self._making = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._heap) + self._making

    def add(self, key: RunKey, attempt: int, now: datetime) -> None:
        """Look at the job of an attempt, which has just begun."""
        with self._lock:
            heapq.heappush(self._heap, Look(now + FIRST, key, attempt))

    def resume(self, key: RunKey, attempt: int, began: datetime, now: datetime) -> None:
        """Look at a job that was started a while ago: now, and from then on as if it had been looked at all the time."""
        with self._lock:
            heapq.heappush(self._heap, Look(now, key, attempt, max(FIRST, (now - began) * (1 - 1 / GROWTH))))

    def next_at(self) -> datetime | None:
        """Return when the next look is to be made."""
        with self._lock:
            return self._heap[0].at if self._heap else None

    def due(self, now: datetime) -> list[Look]:
        """Take those whose time has come; each is given back with `made`."""
        with self._lock:
            found: list[Look] = []
            while self._heap and self._heap[0].at <= now:
                found.append(heapq.heappop(self._heap))
            self._making += len(found)
            return found

    def made(self, look: Look, now: datetime, *, pause: timedelta | None) -> None:
        """Give a look back, to be made again after a pause; None: it is not wanted again."""
        with self._lock:
            self._making -= 1
            if pause is not None:
                heapq.heappush(self._heap, Look(now + pause, look.key, look.attempt, pause))


def take_a_look(look: Look, hands: Hands, told: Callable[[Advanced], None]) -> timedelta | None:
    """Make one look, and tell the run if its job has ended; return how long to wait for the next one, if it is wanted.

    One that comes sooner than the trigger wants it is not made, and put off.
    """
    run = hands.store.run(look.key)
    if run is None or run.status is not RunStatus.RUNNING or run.attempt != look.attempt or run.doubt:
        return None
    spec = hands.store.spec(run.spec_digest).trigger
    if spec is None or look.pause >= spec.poll_interval:
        return None
    job = job_of(run.key, run.attempt, start_key(run.key.run_id, run.attempt))
    trigger = hands.trigger_for(spec, job)
    if not trigger.watchable:
        return None
    if look.pause < (soonest := soonest_look(trigger)):
        return soonest
    seen = perform(look.key, CheckJob(attempt=look.attempt, look=run.looks), hands)
    if isinstance(seen, Silence):
        return None
    if isinstance(seen, JobFinished | JobVanished):
        told(advance(look.key, seen, hands.store))
        return None
    return look.pause * GROWTH
