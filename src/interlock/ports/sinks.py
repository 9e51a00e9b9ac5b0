"""Deliver one notice to people, or one lifecycle event to programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from interlock.core.alerts import LifecycleEvent, Notice


class Sink(Protocol):
    """A place where people look. The same notice may arrive twice; `notice_id` tells."""

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Deliver, and return within about `timeout`.

        Raises:
            SinkError: it was not delivered, or nobody can know.
        """
        ...


class Subscriber(Protocol):
    """A program that wants to know how runs ended. The same event may arrive twice; `event_id` tells."""

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Hand the event over, and return within about `timeout`.

        Raises:
            SinkError: it was not handed over, or nobody can know.
        """
        ...


class Threads(Protocol):
    """Remembers which conversation belongs to what, for all processes on one store and across restarts.

    Both calls are quick: a sink makes them within the timeout of one delivery. Whatever they raise costs the thread and not
    the notice.
    """

    def get(self, key: str) -> str | None:
        """Return the conversation that was last put under a key, or None."""
        ...

    def put(self, key: str, thread: str) -> None:
        """Remember a conversation under a key, instead of the one that may be there."""
        ...
