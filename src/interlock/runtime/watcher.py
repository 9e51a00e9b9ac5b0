"""The watcher: takes what is due out of the store's index, does it in lanes, and waits for what is due next.

It knows nothing that is not in the store, but what it has in hand. What goes wrong with one run, schedule or alert is that
one's: it rests, longer each time, and people are told when it keeps failing; the others go on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from interlock.app.agendas import open_due
from interlock.app.delivering import deliver
from interlock.core.alerts import AlertType
from interlock.core.ids import PipelineName, RunKey, ScheduleName, parse_run_id
from interlock.core.times import format_duration
from interlock.errors import InterlockError, StoreUnavailable
from interlock.ports.stores import DueKind, DueWork
from interlock.runtime.chores import Chores
from interlock.runtime.flights import LONGEST_REST, Flight, Flights, Rests, Unit, owner_of, pause
from interlock.runtime.lanes import Lane
from interlock.runtime.leases import Lease
from interlock.runtime.runwork import RunWork
from interlock.runtime.station import Station
from interlock.telemetry.about import about

POLL: Final = timedelta(seconds=1)
CAPACITY: Final = 1000
"""How many runs are in hand at most; a pipeline has a quarter of it at most. Agendas and alerts need no room of theirs."""

_PAGE: Final = 100
_BREATH: Final = timedelta(milliseconds=500)
_STRETCH: Final = timedelta(milliseconds=500)
_LARGEST_PAGE: Final = 200_000
_ROWS_EACH: Final = 4
_RECALLED: Final = 1000
_AGENDA: Final = "agenda/"


class Watcher:
    """One watcher of a store. `turn` and the lease belong to one thread; everything else is done in lanes."""

    def __init__(self, station: Station, lease: Lease, chores: Chores | None = None) -> None:
        self._station = station
        self._lease = lease
        self._chores = chores or Chores(station)
        self._flights = Flights()
        self._rests = Rests()
        self._runs = RunWork(station, self._finished)
        self._troubles = 0
        self._full = False
        self._picked_at = self._deep_at = datetime.min.replace(tzinfo=UTC)
        self._recalled = False
        self._progress: datetime | None = None
        self._nothing_due = False
        self._waits = False

    # ------------------------------------------------------------------ the loop

    def turn(self) -> datetime:
        """Take up what is due, and return when there is something to do next. Never raises, never waits for work."""
        now = self._station.hands.clock.now()
        try:
            if not self._lease.hold(now, self._progress):
                self._nothing_due = False
                return now + POLL
            self._recall(now)
            self._chores.do(now, first=self._lease.is_first())
            self._runs.look(now)
            following = self._pick(now)
        except Exception as exc:  # noqa: BLE001  (nothing stops the loop: a watcher that is silent is the worst of all)
            self._troubles += 1
            self._nothing_due = False
            if self._troubles == 1:
                self._station.news(f"trouble {_words(exc)}; trying again")
            return now + min(pause(self._troubles), 30 * POLL)
        if self._troubles:
            self._troubles = 0
            self._station.news("recovered and going on")
        self._progress = now
        return following

    @property
    def idle(self) -> bool:
        """Whether the last turn found nothing to do, with nothing in hand then and now."""
        return self._nothing_due and self._free

    @property
    def _free(self) -> bool:
        return not len(self._flights) and self._chores.done

    @property
    def progress(self) -> datetime | None:
        """When the last whole turn began; None before the first one has ended."""
        return self._progress

    @property
    def following(self) -> int:
        """How many jobs are looked at that were started here a moment ago."""
        return len(self._runs.looks)

    def drain(self, grace: timedelta, break_off: Callable[[], None]) -> bool:
        """Take nothing more, break questions off, let starts and tellings end; say whether all did within the grace.

        Whoever is told to hurry meanwhile waits no longer.
        """
        station = self._station
        station.stopping = True
        for lane in station.lanes:
            lane.forget()
        station.broken_off = True
        break_off()
        ends = station.hands.clock.now() + grace
        # Housekeeping is not waited for: whatever it leaves undone is done the next time.
        ended = [self._over(lane, ends - station.hands.clock.now(), grace) for lane in station.lanes[:-1]]
        with contextlib.suppress(InterlockError):  # the lease runs out by itself
            self._lease.leave()
        return all(ended)

    def _over(self, lane: Lane, left: timedelta, grace: timedelta) -> bool:
        """Wait until nothing is under way in a lane, a stretch at a time: a signal's handler can only leave a word."""
        while left > timedelta() and not self._station.hurried:
            if lane.idle_within(min(left, _STRETCH)):
                return True
            left -= _STRETCH
            if not self._waits:
                self._waits = True
                self._station.news(
                    f"stopping: what is under way has {format_duration(grace)} to end; a second signal does not wait"
                )
        return lane.idle_within(timedelta())

    # ------------------------------------------------------------------ choosing

    def _pick(self, now: datetime) -> datetime:
        if self._full and self._flights.runs > CAPACITY // 2 and timedelta() <= now - self._picked_at < _BREATH:
            return self._picked_at + _BREATH  # there is no room: to look again for every run that ends would cost more
        in_hand = not self._free  # what it writes when it ends may be due, and not be among what is read here
        limit = _PAGE + CAPACITY + _ROWS_EACH * len(self._flights) + len(self._rests)
        deep_at = self._deep_at
        while True:
            rows = self._station.hands.store.due(now + POLL, limit)
            fresh = self._fresh(rows, now)
            # Rows that are busy, resting or somebody else's must not hide what is behind them. But while there is work in
            # hand, to read tens of thousands for every run that ends would cost more than the runs: once a second does.
            if len(fresh) >= CAPACITY or len(rows) < limit or limit >= _LARGEST_PAGE:
                break
            if self._flights.runs and timedelta() <= now - self._deep_at < POLL:
                break
            deep_at, limit = now, min(limit * 4, _LARGEST_PAGE)
        self._deep_at = deep_at
        for unit in fresh:
            self.take_up(unit)
        self._full, self._picked_at = self._flights.runs >= CAPACITY, now
        self._nothing_due = not fresh and not in_hand
        coming = [row.wake_at for row in rows if row.wake_at > now]
        look = self._runs.looks.next_at()
        return min([now + POLL, *coming[:1], *([] if look is None else [look])])

    def _fresh(self, rows: Sequence[DueWork], now: datetime) -> list[Unit]:
        """Return what may be taken up: of runs as many as there is room for, and no pipeline's more than a quarter."""
        found: dict[Unit, None] = {}
        taken: dict[tuple[type[Unit], str], int] = {}
        room = CAPACITY - self._flights.runs
        for row in rows:
            unit, kind = row.subject, (type(row.subject), owner_of(row.subject))
            if row.wake_at > now or unit in found:
                continue
            flight = self._flights.get(unit)
            if flight is not None:
                self._busy(flight, row, now)
                continue
            its = taken.setdefault(kind, self._flights.of(unit))
            if its >= (CAPACITY // 4 if kind[1] else CAPACITY) or (isinstance(unit, RunKey) and room <= 0):
                continue
            if self._is_for_me(row, now):
                found[unit] = None
                taken[kind] += 1
                room -= isinstance(unit, RunKey)
        return list(found)

    def _busy(self, flight: Flight, row: DueWork, now: datetime) -> None:
        flight.again = True
        if row.kind is DueKind.RUN:
            self._runs.overdue(flight, now)

    def _is_for_me(self, row: DueWork, now: datetime) -> bool:
        if self._rests.holds(row.subject, now) or not self._lease.mine(_share(row.subject)):
            return False
        if row.kind is DueKind.UNKNOWN:
            self._leave_alone(str(row.subject), now)
            return False
        return True

    def _leave_alone(self, place: str, now: datetime) -> None:
        message = (
            f"what is stored at {place} is due, and of no kind that is known here: did a later Interlock write it?"
        )
        if not self._rests.told(place):
            self._station.alert(AlertType.RUN_POISONED, place, f"{message} It is left alone")
        self._rests.known(place, now + LONGEST_REST, message)

    # ------------------------------------------------------------------ doing

    def take_up(self, unit: Unit) -> None:
        """Begin the work on a unit, unless it is in hand already."""
        flight = self._flights.take(unit, self._station.hands.clock.now())
        if flight is None:
            return
        if isinstance(unit, RunKey):
            self._runs.begin(flight)
            return
        lane = self._station.lanes.deliveries if isinstance(unit, str) else self._station.lanes.decisions
        if not lane.submit(owner_of(unit), partial(self._do, flight)):
            self._flights.drop(flight)

    def _do(self, flight: Flight) -> None:
        try:
            if isinstance(flight.unit, tuple):
                self._open(flight)
            elif isinstance(flight.unit, str):
                deliver(flight.unit, self._station.hands, together=self._station.together)
        except Exception as exc:  # noqa: BLE001  (its trouble is its own)
            flight.error = exc
        self._finished(flight)

    def _open(self, flight: Flight) -> None:
        assert isinstance(flight.unit, tuple)  # noqa: S101  (the one caller has looked)
        turn = open_due(*flight.unit, self._station.hands)
        flight.fruitless = turn.unknown
        for run in turn.opened:
            with about(run=run.key.run_id):
                self._station.news(f"opened {run.key}")
            if not self._full and self._lease.mine(_share(run.key)) and not self._station.stopping:
                self.take_up(run.key)
        for window, words in turn.refused:
            self._station.news(f"skipped {window.slot}: {words}")

    def _finished(self, flight: Flight) -> None:
        unit, now = flight.unit, self._station.hands.clock.now()
        if isinstance(flight.error, StoreUnavailable) or (flight.error is None and flight.fruitless):
            self._rests.put_off(unit, now)
        elif flight.error is not None:
            self._failed(flight, flight.error, now)
        elif self._rests.fine(unit):
            self._mended(unit)
        self._flights.drop(flight)
        if flight.again or (self._full and self._flights.runs <= CAPACITY // 2):
            self._station.poke()

    def _failed(self, flight: Flight, error: Exception, now: datetime) -> None:
        rest = self._rests.failed(flight.unit, now, _words(error))
        if not rest.poisoned or rest.told:
            return
        name = _name(flight.unit)
        message = (
            f"the work on {name} failed {rest.failures} times in a row: {rest.reason}. It is set aside and tried every ten "
            "minutes; everything else goes on"
        )
        key = flight.unit if isinstance(flight.unit, RunKey) else None
        with contextlib.suppress(InterlockError):  # it is told with the next failure
            self._station.alert(AlertType.RUN_POISONED, name, message, key=key)
            rest.told = True

    def _mended(self, unit: Unit) -> None:
        with contextlib.suppress(InterlockError):  # it stays open, which is the lesser mistake
            self._station.mended(AlertType.RUN_POISONED, _name(unit), "it works again")

    def _recall(self, now: datetime) -> None:
        """Remember once what was set aside, and what runs, since before this process began."""
        if self._recalled:
            return
        self._recalled = True
        self._runs.resume(now)
        for record in self._station.hands.dispatches.alerts(limit=_RECALLED, open_only=True):
            if record.alert.alert_type is AlertType.RUN_POISONED:
                unit = _unit_of(record.alert.alert_id.partition("/")[2])
                self._rests.known(unit, now, record.alert.message)


def _share(unit: Unit) -> str:
    """Return by what a unit is given to one of several watchers: all runs of a slot to the same."""
    return str(unit.slot) if isinstance(unit, RunKey) else _name(unit)


def _name(unit: Unit) -> str:
    if isinstance(unit, RunKey):
        return unit.run_id
    return _AGENDA + "/".join(unit) if isinstance(unit, tuple) else unit


def _unit_of(name: str) -> Unit:
    if name.startswith(_AGENDA):
        pipeline, _, schedule = name.removeprefix(_AGENDA).partition("/")
        return PipelineName(pipeline), ScheduleName(schedule)
    try:
        return parse_run_id(name)
    except ValueError:
        return name


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, InterlockError) else f"{type(error).__name__}: {error}"
