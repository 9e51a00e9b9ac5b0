"""Calls that end by their deadline, whatever the other side does, and whose requests never leave after it.

A wait for bytes that come one by one, for a name, or for credentials that somebody's program hands out, has no limit of its
own in botocore. So each call has a thread, and who called waits for it no longer than allowed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from contextvars import copy_context
from time import monotonic
from typing import Final, TypeVar

T = TypeVar("T")

LEFT_BEHIND: Final = 32
"""With so many calls left behind at one place, none is begun there before one of them has ended."""


class TooLate(Exception):
    """The time for the request is over, or nobody waits for its answer any more: it must not leave."""


class Passage:
    """The way of one request out of this machine: within its time it leaves, or it is held back for good.

    Whoever waits for it may be held up itself, with the whole machine; so the request looks at the clock, too.
    """

    def __init__(self, within: float) -> None:
        self._lock = threading.Lock()
        self._until = monotonic() + within
        self._held_back = False
        self._left = False

    def leave(self) -> None:
        """Note that the request leaves now.

        Raises:
            TooLate: it is held back.
        """
        with self._lock:
            if self._held_back or monotonic() >= self._until:
                raise TooLate
            self._left = True

    def hold_back(self) -> None:
        """Let the request leave no more, if it has not."""
        with self._lock:
            self._held_back = True

    @property
    def left(self) -> bool:
        """Say whether the request has left, or is about to."""
        with self._lock:
            return self._left


class Deadlines:
    """Runs work of many callers at once, each in a thread of its own that does not keep the process alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._behind: Counter[Hashable] = Counter()

    def run(self, place: Hashable, work: Callable[[], T], passage: Passage, within: float) -> T:
        """Return what the work returns, or raise what it raises.

        Raises:
            TimeoutError: it did not end in time, or was not begun, because too much at this place has not ended yet. From
                then on the passage is closed.
        """
        with self._lock:
            if self._behind[place] >= LEFT_BEHIND:
                raise TimeoutError(f"{self._behind[place]} earlier calls have not ended yet")
        done: list[T] = []
        trouble: list[Exception] = []
        ended = threading.Event()
        given_up: list[bool] = []

        def do() -> None:
            try:
                done.append(work())
            except Exception as exc:  # noqa: BLE001  (it is raised again, in the thread that waits)
                trouble.append(exc)
            with self._lock:
                ended.set()
                self._behind[place] -= len(given_up)

        self._begin(do)
        if not ended.wait(within):
            passage.hold_back()
            with self._lock:
                if not ended.is_set():
                    given_up.append(True)
                    self._behind[place] += 1
                    raise TimeoutError(f"no answer within {within:g} s")
        if trouble:
            raise trouble[0]
        return done[0]

    def _begin(self, do: Callable[[], None]) -> None:
        try:
            threading.Thread(target=copy_context().run, args=(do,), name="interlock-aws", daemon=True).start()
        except RuntimeError:
            raise TimeoutError("no thread could be started") from None
