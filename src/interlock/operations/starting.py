"""Carrying a run as far as it goes now, and answering with it or saying why it does not go on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from interlock.app.hands import Hands
from interlock.app.views import run_view
from interlock.codec import wire
from interlock.core.ids import RunKey, parse_run_id
from interlock.core.runs import Run, RunStatus
from interlock.errors import NotFound, NotReady, Refused
from interlock.operations.wording import moment, plain
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driven, Driver, Stop

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock
    from interlock.stores.repository import Repository

LONGEST: Final = timedelta(minutes=10)
"""How long a start is waited for: its traits, and the call of its trigger."""

_STEP: Final = timedelta(seconds=1)


def carried(hands: Hands, key: RunKey) -> Driven:
    """Drive a run until its job runs, or it can go no further now. A retry is not waited for."""
    pacer = SystemPacer(hands.clock)
    deadline = hands.clock.now() + LONGEST
    while True:
        driven = Driver(hands, pacer).drive(key, wait=False, until=hands.clock.now() + _STEP)
        waits = driven.why is Stop.TIMED_OUT and driven.run.not_before is None
        if not waits or hands.clock.now() >= deadline:
            return driven


def started(work: Interlock, key: RunKey) -> Run:
    """Carry a run on until its job runs or it has ended, and return it.

    Raises:
        NotReady: its traits say no, or could not tell; it waits.
        Refused: it is ready, and somebody holds it.
    """
    driven = begun(work, key)
    require_started(driven)
    return driven.run


def begun(work: Interlock, key: RunKey) -> Driven:
    """Carry a run on until its job runs or it can go no further now, and have its job looked after from there."""
    driven = carried(work.hands, key)
    work.ring()
    if driven.run.status is RunStatus.RUNNING:
        work.afterwards.look_after(key, driven.run.attempt)
    return driven


def require_started(driven: Driven, more: Mapping[str, object] = {}) -> None:
    """See to it that nothing holds a run back.

    Raises:
        NotReady: its traits say no, or could not tell. `more` goes into the details.
        Refused: it is ready, and somebody holds it.
    """
    run = driven.run
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
        words = f"{run.key.slot} is NOT_READY, blocked by {why}. Nothing was started; the run waits"
        raise NotReady(words, details={**details, **more})
    if driven.why is Stop.HELD:
        held = f"{run.key.slot} is ready, and held until {moment(run.held_until)} by {plain(run.held_because)}"
        details = {"run": wire.to_builtins(run_view(run)), "held": True}
        raise Refused(f"{held}. Nothing was started", details={**details, **more})


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
