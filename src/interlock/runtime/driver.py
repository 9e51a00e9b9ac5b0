"""Following one run from here to where nothing more can be done for it now: what `interlock run` does."""

from __future__ import annotations

import enum
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from interlock.app.advance import Advanced, advance
from interlock.app.hands import Hands, Silence, job_of
from interlock.app.perform import carry_out
from interlock.app.polling import check_job
from interlock.app.resting import Rest, rest_of
from interlock.core.commands import CheckJob, Command, PublishEnd, RaiseAlert, ResolveAlert
from interlock.core.dispatching import alert_dispatch, event_dispatch
from interlock.core.events import JobSeen, JobUnseen, Woke
from interlock.core.ids import RunKey, start_key
from interlock.core.runs import Run, RunStatus
from interlock.errors import ConfigError, NotFound, SecretError
from interlock.ports.triggers import Trigger, soonest_look
from interlock.runtime.clock import Pacer
from interlock.runtime.promptly import tell_at_once

FIRST_LOOK: Final = timedelta(milliseconds=30)
LOOK_GROWTH: Final = 1.4
SLOWEST_LOOK: Final = timedelta(seconds=1)
FOLLOWED: Final = 5
"""How many times as long as its trigger wants a job is left alone at the most while somebody waits for it here."""

BUSY_PAUSE: Final = timedelta(seconds=1)


class Stop(enum.Enum):
    """Why the driver let go of a run."""

    ENDED = "the run has ended"
    NOT_READY = "the traits say no"
    HELD = "the traits say yes, and somebody holds the start button"
    DOUBT = "only people can say how it stands"
    UNVERIFIED = "the job says that its work is done, and that cannot be verified"
    DETACHED = "the job is running, and nobody waits for it here"
    TIMED_OUT = "the time to wait was over"


_STOPS: Final = {
    Rest.ENDED: Stop.ENDED,
    Rest.NOT_READY: Stop.NOT_READY,
    Rest.HELD: Stop.HELD,
    Rest.DOUBT: Stop.DOUBT,
    Rest.UNVERIFIED: Stop.UNVERIFIED,
}


class Driven(NamedTuple):
    """The run as the driver left it, and why."""

    run: Run
    why: Stop


class Driver:
    """Performs a run's wishes and waits for what they bring, on the caller's thread and the hands' pool.

    Two drivers on one run are as safe as one: everything they do is claimed or harmless. `telling` is entered while people
    and programs are told, which may take as long as the slowest channel.
    """

    def __init__(
        self,
        hands: Hands,
        pacer: Pacer,
        *,
        on_change: Callable[[Run], None] | None = None,
        telling: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._hands = hands
        self._pacer = pacer
        self._on_change = on_change
        self._telling = telling
        self._pause = FIRST_LOOK

    def drive(self, key: RunKey, *, wait: bool = True, until: datetime | None = None) -> Driven:
        """Follow a run until it ends, is not ready or held, is in doubt, or runs with nobody to wait for it here.

        The last is so without `wait`, and for jobs that report their end themselves. `until` bounds the waiting. A run that
        waits for a retry is waited for, and so is one whose job's work is being checked, until people were told that it
        cannot be verified.
        """
        while True:
            if self._perform(key):
                self._pause = FIRST_LOOK
                continue
            run = self._run(key)
            now = self._hands.clock.now()
            rest = rest_of(run, now)
            why = self._detached(run, wait=wait) if rest is None else _STOPS[rest]
            if why is not None:
                return Driven(run, why)
            if until is not None and now >= until:
                return Driven(self._run(key), Stop.TIMED_OUT)
            self._wait(run, now, until)

    def catch_up(self, key: RunKey) -> bool:
        """Do for a run what its last driver may have left undone, without waiting; say whether that changed it.

        The checks of a job's work may take long: where a watcher is at work, they are left to it.
        """
        before = self._run(key)
        if before.verifying is not None and self._is_watched():
            return False
        changed = self._perform(key)
        run = self._run(key)
        if _is_looked_at(run):
            self._look(run)
        elif not changed:
            self._wake(run)
        if before.verifying is not None:
            while self._perform(key):
                pass  # the checks are asked, and what they say is told: nobody else may be there to do it
        return self._run(key).version != before.version

    def _detached(self, run: Run, *, wait: bool) -> Stop | None:
        if run.status is not RunStatus.RUNNING:
            return None
        return None if wait and (run.verifying is not None or self._watchable(run)) else Stop.DETACHED

    def _watchable(self, run: Run) -> bool:
        trigger = self._trigger(run)
        return trigger is None or trigger.watchable

    def _trigger(self, run: Run) -> Trigger | None:
        """Return the trigger of a running job; None while it cannot be made, which every look finds out for itself."""
        spec = self._hands.store.spec(run.spec_digest).trigger
        if spec is None:
            return None
        job = job_of(run.key, run.attempt, start_key(run.key.run_id, run.attempt))
        try:
            return self._hands.trigger_for(spec, job)
        except (ConfigError, SecretError):
            return None

    def _is_watched(self) -> bool:
        from interlock.runtime.leases import WATCHER  # most runs end without any checks

        now = self._hands.clock.now()
        return any(now < each.until for each in self._hands.members.members(WATCHER))

    def _run(self, key: RunKey) -> Run:
        run = self._hands.store.run(key)
        if run is None:
            raise NotFound(f"there is no run {key}")
        return run

    def _perform(self, key: RunKey) -> bool:
        """Carry out what is outstanding; say whether anything came of it."""
        wishes = self._hands.store.outstanding(key)
        changed = self._told(self._hands.together([partial(carry_out, key, wish, self._hands) for wish in wishes]))
        tell_at_once([name for wish in wishes if (name := _to_be_told(wish))], self._hands, self._telling)
        return changed

    def _told(self, done: tuple[Advanced | None, ...]) -> bool:
        changed = [advanced.run for advanced in done if advanced is not None and advanced.changed]
        if changed and self._on_change is not None:
            self._on_change(max(changed, key=lambda run: run.version))
        return bool(changed)

    def _wait(self, run: Run, now: datetime, until: datetime | None) -> None:
        looked_at = _is_looked_at(run)
        if looked_at:
            due = now + self._patience(run)
        else:
            due = now + BUSY_PAUSE if run.due_at is None else min(run.due_at, now + BUSY_PAUSE)
        self._pacer.until(due if until is None else min(due, until))
        if looked_at:
            self._look(run)
        else:
            self._wake(run)

    def _patience(self, run: Run) -> timedelta:
        """Return how long to leave the job alone now: longer each time, and as long as its trigger wants."""
        spec, trigger = self._hands.store.spec(run.spec_digest).trigger, self._trigger(run)
        soonest, longest = timedelta(), SLOWEST_LOOK
        if spec is not None and trigger is not None:
            alone = soonest_look(trigger)
            soonest = min(alone, spec.poll_interval)
            longest = max(SLOWEST_LOOK, min(alone * FOLLOWED, spec.poll_interval))
        pause = min(max(self._pause, soonest), longest)
        self._pause = pause * LOOK_GROWTH
        return pause

    def _wake(self, run: Run) -> None:
        now = self._hands.clock.now()
        if run.due_at is not None and now >= run.due_at:
            self._told((advance(run.key, Woke(at=now), self._hands.store),))

    def _look(self, run: Run) -> None:
        # Looking from here writes nothing while the job runs: a second's patience must not cost a line in the journal.
        seen = check_job(run.key, CheckJob(attempt=run.attempt, look=run.looks), self._hands)
        if isinstance(seen, Silence) or (isinstance(seen, JobSeen) and not run.looks):
            return
        if isinstance(seen, JobUnseen) and run.wake_at is not None and self._hands.clock.now() < run.wake_at:
            return
        self._told((advance(run.key, seen, self._hands.store),))
        if isinstance(seen, JobUnseen):
            self._told((advance(run.key, Woke(at=self._hands.clock.now()), self._hands.store),))


def _is_looked_at(run: Run) -> bool:
    """Say whether looks show how the run goes on. When its job says that its work is done, the checks of that do."""
    return run.status is RunStatus.RUNNING and run.verifying is None


def _to_be_told(wish: Command) -> str:
    """Return the name under which what a wish has left to be told is kept; empty for wishes that leave nothing."""
    match wish:
        case RaiseAlert():
            return alert_dispatch(wish.alert.alert_id)
        case ResolveAlert():
            return alert_dispatch(wish.alert_id)
        case PublishEnd():
            return event_dispatch(wish.event.event_id)
        case _:
            return ""
