"""What an execution has done so far: events as Step Functions counts them, transitions, invocations, and the way it went."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final, NamedTuple

QUOTA: Final = 25_000


class HistoryFull(Exception):
    """One more event, and nothing would be left for the end of the execution."""


class Entered(NamedTuple):
    """A state was entered: when, which, inside which items of maps, with which input."""

    at: datetime
    state: str
    path: str
    data: Any


class History:
    """Counts. `transitions` are states entered and retries made, which is what is paid for."""

    def __init__(self, quota: int) -> None:
        self.quota = quota
        self.length = 0
        self.transitions = 0
        self.events: Counter[str] = Counter()
        self.invocations: Counter[str] = Counter()
        self.entered: list[Entered] = []

    def add(self, event: str) -> None:
        """Write an event; the last that the quota allows is kept for the end."""
        if self.length >= self.quota - 1:
            raise HistoryFull
        self.close(event)

    def close(self, event: str) -> None:
        """Write the event that ends the execution."""
        self.length += 1
        self.events[event] += 1
