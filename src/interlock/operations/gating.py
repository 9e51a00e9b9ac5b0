"""Jobs that are not Interlock's to start: leave to run one, word that it lives, and word of one that runs anyway."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from interlock.api import gating as asked
from interlock.app.advance import advance
from interlock.app.arrivals import Opening
from interlock.app.callbacks import Report
from interlock.app.gate_views import GateView, PingView
from interlock.app.views import RunView, run_view
from interlock.codec import wire
from interlock.codec.documents import mapping
from interlock.core.events import JobSeen, Released
from interlock.core.gate import PAUSED
from interlock.core.ids import Slot, start_key
from interlock.core.runs import STARTED, Cause, Override, Run, RunStatus
from interlock.core.schedules import Window, in_own_zone
from interlock.errors import Conflict, Invalid, NotReady
from interlock.operations.desk import Desk
from interlock.operations.outside import (
    EXTERNAL,
    GATE,
    Place,
    in_shadow,
    is_run_by,
    nothing_open,
    open_for_others,
    really,
    run_by_others,
    standing_words,
    tries_again,
)
from interlock.operations.pipelines import pipeline_of
from interlock.operations.running import completed
from interlock.operations.slots import acted_slot, chosen_window, past_window
from interlock.operations.starting import require_started, run_named
from interlock.operations.taking import READINESS, ask_afresh, conflict, paused, taken
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driven, Driver, Stop
from interlock.runtime.wiring import state_dir
from interlock.triggers.context import TriggerContext
from interlock.triggers.gate import CLAIM, HEARTBEAT, HOLDER, Asker, GateConfig, GateTrigger

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.core.pipelines import PipelineSpec

_TRIES: Final = 3
_LOOKED_AT: Final = 50
_HEARTBEAT: Final = timedelta(seconds=10)
"""How often at least a holder tells that it lives; so it learns soon that it should not."""

OUTSIDE: Final = "started outside of Interlock"


def open_gate(request: asked.OpenGate, desk: Desk) -> GateView:
    """Give leave for the slot's attempt, once, and only when it is READY.

    Raises:
        NotReady: the traits say no, or could not tell.
        Conflict: somebody else has leave, or the slot is done, or ended badly.
        Refused: nothing may start now.
    """
    if request.again != bool(request.reason.strip()):
        raise Invalid("again and a reason go together")
    spec = pipeline_of(desk.project, request.pipeline_id)
    now = desk.clock.now()
    if request.date is None:
        window = chosen_window(spec, now, request.schedule)
    else:
        window = past_window(spec, now, request.schedule, request.date)
    gate = _Gate(request, desk, spec, window)
    if in_shadow(spec):
        return gate.look_on()
    return gate.given_before() or gate.open()


class _Gate:
    """One wish for leave, and the slot's run that it is about."""

    def __init__(self, request: asked.OpenGate, desk: Desk, spec: PipelineSpec, window: Window) -> None:
        self._desk = desk
        self._spec = spec
        self._slot = window.slot
        self._dated = request.date is not None
        self._claim = request.claim
        self._again = request.reason.strip() if request.again else ""
        # Two who asked at once must not take each other's leave for their own.
        own = f"{os.uname().nodename}/{os.getpid()}/{id(self):x}/{desk.clock.now().isoformat()}"
        asker = Asker(holder=request.holder or desk.actor, claim=request.claim or own, heartbeat=request.heartbeat)
        self._asker = asker
        context = TriggerContext(state_dir=state_dir(desk.project), root=desk.project.root)
        self._place = Place(desk.work, spec, window, GATE, lambda: GateTrigger(GateConfig(), context, asker))

    def given_before(self) -> GateView | None:
        """Return the leave that was given to the same claim before; None when there is none, or no claim."""
        if not self._claim:
            return None
        store, latest = self._desk.store, self._desk.store.latest_run(self._slot)
        found = [] if latest is None else [latest]
        if not self._dated:
            # The slot that was the current one when it was asked first may not be so any more.
            found += store.runs_of(self._spec.name, limit=_LOOKED_AT)
        return next((self._leave(run) for run in found if self._has(run)), None)

    def _has(self, run: Run) -> bool:
        if run.status is not RunStatus.RUNNING or not is_run_by(run, GATE, self._place.hands):
            return False
        if run.verifying is not None:
            return False  # whoever had the leave has used it
        said = mapping(run.job_details)
        return (said.get(CLAIM), said.get(HOLDER)) == (self._asker.claim, self._asker.holder)

    def open(self) -> GateView:
        """Take the slot's run, have it judged, and give leave."""
        actor = self._desk.actor
        note = f"{actor}: gate for {self._asker.holder}"
        try:
            self._place.take(actor=actor, note=note, again=self._again, advice="No leave is given")
        except Conflict:
            given = self.given_before()  # the same question, whose answer was lost, may have been answered just now
            if given is None:
                raise
            return given
        driven = self._judged()
        run = driven.run
        if driven.why is Stop.DETACHED and self._has(run):
            return self._leave(run)
        require_started(driven, onward="its job begins only when somebody asks for leave again and gets it")
        if driven.why in (Stop.DETACHED, Stop.ENDED):
            raise taken(run)
        raise conflict(run, f"{standing_words(driven)}. No leave is given")

    def _judged(self) -> Driven:
        why = f"the gate of {self._spec.name}: only who asks for leave begins its job"
        actor, hands = self._desk.actor, self._place.hands
        try:
            driven = self._place.judge()
            for _ in range(_TRIES):
                if driven.why is not Stop.HELD or not driven.run.held_because.endswith(why):
                    break
                # Somebody else asked in vain at the same time, and has left the run held behind us.
                advance(driven.run.key, Released(at=hands.clock.now(), actor=actor), hands.store)
                driven = self._place.judge()
            return driven
        finally:
            # What is left waiting is held: whoever else might let it through has no job to begin.
            self._place.hold(actor, why)
            self._desk.work.ring()

    def _leave(self, run: Run) -> GateView:
        permit = run.permit
        left = None if permit is None else (permit.valid_until - self._desk.clock.now()).total_seconds()
        heartbeat = mapping(run.job_details).get(HEARTBEAT) is True
        pace = self._place.spec.trigger
        may = "may begin" if left is None or left > 0 else "may not begin any more: the time of its leave is over"
        return GateView(
            pipeline_id=run.key.slot.pipeline,
            schedule_id=run.key.slot.schedule,
            date=run.key.slot.period,
            shadow=False,
            run_id=run.key.run_id,
            attempt=run.attempt,
            token=start_key(run.key.run_id, run.attempt),
            valid_until=permit.valid_until if permit else None,
            valid_seconds=None if left is None else max(left, 0.0),
            heartbeat_seconds=min(pace.poll_interval, _HEARTBEAT).total_seconds() if heartbeat and pace else None,
            message=f"attempt {run.attempt} of {run.key} {may}",
            run=run_view(run),
        )

    def look_on(self) -> GateView:
        """Give leave whatever the verdict is, and record beside it what would have happened."""
        slot, actor = self._slot, self._desk.actor
        # Asked again with the same claim, it is the same job.
        number = self._claim or self._desk.clock.now().isoformat()
        words = self._place.would(actor)
        really(
            slot,
            self._place.hands,
            f"gate#{number}#began",
            f"the job of {self._asker.holder} began; {words}",
            began=True,
        )
        self._desk.work.ring()
        return GateView(
            pipeline_id=slot.pipeline,
            schedule_id=slot.schedule,
            date=slot.period,
            shadow=True,
            run_id="",
            attempt=0,
            token="",
            valid_until=None,
            valid_seconds=None,
            heartbeat_seconds=None,
            message=f"{words} (shadow mode)",
            run=None,
        )


def keep_gate(request: asked.KeepGate, desk: Desk) -> RunView:
    """Take word that a job which was given leave still runs.

    Raises:
        Conflict: it should not: its run has ended, or is at another attempt.
    """
    run = run_named(desk.store, request.run_id)
    if run.status is not RunStatus.RUNNING or run.attempt != request.attempt:
        raise conflict(run, f"{run.key} is {run.status} at attempt {run.attempt}: nobody has leave to run this attempt")
    if not is_run_by(run, GATE, desk.work.hands):
        raise conflict(run, f"the job of {run.key} is Interlock's own, and is looked at from there")
    seen = JobSeen(at=desk.clock.now(), attempt=request.attempt)
    told = advance(run.key, seen, desk.work.store).run
    if told.status is not RunStatus.RUNNING:
        raise conflict(told, f"{told.key} is {told.status}: nobody has leave to run this attempt")
    return run_view(told)


def ping(request: asked.Ping, desk: Desk) -> PingView:
    """Take word of a job that Interlock did not start.

    Raises:
        Conflict: it contradicts what is known.
    """
    spec = pipeline_of(desk.project, request.pipeline_id)
    slot = in_own_zone(spec, acted_slot(spec, desk.clock.now(), request.schedule, request.date))
    hands, what = desk.work.hands, request.what
    run: Run | None = None
    if in_shadow(spec):
        words = f"ping {what} {request.reason}".rstrip()
        really(slot, hands, f"ping#{what}", words, began=what == "start")
    else:
        run = _begun(slot, spec, hands, request.reason, desk.actor)
        if what != "start":
            report = Report(succeeded=what == "success", reason=request.reason, by=desk.actor)
            run = completed(run.key, report, desk).run
        elif run.status not in STARTED:
            raise taken(run)
    desk.work.ring()
    return PingView(
        pipeline_id=spec.name,
        schedule_id=slot.schedule,
        date=slot.period,
        shadow=run is None,
        run=None if run is None else run_view(run),
    )


def _begun(slot: Slot, spec: PipelineSpec, hands: Hands, reason: str, actor: str) -> Run:
    """Return the run of a job that somebody else has started: opened, joined, or known already."""
    driver = Driver(hands, SystemPacer(hands.clock))
    latest = hands.store.latest_run(slot)
    if latest is not None and (not nothing_open(latest) or tries_again(latest, EXTERNAL, hands)):
        _require_external(latest, hands)
        if latest.status is not RunStatus.TRIGGERING:
            return latest
        return driver.drive(latest.key, wait=False).run
    names = (READINESS, PAUSED) if paused(spec, hands) else (READINESS,)
    override = Override(actor=actor, reason=OUTSIDE, constraints=names)
    other = run_by_others(spec, EXTERNAL)
    note = f"{actor}: {reason}" if reason else actor
    found = open_for_others(slot, other, hands, cause=Cause.EXTERNAL, note=note, override=override)
    joined = found.how is Opening.JOINED
    run = ask_afresh(hands, found.run, other, override, actor=actor) if joined else found.run
    # Its own trigger may have been let through meanwhile, or wait to try again: that job is another one.
    _require_external(run, hands)
    run = driver.drive(run.key, wait=False).run
    if run.status is RunStatus.PENDING:
        words = f"{run.key} could not be recorded as begun; see: interlock why {slot.pipeline}"
        raise NotReady(words, details={"undecided": True, "run": wire.to_builtins(run_view(run))})
    return run


def _require_external(run: Run, hands: Hands) -> None:
    if not is_run_by(run, EXTERNAL, hands):
        told = f"interlock complete {run.key} --status success|failed"
        raise taken(run, f". To tell how that job ended: {told}")
