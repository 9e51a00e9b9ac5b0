"""Following one run from here to where nothing more can be done for it now: what `interlock run` does."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from interlock.app.advance import Advanced, advance
from interlock.app.delivering import deliver
from interlock.app.hands import Hands, Silence, job_of
from interlock.app.perform import carry_out
from interlock.app.polling import check_job
from interlock.app.resting import Rest, rest_of
from interlock.core.commands import CheckJob, PublishEnd, RaiseAlert
from interlock.core.dispatching import alert_dispatch, event_dispatch
from interlock.core.events import JobSeen, JobUnseen, Woke
from interlock.core.ids import RunKey, start_key
from interlock.core.runs import Run, RunStatus
from interlock.errors import NotFound
from interlock.runtime.clock import Pacer

FIRST_LOOK: Final = timedelta(milliseconds=30)
LOOK_GROWTH: Final = 1.4
SLOWEST_LOOK: Final = timedelta(seconds=1)
BUSY_PAUSE: Final = timedelta(seconds=1)


class Stop(enum.Enum):
    """Why the driver let go of a run."""

    ENDED = "the run has ended"
    NOT_READY = "the traits say no"
    HELD = "the traits say yes, and somebody holds the start button"
    DOUBT = "only people can say how it stands"
    DETACHED = "the job is running, and nobody waits for it here"
    TIMED_OUT = "the time to wait was over"


_STOPS: Final = {
    Rest.ENDED: Stop.ENDED,
    Rest.NOT_READY: Stop.NOT_READY,
    Rest.HELD: Stop.HELD,
    Rest.DOUBT: Stop.DOUBT,
}


class Driven(NamedTuple):
    """The run as the driver left it, and why."""

    run: Run
    why: Stop


class Driver:
    """Performs a run's wishes and waits for what they bring, on the caller's thread and the hands' pool.

    Two drivers on one run are as safe as one: everything they do is claimed or harmless.
    """

    def __init__(self, hands: Hands, pacer: Pacer, *, on_change: Callable[[Run], None] | None = None) -> None:
        self._hands = hands
        self._pacer = pacer
        self._on_change = on_change
        self._pause = FIRST_LOOK

    def drive(self, key: RunKey, *, wait: bool = True, until: datetime | None = None) -> Driven:
        """Follow a run until it ends, is not ready or held, is in doubt, or runs with nobody to wait for it here.

        The last is so without `wait`, and for jobs that report their end themselves. `until` bounds the waiting. A run that
        waits for a retry is waited for.
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
        """Do for a run what its last driver may have left undone, without waiting; say whether that changed it."""
        before = self._run(key)
        changed = self._perform(key)
        run = self._run(key)
        if run.status is RunStatus.RUNNING:
            self._look(run)
        elif not changed and run.due_at is not None and self._hands.clock.now() >= run.due_at:
            self._told((advance(key, Woke(at=self._hands.clock.now()), self._hands.store),))
        return self._run(key).version != before.version

    def _detached(self, run: Run, *, wait: bool) -> Stop | None:
        if run.status is not RunStatus.RUNNING:
            return None
        return None if wait and self._watchable(run) else Stop.DETACHED

    def _watchable(self, run: Run) -> bool:
        spec = self._hands.store.spec(run.spec_digest).trigger
        if spec is None:
            return False
        job = job_of(run.key, run.attempt, start_key(run.key.run_id, run.attempt))
        return self._hands.trigger_for(spec, job).watchable

    def _run(self, key: RunKey) -> Run:
        run = self._hands.store.run(key)
        if run is None:
            raise NotFound(f"there is no run {key}")
        return run

    def _perform(self, key: RunKey) -> bool:
        """Carry out what is outstanding; say whether anything came of it."""
        wishes = self._hands.store.outstanding(key)
        done = self._hands.together([partial(carry_out, key, wish, self._hands) for wish in wishes])
        for wish in wishes:
            # Nobody else may be there to do it.
            if isinstance(wish, RaiseAlert):
                deliver(alert_dispatch(wish.alert.alert_id), self._hands)
            elif isinstance(wish, PublishEnd):
                deliver(event_dispatch(wish.event.event_id), self._hands)
        return self._told(done)

    def _told(self, done: tuple[Advanced | None, ...]) -> bool:
        changed = [advanced.run for advanced in done if advanced is not None and advanced.changed]
        if changed and self._on_change is not None:
            self._on_change(max(changed, key=lambda run: run.version))
        return bool(changed)

    def _wait(self, run: Run, now: datetime, until: datetime | None) -> None:
        if run.status is RunStatus.RUNNING:
            due = now + self._pause
        else:
            due = now + BUSY_PAUSE if run.due_at is None else min(run.due_at, now + BUSY_PAUSE)
        self._pacer.until(due if until is None else min(due, until))
        if run.status is RunStatus.RUNNING:
            self._look(run)
        elif run.due_at is not None and self._hands.clock.now() >= run.due_at:
            self._told((advance(run.key, Woke(at=self._hands.clock.now()), self._hands.store),))

    def _look(self, run: Run) -> None:
        # Looking from here writes nothing while the job runs: a second's patience must not cost a line in the journal.
        self._pause = min(self._pause * LOOK_GROWTH, SLOWEST_LOOK)
        seen = check_job(run.key, CheckJob(attempt=run.attempt, look=run.looks), self._hands)
        if isinstance(seen, Silence) or (isinstance(seen, JobSeen) and not run.looks):
            return
        if isinstance(seen, JobUnseen) and run.wake_at is not None and self._hands.clock.now() < run.wake_at:
            return
        self._told((advance(run.key, seen, self._hands.store),))
        if isinstance(seen, JobUnseen):
            self._told((advance(run.key, Woke(at=self._hands.clock.now()), self._hands.store),))
