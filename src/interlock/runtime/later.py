"""Sinks that are made when they are first needed.

A function that decides about runs keeps what people are to be told and tells nobody. It must work although a secret of a
sink cannot be had just now, and may not even be allowed to read it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from interlock.core.alerts import LifecycleEvent, Notice
from interlock.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from interlock.ports.sinks import Sink, Subscriber


class LaterSink:
    """Stands for a sink, and makes it when something is to be told. What cannot be made now is tried again the next time."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Deliver; see `Sink.deliver`."""
        self._sink().deliver(notice, timeout=timeout)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Publish; see `Subscriber.publish`."""
        self._sink().publish(event, timeout=timeout)

    def _sink(self) -> Any:
        with self._lock:
            if self._made is None:
                try:
                    self._made = self._make()
                except ConfigError as exc:
                    raise SinkError(str(exc)) from exc
            return self._made


if TYPE_CHECKING:

    def _is_a_sink(it: LaterSink) -> Sink:
        return it

    def _is_a_subscriber(it: LaterSink) -> Subscriber:
        return it
