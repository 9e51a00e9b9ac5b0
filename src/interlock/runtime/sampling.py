"""Looking up how an installation stands, for whoever shows it: not more often than every few seconds, whoever asks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, NamedTuple, Protocol, TypeVar

from interlock.core.alerts import AlertLevel
from interlock.core.deliveries import DeliveryState
from interlock.core.dispatching import AlertRecord
from interlock.errors import InterlockError
from interlock.ports.clock import Clock
from interlock.ports.dispatches import Dispatches
from interlock.ports.members import Members
from interlock.ports.stores import DueIndex, DueKind, Runs
from interlock.runtime.lanes import Lanes, ThreadLane
from interlock.stores.kernel import Kernel
from interlock.stores.marks import waiting_since
from interlock.telemetry.vitals import Load, Vitals

T = TypeVar("T")

FRESH: Final = 5.0
"""For how many seconds a look is good."""

ROLES: Final = ("watcher", "watchdog")
COUNTED: Final = 10_000
"""How many active runs are counted; of more it is known only that there are so many."""

_PAGE: Final = 1000
_DUE: Final = 500
_ALERTS: Final = 1000
_STILL_TOLD: Final = (DeliveryState.DUE, DeliveryState.TRYING)


class Kept(Runs, DueIndex, Protocol):
    """Runs, and what is due."""


class Sampled(NamedTuple):
    """What is looked at. `archived`: facts are marked for the archive."""

    kernel: Kernel
    store: Kept
    dispatches: Dispatches
    members: Members
    clock: Clock
    archived: bool = False


class Sampler:
    """Tells how things stand. Safe to call from many threads, of which one looks. `elapsed` tells seconds."""

    def __init__(self, sampled: Sampled, *, elapsed: Callable[[], float] = monotonic) -> None:
        self._sampled = sampled
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._seen: Vitals | None = None
        self._seen_at = 0.0
        self.lanes: Lanes | None = None
        """The lanes of the watcher of this process, once there is one."""

    def __call__(self) -> Vitals:
        """Return how things stand, or stood a moment ago. Nothing is raised: what cannot be read is left out."""
        with self._lock:
            now = self._elapsed()
            if self._seen is None or not 0 <= now - self._seen_at < FRESH:
                self._seen = self._look()
                self._seen_at = self._elapsed()
            return self._seen

    def _look(self) -> Vitals:
        began = self._elapsed()
        try:
            self._sampled.kernel.ping()
        except InterlockError:
            return Vitals(store_up=False, store_ping=self._elapsed() - began, lanes=loads(self.lanes))
        ping, at = self._elapsed() - began, self._sampled.clock.now()
        due = _unless_trouble(self._due, at) or (None, {})
        alerts = _unless_trouble(self._alerts, at) or ({}, {})
        members = _unless_trouble(self._attendance, at) or ({}, {})
        return Vitals(
            store_up=True,
            store_ping=ping,
            due_lag=due[0],
            outbox_ages={**due[1], **alerts[1]},
            active_runs=_unless_trouble(self._active, at),
            open_alerts=alerts[0],
            members=members[0],
            progress_ages=members[1],
            lanes=loads(self.lanes),
            archive_age=_unless_trouble(self._archive, at) if self._sampled.archived else None,
        )

    def _archive(self, at: datetime) -> float:
        return _since(waiting_since(self._sampled.kernel) or at, at)

    def _due(self, at: datetime) -> tuple[float | None, dict[str, float]]:
        rows = self._sampled.store.due(at, _DUE)
        ages = {"wish": 0.0, "event": 0.0}
        for row in reversed(rows):
            if row.kind is DueKind.WISH:
                ages["wish"] = _since(row.wake_at, at)
            elif row.kind is DueKind.DISPATCH and str(row.subject).startswith("event/"):
                ages["event"] = _since(row.wake_at, at)
        return (_since(rows[0].wake_at, at) if rows else 0.0), ages

    def _alerts(self, at: datetime) -> tuple[dict[str, int], dict[str, float]]:
        found = Counter({str(level): 0 for level in AlertLevel})
        oldest = 0.0
        for record in self._sampled.dispatches.alerts(limit=_ALERTS, open_only=True):
            found[str(record.alert.level)] += 1
            oldest = max([oldest, *(_since(due_at, at) for due_at in _untold(record))])
        return dict(found), {"alert": oldest}

    def _attendance(self, at: datetime) -> tuple[dict[str, int], dict[str, float]]:
        living: dict[str, int] = {}
        ages: dict[str, float] = {}
        for role in ROLES:
            members = self._sampled.members.members(role)
            living[role] = sum(at < member.until for member in members)
            if members:
                ages[role] = _since(max(member.progress_at or member.joined_at for member in members), at)
        return living, ages

    def _active(self, _at: datetime) -> int:
        found, after = 0, None
        while found < COUNTED:
            page = self._sampled.store.active_runs(limit=_PAGE, after=after)
            found += len(page)
            if len(page) < _PAGE:
                break
            after = page[-1].run_id
        return found


def loads(lanes: Lanes | None) -> dict[str, Load]:
    """Return how much each lane has to do."""
    if lanes is None:
        return {}
    found = lanes._asdict().items()
    return {name: Load(*lane.load()) for name, lane in found if isinstance(lane, ThreadLane)}


def _untold(record: AlertRecord) -> Iterator[datetime]:
    return (delivery.due_at for delivery in record.deliveries if delivery.state in _STILL_TOLD)


def _since(then: datetime, at: datetime) -> float:
    return max(at - then, timedelta()).total_seconds()


def _unless_trouble(look: Callable[[datetime], T], at: datetime) -> T | None:
    with suppress(InterlockError):
        return look(at)
    return None
