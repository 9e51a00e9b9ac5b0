"""How `interlock exec` runs its command: the slot's run is taken, waited for, performed here, and its end recorded."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from interlock.app.callbacks import Report, complete
from interlock.app.hands import job_of
from interlock.app.views import run_view
from interlock.cli.exits import Exit, Leave
from interlock.cli.following import TELLING, Followed, ending, exit_of_run
from interlock.cli.output import moment, tell
from interlock.cli.progress import patience, watched
from interlock.cli.staging import signals
from interlock.core.ids import start_key
from interlock.core.runs import SUCCEEDED
from interlock.errors import Conflict, Contention, InterlockError, StoreUnavailable, TriggerError
from interlock.operations.outside import FOREGROUND, Place, really, standing_words
from interlock.operations.taking import taken
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driven, Driver, Stop
from interlock.runtime.wiring import state_dir
from interlock.triggers.context import TriggerContext
from interlock.triggers.foreground import (
    NOT_RUNNABLE,
    ForegroundConfig,
    ForegroundTrigger,
    Stage,
    ended,
    shell_status,
)

if TYPE_CHECKING:
    from interlock.core.pipelines import PipelineSpec
    from interlock.core.schedules import Window
    from interlock.operations.desk import Desk
    from interlock.ports.triggers import Trigger

_LOOK: Final = timedelta(seconds=1)
_TRIES: Final = 30


class Play:
    """One command, and the run of the slot that it is for."""

    def __init__(self, desk: Desk, spec: PipelineSpec, window: Window, argv: Sequence[str]) -> None:
        self._work = desk.work
        self._actor = desk.actor
        self._own = spec
        self._stage = Stage(argv)
        self._context = TriggerContext(state_dir=state_dir(desk.project), root=desk.project.root)
        self._place = Place(self._work, spec, window, FOREGROUND, self._trigger)
        self._pacer = SystemPacer(self._work.clock)

    def _trigger(self) -> Trigger:
        return ForegroundTrigger(ForegroundConfig(), self._context, self._stage)

    def take(self, *, again: str) -> bool:
        """Make the slot's run this command's; False when the slot is done, and nothing is to be run.

        Raises:
            Declined: it may not start now, or the slot is somebody else's, or ended badly.
        """
        note = f"{self._actor}: exec"
        try:
            with signals(self._stage), patience("looking at how the slot's run stands", quiet=not watched()):
                self._place.take(actor=self._actor, note=note, again=again, advice="The command was not run")
        except Conflict as exc:
            if not exc.details.get("done"):
                raise
            if watched():
                tell(f"interlock: {exc}")
            return False
        return True

    # ------------------------------------------------------------ performing

    def perform(self, until: datetime | None, *, done: int) -> int:
        """Run the command as soon as its slot is READY, record its end, and return its exit status.

        `done` is returned when somebody else has served the slot meanwhile.

        Raises:
            Leave: it was not started.
        """
        with signals(self._stage):
            try:
                instead = self._instead(until, done)
                if instead is not None:
                    return instead
            except KeyboardInterrupt as exc:
                if self._stage.close():
                    raise
                self._stage.pass_on(signal.SIGINT if type(exc) is KeyboardInterrupt else signal.SIGTERM)
            except Exception as exc:  # what runs is waited for, whatever became of its record
                if not self._stage.began:
                    raise
                tell(f"interlock: the command runs, and it could not be recorded: {exc}")
            finally:
                if not self._stage.began:
                    self._hold()
            self._work.ring()
            code = self._stage.wait()
            self._record(code)
        return shell_status(code)

    def _instead(self, until: datetime | None, done: int) -> int | None:
        """Wait until the command is started: then None. Else what to leave with instead of its exit status.

        Raises:
            Leave: the interlock does not let it start.
        """
        with patience(f"asking the traits of {self._own.name}", quiet=not watched()):
            driven = self._driven()
        said = False
        while driven.why in (Stop.NOT_READY, Stop.HELD) and not self._stage.began:
            now = self._work.clock.now()
            if until is None or now >= until:
                break
            if not said and watched():
                tell(f"interlock: {standing_words(driven)}; waiting until {moment(until)}")
                said = True
            self._pacer.until(min(now + _LOOK, until))
            self._driver().catch_up(self._place.key)
            driven = self._driven()
        if self._stage.began:
            return None
        if self._stage.refused is not None:
            tell(f"interlock: {ending(run_view(driven.run))}")
            return self._stage.refused
        return self._not_run(driven, until, done)

    def _not_run(self, driven: Driven, until: datetime | None, done: int) -> int:
        if driven.run.status in SUCCEEDED:
            return done
        if driven.why is Stop.DETACHED:
            raise taken(driven.run)
        code = exit_of_run(Followed(run_view(driven.run), driven.why))
        if until is not None and driven.why is Stop.NOT_READY:
            code = Exit.TIMED_OUT
        raise Leave(code, f"{standing_words(driven)}. The command was not run")

    def _driven(self) -> Driven:
        return self._driver().drive(self._place.key, wait=False)

    def _driver(self) -> Driver:
        return Driver(self._place.hands, self._pacer, telling=partial(patience, TELLING, quiet=not watched()))

    def _hold(self) -> None:
        # A watcher goes on judging the run that is left behind. It must not let it through: only this command may start.
        self._place.hold(self._actor, f"interlock exec {self._own.name}: only that starts its command")

    def _record(self, code: int) -> None:
        told = ended(code)
        report = Report(succeeded=code == 0, category=told.category, reason=told.reason, by=self._actor)
        for left in reversed(range(_TRIES)):
            try:
                complete(self._place.key, report, self._work.store, self._work.clock.now())
                self._driver().catch_up(self._place.key)
            except (StoreUnavailable, Contention) as exc:
                # Whoever asks this process to go does not wait for a store that may never come back.
                if not left or self._stage.hurried:
                    self._unrecorded(code, exc)
                    return
                self._pacer.until(self._work.clock.now() + _LOOK)
            except InterlockError as exc:
                self._unrecorded(code, exc)
                return
            else:
                return

    def _unrecorded(self, code: int, error: InterlockError) -> None:
        word = "failed" if code else "success"
        by_hand = f"interlock complete {self._place.key} --status {word}"
        what = f"the command ended with {shell_status(code)}, and that could not be recorded"
        tell(f"interlock: {what}: {error}. Once the store can be used again: {by_hand}")

    # ------------------------------------------------------------ shadow

    def look_on(self) -> int:
        """Run the command whatever the verdict is, and record beside it what would have happened."""
        slot, hands = self._place.window.slot, self._place.hands
        with signals(self._stage):
            number = self._work.clock.now().isoformat()
            with patience(f"asking the traits of {self._own.name}", quiet=not watched()):
                words = self._place.would(f"{self._actor}: exec")
            really(slot, hands, f"exec#{number}#began", f"the command began; {words}", began=True)
            job = job_of(self._place.key, 1, start_key(self._place.key.run_id, 1))
            try:
                self._stage.start(job, self._context.described(job))
            except TriggerError as exc:
                tell(f"interlock: {exc}")
                return self._stage.refused or NOT_RUNNABLE
            code = self._stage.wait()
            said = ended(code).reason or "the command succeeded"
            really(slot, hands, f"exec#{number}#ended", said, began=False)
        return shell_status(code)
