"""Carrying a run as far as it goes now, and answering with it or saying why it does not go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from interlock.app.hands import Hands
from interlock.app.views import run_view
from interlock.codec import wire
from interlock.core.ids import RunKey, parse_run_id
from interlock.core.runs import SUCCEEDED, Run, RunStatus
from interlock.errors import NotFound, NotReady, Refused
from interlock.operations.taking import Found, taken
from interlock.operations.wording import moment, plain
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driven, Driver, Stop
from interlock.stores.askers import AskerRows

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock
    from interlock.stores.repository import Repository

BY_ITSELF: Final = "once nothing holds it back, a watcher starts its job by itself, unless {run} is cancelled before"

Shown: TypeAlias = Callable[[Run], Mapping[str, object]]

_STEP: Final = timedelta(seconds=1)


def carried(hands: Hands, key: RunKey, patience: timedelta) -> Driven:
    """Drive a run until its job runs, or it can go no further now, for so long. A retry is not waited for."""
    pacer = SystemPacer(hands.clock)
    deadline = hands.clock.now() + patience
    while True:
        driven = Driver(hands, pacer).drive(key, wait=False, until=min(hands.clock.now() + _STEP, deadline))
        waits = driven.why is Stop.TIMED_OUT and driven.run.not_before is None
        if not waits or hands.clock.now() >= deadline:
            return driven


def started(work: Interlock, found: Found, who: str, shown: Shown | None = None) -> Run:
    """Carry a run, as it was found, on until its job runs or it has ended, and return it.

    Of all who ask for the same attempt one gets it as an answer. `shown` adds to the details of what was not ready.

    Raises:
        NotReady: its traits say no, or could not tell; it waits.
        Refused: it is ready, and somebody holds it.
        Conflict: it was started for somebody else, or not at all.
    """
    driven = carried(work.hands, found.key, work.patience)
    work.ring()
    if driven.run.status is RunStatus.RUNNING:
        work.afterwards.look_after(found.key, driven.run.attempt)
    require_started(driven, {} if shown is None else shown(driven.run))
    _require_own(work, found, driven.run, who)
    return driven.run


def _require_own(work: Interlock, found: Found, run: Run, who: str) -> None:
    before = found.run
    attempt = before.attempt + 1 if before.status is RunStatus.PENDING else before.attempt
    began = run.attempt >= attempt or run.status in SUCCEEDED
    if began and run.spec_digest != found.digest:
        # Somebody else had it judged by other files, or for a job of his own, after it was asked for here.
        raise taken(run)
    if began and not AskerRows(work.kernel).is_first(run.key, attempt, who, work.clock.now()):
        raise taken(run)
    if not began and (run.ended or run.not_before is not None):
        raise taken(run)


def require_started(driven: Driven, more: Mapping[str, object] = {}, *, onward: str = BY_ITSELF) -> None:
    """See to it that nothing holds a run back. `onward` says what becomes of one that is held back.

    Raises:
        NotReady: its traits say no, or could not tell. `more` goes into the details.
        Refused: it is ready, and somebody holds it.
    """
    run = driven.run
    waits = f"the run waits: {onward.format(run=run.key)}"
    if driven.why is Stop.NOT_READY and run.readiness is not None:
        readiness = run.readiness
        blockers = [one for one in readiness.verdicts if one.trait in readiness.blocking]
        why = "; ".join(f"{one.trait} ({plain(one.reason)})" if one.reason else one.trait for one in blockers)
        details: dict[str, object] = {
            "status": "NOT_READY",
            "blocking": list(readiness.blocking),
            "undecided": readiness.undecided,
            "run": wire.to_builtins(run_view(run)),
        }
        words = f"{run.key.slot} is NOT_READY, blocked by {why}. Nothing was started; {waits}"
        raise NotReady(words, details={**details, **more})
    if driven.why is Stop.HELD:
        held = f"{run.key.slot} is ready, and held until {moment(run.held_until)} by {plain(run.held_because)}"
        details = {"run": wire.to_builtins(run_view(run)), "held": True}
        raise Refused(f"{held}. Nothing was started; {waits}", details={**details, **more})


def key_of(run_id: str) -> RunKey:
    """Read a run id.

    Raises:
        NotFound: it is none, so that no run has it.
    """
    try:
        return parse_run_id(run_id)
    except ValueError as exc:
        raise NotFound(f"there is no such run: {plain(str(exc))}") from exc


def run_named(store: Repository, run_id: str) -> Run:
    """Return a run by its id.

    Raises:
        NotFound: there is none.
    """
    run = store.run(key_of(run_id))
    if run is None:
        raise NotFound(f"there is no run {run_id} (see: interlock history {run_id.partition(':')[0]})")
    return run
