"""What time is it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Nothing below `runtime/` waits."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        ...
