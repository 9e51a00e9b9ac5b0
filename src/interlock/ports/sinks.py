"""Deliver one alert."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from interlock.core.alerts import Alert


class Sink(Protocol):
    """A place where people look. The same alert may arrive twice; `alert_id` tells."""

    def deliver(self, alert: Alert, *, timeout: timedelta) -> None:
        """Deliver, and return within about `timeout`.

        Raises:
            SinkError: it was not delivered, or nobody can know.
        """
        ...
