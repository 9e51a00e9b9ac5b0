"""Sinks that cannot hold a watcher up: a call that does not return in its time is left behind, and counts as failed.

Every sink promises to return within its timeout. One that breaks the promise would take a thread with every try, until none
is left to tell anybody anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from interlock.app.channels import Alerting
from interlock.core.alerts import LifecycleEvent, Notice
from interlock.errors import SinkError
from interlock.ports.sinks import Sink, Subscriber

GRACE: Final = timedelta(seconds=5)
LEFT_BEHIND: Final = 3
"""With so many calls left behind a sink is not called again before one of them has returned."""


class _Guard:
    """Calls something on a thread of its own, and waits no longer than it may take."""

    def __init__(self, grace: timedelta) -> None:
        self._grace = grace
        self._lock = threading.Lock()
        self._behind = 0

    def call(self, call: Callable[[], None], timeout: timedelta) -> None:
        with self._lock:
            if self._behind >= LEFT_BEHIND:
                raise SinkError(f"{self._behind} earlier calls have not returned yet")
        done, trouble = threading.Event(), list[Exception]()
        left = list[bool]()

        def do() -> None:
            try:
                call()
            except Exception as exc:  # noqa: BLE001  (it is raised where it was called from)
                trouble.append(exc)
            with self._lock:
                done.set()
                self._behind -= len(left)

        threading.Thread(target=copy_context().run, args=(do,), name="interlock-sink", daemon=True).start()
        patience = timeout + self._grace
        if not done.wait(patience.total_seconds()):
            with self._lock:
                if not done.is_set():
                    left.append(True)
                    self._behind += 1
                    raise SinkError(f"it did not return within {patience.total_seconds():g} s and was left behind")
        if trouble:
            raise trouble[0]


class GuardedSink:
    """A sink that always returns."""

    def __init__(self, real: Sink, grace: timedelta = GRACE) -> None:
        self._real = real
        self._guard = _Guard(grace)

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Deliver; see `Sink.deliver`."""
        self._guard.call(lambda: self._real.deliver(notice, timeout=timeout), timeout)


class GuardedSubscriber:
    """A subscriber that always returns."""

    def __init__(self, real: Subscriber, grace: timedelta = GRACE) -> None:
        self._real = real
        self._guard = _Guard(grace)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Hand the event over; see `Subscriber.publish`."""
        self._guard.call(lambda: self._real.publish(event, timeout=timeout), timeout)


def guarded(alerting: Alerting) -> Alerting:
    """Return the same channels and subscribers, none of which can hold its caller up."""
    return alerting._replace(
        channels=tuple(channel._replace(sink=GuardedSink(channel.sink)) for channel in alerting.channels),
        subscribers=tuple((name, GuardedSubscriber(subscriber)) for name, subscriber in alerting.subscribers),
    )


if TYPE_CHECKING:

    def _are_ports(one: GuardedSink, two: GuardedSubscriber) -> tuple[Sink, Subscriber]:
        return one, two
