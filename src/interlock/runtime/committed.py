"""What was committed, told to whoever listens: the timeline's records, exactly as the store has just taken them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from interlock.errors import UnreadableRecord
from interlock.ports.stores import TimelineRecord
from interlock.stores.kernel import Change, Put
from interlock.stores.repository import timeline_of

Listener: TypeAlias = Callable[[Sequence[TimelineRecord]], None]
"""Told the records of one commit, in the order of the timeline, by the thread that made the commit: be quick, hand over."""

_TIMELINE: Final = "timeline/"


class Committed:
    """Tells listeners the timeline records of every commit of this process that the store has said yes to.

    Each record is told once, and never one that was not stored. A commit of which nobody knows whether it happened is not
    told; nor is what other processes write. What a listener raises is its own trouble: the commit and the others know
    nothing of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[object, Listener] = {}  # replaced, never changed: it is read without the lock

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener from now on, until what is returned is called."""
        token = object()
        with self._lock:
            self._listeners = {**self._listeners, token: listener}

        def stop() -> None:
            with self._lock:
                self._listeners = {each: told for each, told in self._listeners.items() if each is not token}

        return stop

    def tell(self, batch: Sequence[Change]) -> None:
        """Tell what a batch, which was committed, adds to the timelines. Costs nothing while nobody listens."""
        listeners = self._listeners
        if not listeners:
            return
        records = told_by(batch)
        if not records:
            return
        for listener in listeners.values():
            try:
                listener(records)
            except Exception:  # the commit has happened, and the others want to hear of it
                import logging  # nobody listens in most processes

                logging.getLogger(__name__).exception("what was committed could not be told to %r", listener)


def told_by(batch: Sequence[Change]) -> tuple[TimelineRecord, ...]:
    """Return the timeline records that a batch adds. A line nobody can read is not told; the timeline itself says which."""
    found: list[TimelineRecord] = []
    for change in batch:
        kind = change.record.kind if isinstance(change, Put) else None
        if isinstance(change, Put) and kind is not None and kind.startswith(_TIMELINE):
            try:
                found += timeline_of(kind.removeprefix(_TIMELINE), change.record)
            except UnreadableRecord:
                continue
    return tuple(found)
