"""Between those who write timelines and those who listen: a bounded memory of what happened lately, read by everybody.

Whoever writes hands over and goes on. Whoever listens has a place in the memory; one that falls too far behind is told so
and has to begin anew. So the slowest listener costs no more than the fastest.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Collection, Sequence
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakSet

import msgspec

from interlock.api.wire import encode_answer
from interlock.app.views import event_view
from interlock.errors import Busy, ServerUnavailable
from interlock.ports.stores import TimelineRecord
from interlock.runtime.bell import Bell, place_of
from interlock.runtime.leases import this_process
from interlock.runtime.parts import Part
from interlock.runtime.timelines import Following, Timelines

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

REMEMBERED: Final = 10_000
"""So many of the latest events are remembered; whoever is further behind is too slow."""

LISTENERS: Final = 100
GAP: Final = "more happened at once than is told here: read the timeline"
LINGER: Final = 60.0
"""For so many seconds after the last has left what happens is remembered, so that one who comes back misses nothing."""


class Frame(NamedTuple):
    """One event, ready to be sent."""

    number: int
    pipeline: str
    kind: str
    wire: bytes


class Wanted(NamedTuple):
    """What somebody listens to; empty is everything."""

    pipeline: str = ""
    kinds: frozenset[str] = frozenset()

    def takes(self, frame: Frame) -> bool:
        """Say whether an event is for this listener. One that tells of a gap is for all whom it may concern."""
        if self.pipeline and frame.pipeline != self.pipeline:
            return False
        return not self.kinds or not frame.kind or frame.kind in self.kinds


class Listener:
    """One who listens: its place in the memory. Used on the event loop alone."""

    def __init__(self, wanted: Wanted, place: int) -> None:
        self.wanted = wanted
        self.place = place
        self.news = asyncio.Event()


class Lagged(Exception):
    """A listener is too far behind to go on."""


class Memory:
    """What happened lately. Written by any thread, read on the event loop."""

    def __init__(self, era: str, *, size: int = REMEMBERED) -> None:
        self.era = era
        self._frames: deque[Frame] = deque(maxlen=size)
        self._lock = threading.Lock()
        self._next = 1

    @property
    def next(self) -> int:
        """The number of the next event."""
        return self._next

    def add(self, records: Sequence[TimelineRecord]) -> None:
        """Remember some lines."""
        with self._lock:
            for each in records:
                data = encode_answer(event_view(each))
                self._put(each.pipeline, each.record.kind, each.record.kind, data)

    def gap(self, pipeline: str) -> None:
        """Remember that more happened to a pipeline than is remembered."""
        with self._lock:
            self._put(pipeline, "", "reset", msgspec.json.encode({"pipelineId": pipeline, "reason": GAP}))

    def since(self, text: str) -> int | None:
        """Return the place behind the event of an id; None when it is not remembered, or was never given out."""
        era, _, number = text.partition("-")
        if era != self.era or not (number.isascii() and number.isdigit() and len(number) < 16):
            return None
        place = int(number) + 1
        with self._lock:
            return place if self._first <= place <= self._next else None

    def after(self, place: int, most: int = 100) -> list[Frame]:
        """Return the events from a place on.

        Raises:
            Lagged: the first of them is forgotten.
        """
        with self._lock:
            if place < self._first:
                raise Lagged
            start = place - self._first
            return [self._frames[index] for index in range(start, min(start + most, len(self._frames)))]

    def id_of(self, number: int) -> str:
        """Return what a listener is told as the id of an event."""
        return f"{self.era}-{number}"

    @property
    def _first(self) -> int:
        return self._next - len(self._frames)

    def _put(self, pipeline: str, kind: str, event: str, data: bytes) -> None:
        wire = f"id: {self.id_of(self._next)}\nevent: {event}\ndata: ".encode() + data + b"\n\n"
        self._frames.append(Frame(self._next, pipeline, kind, wire))
        self._next += 1


class Hub:
    """Follows the timelines while anybody listens, and for a while after."""

    def __init__(self, work: Interlock, *, linger: float = LINGER, most: int = LISTENERS) -> None:
        self._work = work
        self._linger = linger
        self._most = most
        self._eras = 0
        self.memory = self._new_memory()
        self._timelines = Timelines(work.store, work.committed, self._heard, self._missed)
        self._lock = threading.Lock()
        # Weakly: a stream that is dropped before its first byte was sent ends without a word.
        self._listeners: WeakSet[Listener] = WeakSet()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell: Bell | None = None
        self._follower: Part | None = None
        self._starting = asyncio.Lock()
        self._alone_since: float | None = None
        self._woken = False
        self.closed = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def join(self, wanted: Wanted, last_id: str) -> tuple[Listener, bool]:
        """Listen from now on, or from behind the event of an id; say whether something in between may be missing.

        Raises:
            Busy: too many listen.
            ServerUnavailable: the server is about to leave.
        """
        if self.closed:
            raise ServerUnavailable("the server is about to stop: connect again in a moment")
        listener = Listener(wanted, 0)
        with self._lock:
            if len(self._listeners) >= self._most:
                raise Busy(f"{self._most} listen to this server already: close another stream, or ask again later")
            self._listeners.add(listener)
        try:
            await self._listen(wanted)
        except BaseException:
            self.leave(listener)
            raise
        place = self.memory.since(last_id) if last_id else None
        listener.place = self.memory.next if place is None else place
        return listener, bool(last_id) and place is None

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        with self._lock:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream, and follow nothing any more. May be called from any thread, and more than once."""
        self.closed = True
        self._timelines.end()
        self._rouse()
        with self._lock:
            if self._bell is not None:
                self._bell.poke()

    # ------------------------------------------------------------------ on the event loop

    async def _listen(self, wanted: Wanted) -> None:
        async with self._starting:
            self._loop = asyncio.get_running_loop()
            with self._lock:
                first = self._follower is None
            if first:
                self.memory = self._new_memory()
                self._timelines.begin(self._work.clock.now())
            # Before anybody is told that it listens: all that is new from then on is told.
            await asyncio.to_thread(self._timelines.know, [wanted.pipeline] if wanted.pipeline else self._names())
            if first:
                self._follow()

    def _follow(self) -> None:
        from interlock.runtime.wiring import state_dir

        bell = Bell(place_of(state_dir(self._work.project)))
        following = Following(self._timelines, bell, self._is_wanted, self._scope)
        part = Part("stream", following.run, bell.close)
        with self._lock:
            self._bell, self._follower = bell, part
        part.start()

    def _wake(self) -> None:
        self._woken = False
        for listener in self._now_listening():
            listener.news.set()

    # ------------------------------------------------------------------ on any thread

    def _is_wanted(self) -> bool:
        with self._lock:
            now = monotonic()
            if len(self._listeners):
                self._alone_since = None
            elif self._alone_since is None:
                self._alone_since = now
            alone = self._alone_since is not None and now - self._alone_since >= self._linger
            if alone or self.closed:
                self._timelines.end()
                self._bell = self._follower = self._alone_since = None
                return False
            return True

    def _heard(self, records: Sequence[TimelineRecord]) -> None:
        self.memory.add(records)
        self._rouse()

    def _missed(self, pipeline: str) -> None:
        self.memory.gap(pipeline)
        self._rouse()

    def _rouse(self) -> None:
        loop = self._loop
        if loop is None or self._woken:  # somebody did already, and has not been heard yet
            return
        self._woken = True
        try:
            loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the loop is closed: nobody is left to hear
            self._woken = False

    def _now_listening(self) -> tuple[Listener, ...]:
        with self._lock:
            return tuple(self._listeners)

    def _scope(self) -> tuple[Collection[str], Collection[str] | None]:
        only = {listener.wanted.pipeline for listener in self._now_listening()}
        return self._names(), (only if only and "" not in only else None)

    def _names(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self._work.catalog.specs)

    def _new_memory(self) -> Memory:
        self._eras += 1
        seed = f"{this_process()}|{self._eras}|{self._work.clock.now().isoformat()}"
        return Memory(blake2b(seed.encode(), digest_size=6).hexdigest())
