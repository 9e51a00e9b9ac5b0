"""Jobs that are not Interlock's to start: how a slot's run is opened for one, taken, judged, and held for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from interlock.app.advance import advance
from interlock.app.arrivals import Opened, Opening, open_rerun, open_run
from interlock.app.hands import Catalog, Hands
from interlock.app.reruns import Rerun, ask_rerun
from interlock.app.shadow_report import REAL
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.events import EvaluationAsked, Held
from interlock.core.ids import PipelineName, RunKey, Slot
from interlock.core.pipelines import Mode, PipelineSpec, TriggerSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import STARTED, SUCCEEDED, Cause, Override, Run, RunStatus
from interlock.core.schedules import Window
from interlock.errors import Conflict, InterlockError, Refused
from interlock.operations.again import used_up
from interlock.operations.starting import carried
from interlock.operations.taking import (
    against,
    ask_afresh,
    conflict,
    overlapping,
    paused,
    require_nothing,
    take_up,
    taken,
)
from interlock.operations.wording import moment, plain
from interlock.ports.triggers import Job, Trigger
from interlock.runtime.driver import Driven, Stop

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

ONCE: Final = RetrySpec(max_attempts=1)

FOREGROUND: Final = "foreground"
EXTERNAL: Final = "external"
GATE: Final = "gate"

_HELD: Final = timedelta(days=1)
_LOOKS: Final = 3


def run_by_others(spec: PipelineSpec, kind: str) -> PipelineSpec:
    """Return a pipeline as it is when somebody else runs its job: all its own, but for the trigger and the retries.

    Whoever runs the job tries it again, or does not.
    """
    own = spec.trigger
    trigger = TriggerSpec(type=kind)
    if own is not None:
        # Fewer looks than this would miss a holder between two words of its own.
        budget = max(own.poll_budget, _LOOKS)
        trigger = replace(trigger, poll_interval=own.poll_interval, poll_budget=budget)
    return replace(spec, trigger=trigger, retry=ONCE)


def is_run_by(run: Run, kind: str, hands: Hands) -> bool:
    """Say whether a run is one whose job somebody else runs in this way."""
    trigger = hands.store.spec(run.spec_digest).trigger
    return trigger is not None and trigger.type == kind


def only_judged(run: Run) -> bool:
    """Say whether a run is done without any job: that was only asked to be ready, and the job is still to come."""
    return run.status is RunStatus.COMPLETED and run.attempt == 0


def open_for_others(
    slot: Slot, spec: PipelineSpec, hands: Hands, *, cause: Cause, note: str, override: Override | None
) -> Opened:
    """Open the slot's run, or return the one that is there; one that was only judged counts as none."""
    now, latest = hands.clock.now(), hands.store.latest_run(slot)
    if latest is not None and only_judged(latest):
        return open_rerun(slot, spec, hands.store, now, cause=cause, note=note, override=override)
    return open_run(slot, spec, hands.store, now, cause=cause, note=note, override=override)


def nothing_open(latest: Run | None) -> bool:
    """Say whether a slot has no run that counts for a job, or one that waits for it."""
    return latest is None or only_judged(latest) or latest.status is RunStatus.PENDING


def tries_again(run: Run | None, kind: str, hands: Hands) -> bool:
    """Say whether a run waits to start a job of another kind once more: that attempt is not for anybody else to take."""
    return (
        run is not None
        and run.status is RunStatus.PENDING
        and run.not_before is not None
        and not is_run_by(run, kind, hands)
    )


def really(slot: Slot, hands: Hands, name: str, words: str, *, began: bool) -> None:
    """Tell the timeline what a job really did while Interlock only looked on. The same name tells it once."""
    now = hands.clock.now()
    kind = EventKind.TRIGGER_FIRED if began else EventKind.CALLBACK_RECEIVED
    hands.store.note(slot, now, f"real#{name}", (EventRecord(kind=kind, at=now, message=f"{REAL}{words}"),))


def in_shadow(spec: PipelineSpec) -> bool:
    """Say whether Interlock only looks on."""
    return spec.mode is Mode.SHADOW


class _Replaced:
    """The pipelines as the files say, but for one."""

    def __init__(self, catalog: Catalog, spec: PipelineSpec) -> None:
        self._catalog = catalog
        self._spec = spec

    def spec(self, pipeline: PipelineName) -> PipelineSpec | None:
        return self._spec if pipeline == self._spec.name else self._catalog.spec(pipeline)

    def downstream_of(self, pipeline: PipelineName) -> tuple[PipelineName, ...]:
        return self._catalog.downstream_of(pipeline)


class Place:
    """The run of a slot, for a job of somebody else's; only the hands of this place can let the job begin.

    `kind` names the trigger that stands for the job, `trigger` makes it, and `by` says in words who runs it so.
    """

    def __init__(
        self, work: Interlock, own: PipelineSpec, window: Window, kind: str, trigger: Callable[[], Trigger]
    ) -> None:
        self.own = own
        self.spec = run_by_others(own, kind)
        self.window = window
        self.key = RunKey(window.slot)
        self._kind = kind
        self._trigger = trigger
        self._work = work
        self._usual = work.hands
        self.hands: Hands = work.hands._replace(
            trigger_for=self._trigger_for, catalog=_Replaced(work.hands.catalog, self.spec)
        )

    def _trigger_for(self, spec: TriggerSpec, job: Job) -> Trigger:
        if spec.type != self._kind:
            return self._usual.trigger_for(spec, job)
        return self._work.measured(self._trigger(), self._kind)

    def take(self, *, actor: str, note: str, again: str, advice: str) -> Run:
        """Make the slot's run this job's, opened or joined. With a reason in `again` an ended slot is run again.

        Raises:
            Conflict: the slot is somebody else's, or ended badly, or is done: `done` of the details says so.
            Refused: nothing may start now; `advice` is what to do.
        """
        latest = self.hands.store.latest_run(self.window.slot)
        if latest is not None and not only_judged(latest):
            if again:
                return self._taken(self._again(latest, actor, again))
            if latest.status in SUCCEEDED:
                raise taken(latest)
            if latest.ended:
                raise conflict(latest, self._ended_badly(latest))
        if latest is not None and latest.status is RunStatus.PENDING and latest.key.number > 1:
            # What set the window aside when it was opened holds for it as long as it waits.
            require_nothing(self.own, paused(self.own, self.hands), advice)
        elif latest is None or latest.status not in STARTED:
            require_nothing(self.own, against(self.window, self.own, self.hands), advice)
        return self._taken(self._opened(actor, note))

    def _taken(self, run: Run) -> Run:
        self.key = run.key
        return run

    def _opened(self, actor: str, note: str) -> Run:
        found = open_for_others(self.window.slot, self.spec, self.hands, cause=Cause.EXTERNAL, note=note, override=None)
        run = found.run
        if found.how is Opening.ENDED:
            raise taken(run)
        if found.how is Opening.JOINED:
            if tries_again(run, self._kind, self.hands):
                raise taken(run)
            run = ask_afresh(self.hands, run, self.spec, None, actor=actor)
            self._require_own(run)
        if found.how is Opening.RUNNING:
            # Another process may have left it let through, and gone: then the job is still to be begun.
            self._require_own(run)
            self._take_up(run)
        return run

    def _take_up(self, run: Run) -> None:
        try:
            take_up(self.hands, run)
        except Conflict:
            seen = self.hands.store.run(run.key)
            if run.doubt or seen is None or not seen.doubt:
                raise
            # Whoever ran it has died, and this look was the first to notice: that nobody can know is the answer here.

    def _require_own(self, run: Run) -> None:
        if not is_run_by(run, self._kind, self.hands):
            raise taken(run, ": its own trigger is at work")

    def _again(self, latest: Run, actor: str, reason: str) -> Run:
        waits = latest.status is RunStatus.PENDING and latest.key.number > 1
        if waits and is_run_by(latest, self._kind, self.hands):
            # It was opened so before, and was not ready then.
            require_nothing(self.own, paused(self.own, self.hands), f"End it with: interlock resume {self.own.name}")
            return ask_afresh(self.hands, latest, self.spec, None, actor=actor)
        slot = self.window.slot
        found = [*paused(self.own, self.hands), *used_up(slot, self.own, self.hands)]
        found += overlapping(slot, self.own, self.hands)
        if found:
            raise Refused(f"{latest.key.slot} is not run again: {'; '.join(one.words for one in found)}")
        answer = ask_rerun(latest.key, Cause.RERUN, f"{actor}: {reason}", self.hands)
        if answer.how is not Rerun.OPENED or answer.run is None:
            raise Conflict(f"{latest.key.slot} is not run again: {answer.words}. Nothing was started")
        return answer.run

    def _ended_badly(self, run: Run) -> str:
        again = f'interlock exec {self.own.name} --again --reason "…" -- COMMAND'
        return f"{run.key} ended {run.status} at {moment(run.ended_at)}, and a slot runs once. To run it again: {again}"

    def judge(self) -> Driven:
        """Carry the run on until its job is let through, or it can go no further now."""
        return carried(self.hands, self.key, self._work.patience)

    def hold(self, actor: str, why: str) -> None:
        """Let nobody else start what is left waiting. A watcher goes on judging it; only this kind of job may begin."""
        with suppress(InterlockError):
            run = self.hands.store.run(self.key)
            if run is not None and run.status is RunStatus.PENDING and is_run_by(run, self._kind, self.hands):
                now = self.hands.clock.now()
                until = max(run.closes_at or now, now + _HELD)
                advance(self.key, Held(at=now, until=until, actor=actor, reason=why), self.hands.store)

    def would(self, actor: str) -> str:
        """Judge the slot in shadow mode, and say what would have become of the job."""
        now = self.hands.clock.now()
        refused = against(self.window, self.own, self.hands)
        if refused:
            return f"Interlock would have refused it: {'; '.join(one.words for one in refused)}"
        try:
            found = open_run(self.window.slot, self.own, self.hands.store, now, cause=Cause.EXTERNAL, note=actor)
            self.key = found.run.key
            if found.how is Opening.ENDED:
                return "Interlock would not have run it again: a slot runs once"
            if found.how is Opening.JOINED:
                digest = self.hands.store.put_spec(self.own)
                advance(self.key, EvaluationAsked(at=now, actor=actor, spec_digest=digest), self.hands.store)
            driven = self.judge()
        except InterlockError as exc:
            return f"Interlock could not have said: {exc}"
        if driven.why is Stop.NOT_READY:
            return f"Interlock would have held it back: {standing_words(driven)}"
        return "Interlock would have let it through"


def standing_words(driven: Driven) -> str:
    """Say why a run's job did not begin."""
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
