"""Functions whose clock is ahead: the real handlers, some seconds (`later`) from now. They stand for rules that ring then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import time_machine

from interlock.aws import alert_delivery, scheduler, watchdog

_REAL: Final[dict[str, Callable[..., Any]]] = {
    "scheduler": scheduler.handler,
    "watchdog": watchdog.handler,
    "alert-delivery": alert_delivery.handler,
}


def handler(event: dict[str, Any], context: Any) -> Any:
    """Have a function go its round at a later time."""
    then = datetime.now(UTC) + timedelta(seconds=event["later"])
    with time_machine.travel(then):
        return _REAL[event["function"]]({"due": True}, context)
