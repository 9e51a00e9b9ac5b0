"""The work on runs: what is wished is carried out, each wish in its lane, and only then is a run told that time passed.

That order matters. After a long pause, a run whose start was wished and never tried would otherwise be told that the time
for it is over, and people that nobody knows whether it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from interlock.app.advance import Advanced, advance
from interlock.app.hands import Silence
from interlock.app.perform import perform
from interlock.app.postponing import LONGEST_PAUSE, put_off
from interlock.core.alerts import Alert
from interlock.core.commands import CancelJob, CheckJob, Command, EvaluateTrait, RaiseAlert, StartJob
from interlock.core.events import Woke
from interlock.core.ids import CommandId, RunKey
from interlock.core.runs import Run, RunStatus
from interlock.errors import UnreadableRecord
from interlock.runtime.flights import Flight, owner_of
from interlock.runtime.lanes import Lane
from interlock.runtime.looks import Look, Looks, take_a_look
from interlock.runtime.station import Station
from interlock.telemetry.about import about

_LOOK_AGAIN: Final = timedelta(seconds=1)
_WAKES: Final = 20
_RESUMED: Final = 500


class RunWork:
    """Does what runs want. `finished` is called once for every flight that was begun, when nothing of it is under way."""

    def __init__(self, station: Station, finished: Callable[[Flight], None]) -> None:
        self._station = station
        self._finished = finished
        self._postponed: dict[CommandId, datetime] = {}
        self.looks = Looks()

    # ------------------------------------------------------------------ one run

    def begin(self, flight: Flight) -> None:
        """Take up a run that is due."""
        flight.hold()
        if not self._station.lanes.decisions.submit(owner_of(flight.unit), partial(self._begin, flight)):
            flight.release()

    def _begin(self, flight: Flight) -> None:
        with self._minding(flight):
            key, hands = _key(flight), self._station.hands
            run = hands.store.run(key)
            if run is not None:
                for wish in hands.store.outstanding(key):
                    if self._is_wanted(wish, run, hands.clock.now()):
                        self._wish(flight, wish)

    def _is_wanted(self, wish: Command, run: Run, now: datetime) -> bool:
        until = self._postponed.get(wish.id)
        due = run.due_at is not None and run.due_at <= now
        return until is None or not now < until <= now + LONGEST_PAUSE or due

    @contextmanager
    def _minding(self, flight: Flight) -> Iterator[None]:
        """Keep what goes wrong with the flight, and see it land when nothing of it is under way any more."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001  (one run's trouble is that run's: it is set aside, and the others go on)
            flight.error = exc
        if not flight.release():
            self._landing(flight)

    def _landing(self, flight: Flight) -> None:
        while flight.hold():
            issued = self._wake(flight)
            if flight.release():
                return  # whoever lets go of it last comes here again
            if not issued and flight.land():
                self._finished(flight)
                return

    def _wake(self, flight: Flight) -> bool:
        """Tell the run that its time has come, if it has; say whether it wished something because of it."""
        if flight.error is not None or self._station.stopping:
            return False
        try:
            for _ in range(_WAKES):
                told = self._woken(flight)
                if told is None:
                    return False
                if not told.changed:
                    break
                if self._follow(flight, told):
                    return True
            flight.fruitless = True
        except Exception as exc:  # noqa: BLE001  (as above)
            flight.error = exc
        return False

    def _woken(self, flight: Flight) -> Advanced | None:
        key, hands = _key(flight), self._station.hands
        # The clock first: what happens to the run after that is not told by a time that had not come when it happened.
        now = hands.clock.now()
        run = hands.store.run(key)
        if run is None or run.due_at is None or now < run.due_at or self._takes_up_a_start(flight, run):
            return None
        return advance(key, Woke(at=now), hands.store)

    def _takes_up_a_start(self, flight: Flight, run: Run) -> bool:
        """Try a start that nobody has tried here, perhaps wished by a watcher that died: it goes before the time.

        One that is under way goes before it, too.
        """
        if run.status is not RunStatus.TRIGGERING:
            return False
        wishes = self._station.hands.store.outstanding(run.key)
        starts = [wish for wish in wishes if isinstance(wish, StartJob)]
        first = [wish for wish in starts if wish.id not in flight.tried or wish.id in flight.commands]
        for wish in first:
            self._wish(flight, wish)
        return bool(first)

    # ------------------------------------------------------------------ wishes

    def _wish(self, flight: Flight, wish: Command) -> None:
        if wish.id in flight.commands or not flight.hold():
            return
        flight.commands[wish.id] = wish
        flight.tried.add(wish.id)
        if not self._lane_of(wish).submit(owner_of(flight.unit), partial(self._carry_out, flight, wish)):
            flight.release()  # nothing is taken any more: it stays in the outbox

    def _lane_of(self, wish: Command) -> Lane:
        lanes = self._station.lanes
        match wish:
            case EvaluateTrait():
                return lanes.evaluations
            case StartJob() | CheckJob() | CancelJob():
                return lanes.starts
            case _:
                return lanes.decisions

    def _carry_out(self, flight: Flight, wish: Command) -> None:
        with self._minding(flight):
            try:
                self._perform(flight, wish)
            finally:
                flight.commands.pop(wish.id, None)

    def _perform(self, flight: Flight, wish: Command) -> None:
        key, station = _key(flight), self._station
        hands = station.hands
        learned = perform(key, wish, hands)
        if isinstance(wish, EvaluateTrait) and station.broken_off:
            return  # it may have been broken off: whoever comes next asks again
        if learned is Silence.LATER:
            self._put_off(key, wish)
        elif learned is Silence.SETTLED:
            hands.store.settle(key, wish.id)
            self._settled(wish)
        else:
            self._follow(flight, advance(key, learned, hands.store, settles=wish.id))

    def _settled(self, wish: Command) -> None:
        if isinstance(wish, RaiseAlert):
            with about(run=wish.alert.run_id):
                self._station.news(f"alert {wish.alert.level} {wish.alert.alert_type}: {wish.alert.message}")
        if not isinstance(wish, EvaluateTrait | StartJob | CheckJob):
            self._station.poke()  # it left something that is due: an alert, another run, a marker

    def _follow(self, flight: Flight, told: Advanced) -> bool:
        """Take up what a run wishes because of what it was told; say whether that is anything."""
        self._station.tell(told)
        run = told.run
        if told.changed and run.status is RunStatus.RUNNING and run.since == run.updated_at:
            self.looks.add(run.key, run.attempt, self._station.hands.clock.now())
            self._station.poke()
        if self._station.stopping:
            return False
        for wish in told.commands:
            self._wish(flight, wish)
        return bool(told.commands)

    def _put_off(self, key: RunKey, wish: Command) -> None:
        until = put_off(key, wish, self._station.hands)
        if isinstance(until, Alert):
            self._station.alerted(until)
            return
        now = self._station.hands.clock.now()
        self._postponed[wish.id] = until
        for name in [name for name, over in list(self._postponed.items()) if over <= now]:
            self._postponed.pop(name, None)

    # ------------------------------------------------------------------ while it is at work

    def overdue(self, flight: Flight, now: datetime) -> None:
        """A run's time has come while it is at work: its deadlines must not wait for an answer that does not come."""
        if now - flight.looked_at < _LOOK_AGAIN or not flight.hold():
            return
        flight.looked_at = now
        if not self._station.lanes.decisions.submit(owner_of(flight.unit), partial(self._overdue, flight)):
            flight.release()

    def _overdue(self, flight: Flight) -> None:
        with self._minding(flight):
            # What was wished and not tried yet goes first; an answer may be given up on. A flight in which something went
            # wrong may have left a start untried: it is begun again before time is told.
            if flight.error is not None or any(
                isinstance(wish, StartJob | CheckJob) for wish in list(flight.commands.values())
            ):
                return
            hands = self._station.hands
            run, now = hands.store.run(_key(flight)), hands.clock.now()
            if run is None or not flight.commands or _may_still_answer(run, flight, now):
                return
            told = self._woken(flight)
            if told is not None:
                self._follow(flight, told)

    # ------------------------------------------------------------------ looks

    def resume(self, now: datetime) -> None:
        """Look at the jobs that run since before this process began: one that has ended meanwhile should not wait."""
        store = self._station.hands.store
        for key in store.active_runs(limit=_RESUMED):
            with suppress(UnreadableRecord):  # it is set aside when it is due
                run = store.run(key)
                if run is not None and run.status is RunStatus.RUNNING and run.began_at is not None and not run.doubt:
                    self.looks.resume(key, run.attempt, run.began_at, now)

    def look(self, now: datetime) -> None:
        """Make the looks whose time has come."""
        for each in self.looks.due(now):
            if not self._station.lanes.starts.submit(owner_of(each.key), partial(self._look, each)):
                self.looks.made(each, now, pause=None)

    def _look(self, look: Look) -> None:
        pause = None
        try:
            pause = take_a_look(look, self._station.hands, self._seen)
        except Exception:  # noqa: BLE001, S110  (it was a courtesy: the run's own look says what is wrong)
            pass
        finally:
            self.looks.made(look, self._station.hands.clock.now(), pause=pause)
            self._station.poke()

    def _seen(self, told: Advanced) -> None:
        self._station.tell(told)


def _may_still_answer(run: Run, flight: Flight, now: datetime) -> bool:
    """Say whether the round that is asked here has not had the time that a round is given."""
    if run.wake_at is None or run.wake_at > now or not run.asked or run.asked_at is None:
        return False
    return now < flight.began + (run.wake_at - run.asked_at)


def _key(flight: Flight) -> RunKey:
    assert isinstance(flight.unit, RunKey)  # noqa: S101  (only runs are begun here)
    return flight.unit
