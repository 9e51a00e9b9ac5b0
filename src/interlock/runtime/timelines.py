"""What is added to the timelines of a store, by this process and by all others, as it comes: each line once.

What this process commits is told at once. For what others write the timelines are looked at: when the bell rings, otherwise
every second or two. A line's place in a timeline goes by the clock of whoever wrote it, so that one may appear in front of
others that were told already; therefore the latest lines are compared, and not only the last one.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, Protocol, TypeAlias

from interlock.core.ids import RunKey
from interlock.errors import InterlockError, UnreadableRecord
from interlock.ports.stores import TimelineRecord
from interlock.runtime.bell import Bell
from interlock.runtime.committed import Committed
from interlock.stores.keys import moment

EVERY: Final = timedelta(seconds=1)
LATEST: Final = 16
"""So many of the latest lines are compared."""

MOST: Final = 2_000
"""More new lines than these in one timeline at once are a gap."""

WARM: Final = timedelta(minutes=1)
"""For so long a pipeline that something happened to is looked at more closely."""

_REMEMBERED: Final = 400
_ACTIVE: Final = 1_000
_LOG: Final = logging.getLogger(__name__)

Line: TypeAlias = tuple[str, ...]


class Readable(Protocol):
    """What of a store is read here."""

    def timeline(self, pipeline: str, *, limit: int, before: str | None = None) -> tuple[TimelineRecord, ...]:
        """Return the latest lines, oldest of them first."""
        ...

    def active_runs(self, *, limit: int, after: str | None = None) -> tuple[RunKey, ...]:
        """Return runs that have not ended."""
        ...


class Tail:
    """The end of one timeline: which of its lines were told.

    What is not beyond the horizon is old. Up to `looked` others were looked for, too: what this process wrote since then
    was told, and may stand among lines of others that were not.
    """

    def __init__(self, horizon: Line, looked: Line) -> None:
        self._horizon = horizon
        self.looked = looked
        self._told: set[str] = set()
        self.warm_until = 0.0

    def fresh(self, records: Iterable[TimelineRecord]) -> tuple[TimelineRecord, ...]:
        """Return those of some records that are new, and count them as told."""
        found = tuple(
            each for each in records if each.cursor not in self._told and line_of(each.cursor) > self._horizon
        )
        self._told.update(each.cursor for each in found)
        if len(self._told) > 2 * _REMEMBERED:
            self._forget()
        return found

    def _forget(self) -> None:
        in_order = sorted(map(line_of, self._told))
        # Never beyond what was looked at: others may have written there.
        self._horizon = max(self._horizon, min(in_order[-_REMEMBERED], self.looked))
        self._told = {cursor for cursor in self._told if line_of(cursor) > self._horizon}


def line_of(cursor: str) -> Line:
    """Return the place of a stored line in its timeline, without the place within the line."""
    return tuple(cursor.rpartition("|")[0].split("|", 2))


class Timelines:
    """Tells `heard` what is new, in the order in which it is found, and `gap` a pipeline of which too much is.

    Both are called with a lock held, by whichever thread found it: be quick, hand over.
    """

    def __init__(
        self,
        store: Readable,
        committed: Committed,
        heard: Callable[[Sequence[TimelineRecord]], None],
        gap: Callable[[str], None],
        *,
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._heard = heard
        self._gap = gap
        self._seconds = seconds
        self._lock = threading.Lock()
        self._tails: dict[str, Tail] = {}
        self._began: Line = ()
        self._unreadable: set[str] = set()
        self._committed = committed
        self._stop: Callable[[], None] | None = None

    def begin(self, now: datetime) -> None:
        """Listen from now on. What is new in a timeline nobody asked for yet, and that nobody knew, is new from here."""
        with self._lock:
            self._tails, self._began = {}, (moment(now),)
        self._stop = self._committed.listen(self._offer)

    def end(self) -> None:
        """Listen no more."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def know(self, pipelines: Collection[str]) -> None:
        """Take what stands in these timelines now for known, where nothing is known of them yet."""
        for name in pipelines:
            with self._lock:
                known = name in self._tails
            if known:
                continue
            with contextlib.suppress(InterlockError):
                records = self._store.timeline(name, limit=LATEST)
                with self._lock:
                    self._tails.setdefault(name, _known(records))

    def look(self, pipelines: Collection[str], only: Collection[str] | None) -> None:
        """Look for what others wrote: into these timelines, and those of active runs; with `only` into no others.

        Raises:
            InterlockError: the store cannot be read.
        """
        active = {str(key.slot.pipeline) for key in self._store.active_runs(limit=_ACTIVE)}
        wanted = {*pipelines, *active} if only is None else set(only)
        for name in sorted(wanted):
            try:
                self._look_at(name, close=name in active)
            except UnreadableRecord as exc:
                if name not in self._unreadable:
                    self._unreadable.add(name)
                    _LOG.warning("the timeline of %s is not followed beyond this process: %s", name, exc)

    # ------------------------------------------------------------------ one timeline

    def _look_at(self, name: str, *, close: bool) -> None:
        tail = self._tail(name)
        limit = LATEST if close or self._seconds() < tail.warm_until else 1
        while True:
            records = self._store.timeline(name, limit=limit)
            with self._lock:
                whole = len(records) < limit or line_of(records[0].cursor) <= tail.looked
                if whole or limit >= MOST:
                    if not whole:
                        self._gap(name)
                    self._tell(tail, records)
                    tail.looked = max(tail.looked, *(line_of(each.cursor) for each in records[-1:]), ())
                    return
            limit = max(LATEST, min(limit * 8, MOST))

    def _offer(self, records: Sequence[TimelineRecord]) -> None:
        by_name: dict[str, list[TimelineRecord]] = {}
        for each in records:
            by_name.setdefault(each.pipeline, []).append(each)
        for name, those in by_name.items():
            tail = self._tail(name)
            with self._lock:
                self._tell(tail, those)

    def _tail(self, name: str) -> Tail:
        with self._lock:
            return self._tails.setdefault(name, Tail(self._began, self._began))

    def _tell(self, tail: Tail, records: Iterable[TimelineRecord]) -> None:
        fresh = tail.fresh(records)
        if fresh:
            tail.warm_until = self._seconds() + WARM.total_seconds()
            self._heard(fresh)


def _known(records: Sequence[TimelineRecord]) -> Tail:
    """Take some lines for told, and all that is older. A timeline that is short is known as a whole."""
    lines = [line_of(each.cursor) for each in records]
    tail = Tail(lines[0] if len(lines) >= LATEST else (), max(lines, default=()))
    tail.fresh(records)
    return tail


class Following:
    """Looks again and again, on a thread of its own, while it is wanted."""

    def __init__(
        self,
        timelines: Timelines,
        bell: Bell,
        wanted: Callable[[], bool],
        scope: Callable[[], tuple[Collection[str], Collection[str] | None]],
    ) -> None:
        self._timelines = timelines
        self._bell = bell
        self._wanted = wanted
        self._scope = scope

    def run(self) -> None:
        """Look until it is no longer wanted. A look that fails is made again."""
        while self._wanted():
            began = monotonic()
            try:
                self._timelines.look(*self._scope())
            except InterlockError:
                pass  # others say that the store is in trouble; what was missed is found by the next look
            except Exception:  # noqa: BLE001  (whoever listens would otherwise hear nothing more, and not know it)
                _LOG.exception("the timelines could not be looked at; trying again")
            # A great many timelines take their time: never more than a tenth of all of it.
            rest = max(EVERY, timedelta(seconds=10 * (monotonic() - began)))
            self._bell.wait(min(rest, timedelta(seconds=30)))
