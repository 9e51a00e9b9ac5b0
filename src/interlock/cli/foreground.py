"""How `interlock exec` runs its command: the slot's run is taken, waited for, performed here, and its end recorded."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING, Final

from interlock.app.advance import advance
from interlock.app.arrivals import Opening, open_run
from interlock.app.callbacks import Report, complete
from interlock.app.hands import Catalog, job_of
from interlock.app.reruns import BY_PEOPLE, Rerun, ask_rerun
from interlock.cli.exits import Exit, Leave
from interlock.cli.following import ending, exit_of_run
from interlock.cli.output import moment, plain, tell
from interlock.cli.outside import is_run_by, only_judged, open_for_others, really, run_by_others, tries_again
from interlock.cli.parameters import actor
from interlock.cli.progress import patience
from interlock.cli.taking import Constraint, against, ask_afresh, conflict_words, paused, require_nothing, take_up
from interlock.core.events import EvaluationAsked, Held
from interlock.core.ids import PipelineName, RunKey, start_key
from interlock.core.pipelines import PipelineSpec, TriggerSpec
from interlock.core.runs import STARTED, SUCCEEDED, Cause, Run, RunStatus
from interlock.core.schedules import Window
from interlock.errors import Contention, InterlockError, StoreUnavailable, TriggerError
from interlock.ports.triggers import Job, Trigger
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driven, Driver, Stop
from interlock.runtime.wiring import Interlock, state_dir
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
    from interlock.app.hands import Hands

FOREGROUND: Final = "foreground"
PASSED_ON: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_LOOK: Final = timedelta(seconds=1)
_TRIES: Final = 30
_HELD: Final = timedelta(days=1)


def _watched() -> bool:
    """Say whether anybody reads along. Cron mails whatever is printed, so that progress is for terminals alone."""
    return sys.stderr is not None and sys.stderr.isatty()


class _Replaced:
    """The pipelines as the files say, but for one."""

    def __init__(self, catalog: Catalog, spec: PipelineSpec) -> None:
        self._catalog = catalog
        self._spec = spec

    def spec(self, pipeline: PipelineName) -> PipelineSpec | None:
        return self._spec if pipeline == self._spec.name else self._catalog.spec(pipeline)

    def downstream_of(self, pipeline: PipelineName) -> tuple[PipelineName, ...]:
        return self._catalog.downstream_of(pipeline)


class Play:
    """One command, and the run of the slot that it is for."""

    def __init__(self, work: Interlock, spec: PipelineSpec, window: Window, argv: Sequence[str]) -> None:
        self._work = work
        self._own = spec
        self._spec = run_by_others(spec, FOREGROUND)
        self._window = window
        self._stage = Stage(argv)
        self._context = TriggerContext(state_dir=state_dir(work.project), root=work.project.root)
        self._hands: Hands = work.hands._replace(
            trigger_for=self._trigger_for, catalog=_Replaced(work.hands.catalog, self._spec)
        )
        self._pacer = SystemPacer(work.clock)
        self._key = RunKey(window.slot)

    def _trigger_for(self, spec: TriggerSpec, job: Job) -> Trigger:
        if spec.type == FOREGROUND:
            return ForegroundTrigger(ForegroundConfig(), self._context, self._stage)
        return self._work.hands.trigger_for(spec, job)

    # ------------------------------------------------------------ taking the slot

    def take(self, *, again: str) -> bool:
        """Make the slot's run this command's; False when the slot is done, and nothing is to be run.

        Raises:
            Leave: it may not start now, or the slot is somebody else's, or ended badly.
        """
        latest = self._work.store.latest_run(self._window.slot)
        if again and latest is not None and not only_judged(latest):
            self._key = self._again(latest, again).key
            return True
        if latest is not None and not only_judged(latest):
            if latest.status in SUCCEEDED:
                if _watched():
                    tell(f"interlock: {conflict_words(latest)}")
                return False
            if latest.ended:
                raise Leave(Exit.CONFLICT, self._ended_badly(latest))
        if latest is None or latest.status not in STARTED:
            found = against(self._window, self._own, self._hands)
            require_nothing(self._own, found, "The command was not run")
        self._open()
        return True

    def _open(self) -> None:
        found = open_for_others(
            self._window.slot, self._spec, self._hands, cause=Cause.EXTERNAL, note=f"{actor()}: exec", override=None
        )
        self._key = found.run.key
        if found.how is Opening.ENDED:
            raise Leave(Exit.CONFLICT, conflict_words(found.run))
        if found.how is Opening.JOINED:
            if tries_again(found.run, FOREGROUND, self._hands):
                raise Leave(Exit.CONFLICT, conflict_words(found.run))
            self._mine(ask_afresh(self._hands, found.run, self._spec, None))
        if found.how is Opening.RUNNING:
            # Another process may have left it let through, and gone: then the command is still to be started.
            self._mine(found.run)
            with self._signals(), patience("looking at how the slot's run stands", quiet=not _watched()):
                take_up(self._hands, found.run)

    def _mine(self, run: Run) -> None:
        if not is_run_by(run, FOREGROUND, self._hands):
            raise Leave(Exit.CONFLICT, f"{conflict_words(run)}: its own trigger is at work")

    def _again(self, latest: Run, reason: str) -> Run:
        used, allowed = self._work.store.count_runs(self._window.slot, BY_PEOPLE), self._own.reruns.manual
        found = paused(self._own, self._hands)
        if used >= allowed:
            found.append(Constraint("budget", f"the budget of reruns for people is used up: {used} of {allowed}"))
        if found:
            raise Leave(Exit.REFUSED, f"{latest.key.slot} is not run again: {'; '.join(one.words for one in found)}")
        answer = ask_rerun(latest.key, Cause.RERUN, f"{actor()}: {reason}", self._hands)
        if answer.how is not Rerun.OPENED or answer.run is None:
            raise Leave(Exit.CONFLICT, f"{latest.key.slot} is not run again: {answer.words}. Nothing was started")
        return answer.run

    def _ended_badly(self, run: Run) -> str:
        again = f'interlock exec {self._own.name} --again --reason "…" -- COMMAND'
        return f"{run.key} ended {run.status} at {moment(run.ended_at)}, and a slot runs once. To run it again: {again}"

    # ------------------------------------------------------------ performing

    def perform(self, until: datetime | None, *, done: int) -> int:
        """Run the command as soon as its slot is READY, record its end, and return its exit status.

        `done` is returned when somebody else has served the slot meanwhile.

        Raises:
            Leave: it was not started.
        """
        with self._signals():
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
        with patience(f"asking the traits of {self._own.name}", quiet=not _watched()):
            driven = self._driven()
        said = False
        while driven.why in (Stop.NOT_READY, Stop.HELD) and not self._stage.began:
            now = self._work.clock.now()
            if until is None or now >= until:
                break
            if not said and _watched():
                tell(f"interlock: {self._words(driven)}; waiting until {moment(until)}")
                said = True
            self._pacer.until(min(now + _LOOK, until))
            Driver(self._hands, self._pacer).catch_up(self._key)
            driven = self._driven()
        if self._stage.began:
            return None
        if self._stage.refused is not None:
            tell(f"interlock: {ending(driven.run)}")
            return self._stage.refused
        return self._not_run(driven, until, done)

    def _not_run(self, driven: Driven, until: datetime | None, done: int) -> int:
        if driven.run.status in SUCCEEDED:
            return done
        if driven.why is Stop.DETACHED:
            raise Leave(Exit.CONFLICT, conflict_words(driven.run))
        code = exit_of_run(driven)
        if until is not None and driven.why is Stop.NOT_READY:
            code = Exit.TIMED_OUT
        raise Leave(code, f"{self._words(driven)}. The command was not run")

    def _driven(self) -> Driven:
        return Driver(self._hands, self._pacer).drive(self._key, wait=False)

    def _words(self, driven: Driven) -> str:
        run = driven.run
        if driven.why is Stop.NOT_READY and run.readiness is not None:
            blockers = [one for one in run.readiness.verdicts if one.trait in run.readiness.blocking]
            why = "; ".join(f"{one.trait} ({plain(one.reason)})" for one in blockers)
            return f"{run.key.slot} is NOT_READY, blocked by {why}"
        if driven.why is Stop.HELD:
            return f"{run.key.slot} is held until {moment(run.held_until)} by {plain(run.held_because)}"
        if run.doubt:
            return f"{run.key} is in doubt: {plain(run.doubt)}"
        if run.status is RunStatus.CANCELLED:
            return f"{run.key} was given up or cancelled: {run.closes_because}"
        return f"{run.key} is {run.status}"

    def _hold(self) -> None:
        # A watcher goes on judging the run that is left behind. It must not let it through: only this command may start.
        with suppress(InterlockError):
            run = self._work.store.run(self._key)
            if run is not None and run.status is RunStatus.PENDING and is_run_by(run, FOREGROUND, self._hands):
                now = self._work.clock.now()
                until = max(run.closes_at or now, now + _HELD)
                why = f"interlock exec {self._own.name}: only that starts its command"
                advance(self._key, Held(at=now, until=until, actor=actor(), reason=why), self._work.store)

    def _record(self, code: int) -> None:
        told = ended(code)
        report = Report(succeeded=code == 0, category=told.category, reason=told.reason, by=actor())
        for left in reversed(range(_TRIES)):
            try:
                complete(self._key, report, self._work.store, self._work.clock.now())
                Driver(self._hands, self._pacer).catch_up(self._key)
            except (StoreUnavailable, Contention) as exc:
                if not left:
                    tell(
                        f"interlock: the command ended with {shell_status(code)}, and that could not be recorded: {exc}"
                    )
                self._pacer.until(self._work.clock.now() + _LOOK)
            except InterlockError as exc:
                tell(f"interlock: the command ended with {shell_status(code)}, and that could not be recorded: {exc}")
                return
            else:
                return

    # ------------------------------------------------------------ shadow

    def look_on(self) -> int:
        """Run the command whatever the verdict is, and record beside it what would have happened."""
        slot = self._window.slot
        with self._signals():
            number, words = self._would()
            really(slot, self._hands, f"exec#{number}#began", f"the command began; {words}", began=True)
            job = job_of(self._key, 1, start_key(self._key.run_id, 1))
            try:
                self._stage.start(job, self._context.described(job))
            except TriggerError as exc:
                tell(f"interlock: {exc}")
                return self._stage.refused or NOT_RUNNABLE
            code = self._stage.wait()
            said = ended(code).reason or "the command succeeded"
            really(slot, self._hands, f"exec#{number}#ended", said, began=False)
        return shell_status(code)

    def _would(self) -> tuple[str, str]:
        now = self._work.clock.now()
        name = now.isoformat()
        refused = against(self._window, self._own, self._hands)
        if refused:
            return name, f"Interlock would have refused it: {'; '.join(one.words for one in refused)}"
        try:
            found = open_run(self._window.slot, self._own, self._work.store, now, cause=Cause.EXTERNAL, note="exec")
            self._key = found.run.key
            if found.how is Opening.ENDED:
                return name, "Interlock would not have run it again: a slot runs once"
            if found.how is Opening.JOINED:
                digest = self._work.store.put_spec(self._own)
                advance(self._key, EvaluationAsked(at=now, actor=actor(), spec_digest=digest), self._work.store)
            with patience(f"asking the traits of {self._own.name}", quiet=not _watched()):
                driven = self._driven()
        except InterlockError as exc:
            return name, f"Interlock could not have said: {exc}"
        if driven.why is Stop.NOT_READY:
            return name, f"Interlock would have held it back: {self._words(driven)}"
        return name, "Interlock would have let it through"

    # ------------------------------------------------------------ signals

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Hand signals to the command as soon as there is one; before that they end this process as usual."""
        from interlock.cli.main import Terminated

        def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (the shape of a signal handler)
            if self._stage.pass_on(number) or number in (signal.SIGUSR1, signal.SIGUSR2):
                return
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated

        # What nobody here heeds (nohup), the command need not either.
        before = {number: signal.getsignal(number) for number in PASSED_ON}
        heeded = [number for number, known in before.items() if known is not signal.SIG_IGN]
        for number in heeded:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number in heeded:
                signal.signal(number, before[number])
