"""Taking a slot's run as one's own: what speaks against it, what is overridden, and how a waiting one is asked afresh."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from interlock.app.advance import advance
from interlock.app.arrivals import Opened, Opening
from interlock.app.opening import Refusal, overlap, pause_words, refusals
from interlock.app.views import run_view
from interlock.codec import wire
from interlock.core.events import EvaluationAsked, Released
from interlock.core.gate import PAUSED
from interlock.core.ids import RunKey, Slot
from interlock.core.runs import SUCCEEDED, Override, Run, RunStatus
from interlock.errors import Conflict, Invalid, Refused
from interlock.operations.wording import moment, plain

if TYPE_CHECKING:
    from interlock.app.hands import Hands
    from interlock.core.pipelines import PipelineSpec
    from interlock.core.schedules import Window

READINESS: Final = "readiness"
NAMES: Final = {
    Refusal.EARLY: "window",
    Refusal.EXCLUDED: "exclusion",
    Refusal.CLOSED: "closed",
    Refusal.PAUSED: PAUSED,
    Refusal.OVERLAPS: "overlap",
    Refusal.QUEUED: "overlap",
}
"""How an override names each constraint."""

_ROUND: Final = timedelta(minutes=2)
_STEP: Final = timedelta(milliseconds=100)


class Constraint(NamedTuple):
    """One thing that speaks against a start, by its name and in words."""

    name: str
    words: str


class Found(NamedTuple):
    """A run as it was when somebody took it as his own, and the digest of the spec that he has it judged by."""

    run: Run
    digest: str

    @property
    def key(self) -> RunKey:
        """Its name."""
        return self.run.key


def against(window: Window, spec: PipelineSpec, hands: Hands) -> list[Constraint]:
    """Return everything that speaks against starting work on a slot now."""
    found = refusals(window, spec, hands, hands.clock.now())
    return [Constraint(NAMES[each.why], f"{window.slot.period}: {plain(each.words)}") for each in found]


def overriding(
    spec: PipelineSpec, found: Sequence[Constraint], *, actor: str, force: bool, reason: str
) -> Override | None:
    """Return the override that was asked for; None when nothing is forced and nothing speaks against it.

    Raises:
        Refused: something speaks against it, and it is not forced.
        Invalid: it is forced without a reason.
    """
    if force:
        if not reason.strip():
            raise Invalid("force needs a reason: an override without a reason cannot be judged later")
        names = dict.fromkeys((*(one.name for one in found), READINESS))
        return Override(actor=actor, reason=reason.strip(), constraints=tuple(names))
    require_nothing(spec, found, "Go on all the same with: force and a reason")
    return None


def require_nothing(spec: PipelineSpec, found: Sequence[Constraint], advice: str) -> None:
    """See to it that nothing speaks against a start.

    Raises:
        Refused: something does.
    """
    if found:
        listed = "; ".join(one.words for one in found)
        constraints = [one.name for one in found]
        words = f"nothing of {spec.name} may start now: {listed}. {advice}"
        raise Refused(words, details={"constraints": constraints})


def paused(spec: PipelineSpec, hands: Hands) -> list[Constraint]:
    """Return the pause of a pipeline, if it is paused now."""
    words = pause_words(spec.name, hands, hands.clock.now())
    return [Constraint(PAUSED, plain(words))] if words else []


def overlapping(slot: Slot, spec: PipelineSpec, hands: Hands) -> list[Constraint]:
    """Return the run that a run of this slot may not overlap with, if there is one now."""
    found = overlap(slot, spec, hands)
    return [] if found is None else [Constraint(NAMES[found.why], f"{slot.period}: {plain(found.words)}")]


def join(hands: Hands, found: Opened, spec: PipelineSpec, override: Override | None, *, actor: str) -> None:
    """Make an opened run one's own: a waiting one is asked afresh, by the files as they are now.

    One that was left behind in the middle, by a process that died, is taken up where it stands.

    Raises:
        Conflict: it has ended, or is under way and somebody else's.
    """
    run = found.run
    if found.how is Opening.ENDED:
        raise taken(run)
    if found.how is Opening.RUNNING:
        take_up(hands, run)
    if found.how is Opening.JOINED:
        asked = ask_afresh(hands, run, spec, override, actor=actor)
        if asked.status is not RunStatus.PENDING and asked.spec_digest != hands.store.put_spec(spec):
            # It was let through meanwhile by other files, or for a job of somebody else's: not what is asked for here.
            raise taken(asked)


def ask_afresh(hands: Hands, run: Run, spec: PipelineSpec, override: Override | None, *, actor: str) -> Run:
    """Have a waiting run judged anew, by a spec and under an override, and let nobody hold it but a pause.

    A round under way is waited for: it belongs to the spec that it began with.
    """
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    digest = hands.store.put_spec(spec)
    pacer = SystemPacer(hands.clock)
    deadline = hands.clock.now() + _ROUND
    while True:
        now = hands.clock.now()
        asked = EvaluationAsked(at=now, actor=actor, spec_digest=digest, override=override)
        run = advance(run.key, asked, hands.store).run
        won = run.spec_digest == digest and (override is None or run.override == override)
        retried = run.not_before is not None and now < run.not_before
        if won or retried or run.status is not RunStatus.PENDING or now >= deadline:
            break
        Driver(hands, pacer).catch_up(run.key)
        pacer.until(now + _STEP)
    return _let_go(hands, run, override, actor)


def _let_go(hands: Hands, run: Run, override: Override | None, actor: str) -> Run:
    # Who runs a job of its own holds what it leaves waiting, so that nobody else starts it. Whoever comes to start it
    # lets go.
    now = hands.clock.now()
    overridden = override is not None and PAUSED in override.constraints
    if run.held_until is None or (pause_words(run.key.slot.pipeline, hands, now) and not overridden):
        return run
    return advance(run.key, Released(at=now, actor=actor), hands.store).run


def take_up(hands: Hands, run: Run) -> None:
    """Do what the last driver of a run that was let through may have left undone.

    Raises:
        Conflict: there was nothing to do: the run is somebody else's. That its job has just ended makes no difference.
    """
    from interlock.runtime.clock import SystemPacer
    from interlock.runtime.driver import Driver

    changed = Driver(hands, SystemPacer(hands.clock)).catch_up(run.key)
    if changed and run.status is RunStatus.TRIGGERING:
        return
    if changed:
        raise taken(hands.store.run(run.key) or run)
    claim = hands.store.claim(run.key, run.attempt) if run.status is RunStatus.TRIGGERING else None
    busy = f". Its start is surely over at {moment(claim.until)}: ask again then" if claim and not run.doubt else ""
    raise taken(run, busy)


def free(hands: Hands, slot: Slot) -> bool:
    """Say whether a slot's run is still to be opened, or waits.

    Raises:
        Conflict: it has ended, or done what it is for.
    """
    run = hands.store.latest_run(slot)
    if run is not None and (run.ended or run.status in SUCCEEDED):
        raise taken(run)
    return run is None or run.status is RunStatus.PENDING


def taken(run: Run, more: str = "") -> Conflict:
    """Say that a slot's run is somebody else's, or over. `done` of the details: what it is for is done."""
    return conflict(run, conflict_words(run) + more)


def conflict(run: Run, words: str) -> Conflict:
    """Say in words of one's own that a run stands otherwise than is asked for."""
    details = {"run": wire.to_builtins(run_view(run)), "done": run.status in SUCCEEDED}
    return Conflict(words, details=details)


def conflict_words(run: Run) -> str:
    """Say why a slot's run is not started, and how it could be run again."""
    slot = run.key.slot
    again = f'interlock rerun {slot.pipeline} --schedule {slot.schedule} --date {slot.period} --reason "…"'
    if run.status is RunStatus.COMPLETED_MONITORING:
        until = moment(run.monitor.until) if run.monitor else ""
        over = again.replace("interlock rerun", "interlock cancel", 1)
        return (
            f"{slot} completed at {moment(run.succeeded_at)} and is watched for drift until {until}; a slot runs once. "
            f"Nothing was started. It can be run again when the watch is over. To end the watch now: {over}"
        )
    if run.status is RunStatus.PENDING:
        if run.not_before is not None:
            why = f"its attempt {run.attempt} failed, and the next begins no earlier than {moment(run.not_before)}"
            return f"{run.key} waits: {why}. Nothing was started"
        goes_on = f"interlock run {slot.pipeline} --schedule {slot.schedule}"
        return (
            f"{run.key} waits already, at attempt {run.attempt}. Nothing was started. To have it judged now: {goes_on}"
        )
    if not run.ended:
        doubt = f", in doubt: {plain(run.doubt)}" if run.doubt else ""
        return (
            f"{slot} is {run.status} already (run {run.key.run_id}, attempt {run.attempt}{doubt}). Nothing was started"
        )
    how = "completed" if run.status is RunStatus.COMPLETED else f"ended {run.status}"
    when = moment(run.ended_at)
    return f"{slot} {how} at {when}, and a slot runs once. Nothing was started. To run it again: {again}"
