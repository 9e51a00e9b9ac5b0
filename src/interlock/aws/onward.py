"""What the state machine does next with a run on which nothing more can be done here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from interlock.app.hands import Hands
from interlock.aws.naming import execution_name
from interlock.aws.parking import wait_of
from interlock.aws.patience import AGAIN, wakes_at
from interlock.aws.state import ROOM, Next, State
from interlock.core.commands import CancelJob, CheckJob, Command, EvaluateTrait, StartJob
from interlock.core.runs import Run, RunStatus

QUOTA: Final = 25_000
"""So many events may stand in the history of an execution of AWS Step Functions; then it fails."""

RENEWED: Final = 10_000
"""After about so many events an execution hands over to a fresh one. It waits then: nothing of it is under way.

Retries of throttled calls are not counted: with them the history may be more than twice as long.
"""

FUNCTION: Final = 5 + 2  # events of a state that calls a function, and of the choice after it
_WAIT: Final = 6
_MAP: Final = 4
_ITEM: Final = 2 + 5

_ENDS: Final = {
    RunStatus.COMPLETED: Next.COMPLETED,
    RunStatus.CANCELLED: Next.CANCELLED,
    RunStatus.FAILED: Next.FAILED,
}


def onward(
    state: State,
    run: Run,
    wishes: Sequence[Command],
    hands: Hands,
    longest: timedelta,
    *,
    idle: timedelta = timedelta(),
) -> State:
    """Return what comes next: carrying out wishes that are somebody else's, waiting, or the end.

    `idle`: the run's time has come and nothing came of it, so that it is left alone for so long.
    """
    state = replace(state, status=run.status.value, spent=state.spent + FUNCTION)
    for kind, following in ((CancelJob, Next.STOP), (StartJob, Next.START)):
        if any(isinstance(wish, kind) for wish in wishes):
            return replace(state, next=following)
    asked = tuple(wish for wish in wishes if isinstance(wish, EvaluateTrait))
    if asked:
        spent = state.spent + _MAP + _ITEM * len(asked)
        return replace(state, next=Next.EVALUATE, evaluate=asked, room=ROOM // len(asked), spent=spent)
    if any(isinstance(wish, CheckJob) for wish in wishes):
        return replace(state, next=Next.CHECK)
    return _resting(state, run, hands, longest, idle)


def _resting(state: State, run: Run, hands: Hands, longest: timedelta, idle: timedelta) -> State:
    now = hands.clock.now()
    postponed = [wish.due_at for wish in hands.store.wishes(run.key)]
    if run.ended and not postponed:
        failure = run.last_failure
        reason = f"{run.key}: {failure.reason}" if failure is not None else f"{run.key} is {run.status}"
        return replace(state, next=_ENDS[run.status], reason=reason, tried=())
    if state.spent >= RENEWED:
        heir = execution_name(run.key, f"r{now.timestamp():.0f}")
        return replace(state, next=Next.RENEW, tried=(), heir=heir)
    due = wakes_at(run, now, longest)
    wanted = [] if due is None else [max(due, now + idle)]
    until = min([*wanted, *postponed], default=now + AGAIN)
    wait = wait_of(run, min(until, now + AGAIN), now)
    return replace(state, next=_waits_for(run, now), wait=wait, spent=state.spent + _WAIT, tried=())


def _waits_for(run: Run, now: datetime) -> Next:
    match run.status:
        case RunStatus.RUNNING if run.doubt:
            return Next.WAIT_FOR_PEOPLE
        case RunStatus.RUNNING:
            return Next.WAIT_FOR_JOB if run.verifying is None else Next.WAIT_FOR_VERIFICATION
        case RunStatus.TRIGGERING:
            return Next.WAIT_FOR_PEOPLE if run.doubt else Next.WAIT_FOR_START
        case RunStatus.COMPLETED_MONITORING:
            return Next.WATCH_FOR_DRIFT
        case RunStatus.PENDING if run.blocked or (run.held_until is not None and now < run.held_until):
            return Next.WAIT_FOR_PEOPLE
        case RunStatus.PENDING if run.not_before is not None and now < run.not_before:
            return Next.WAIT_FOR_RETRY
        case RunStatus.PENDING:
            return Next.WAIT_FOR_READINESS
        case _:
            return Next.WAIT_FOR_JOB  # it has ended, and its job is still to be stopped
