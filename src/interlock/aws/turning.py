"""One turn on a run: what every function of the state machine but the evaluator does.

What was learned is told, wishes that are this function's are carried out, time is told, and the state machine hears what
comes next. Functions differ in which wishes they may carry out, and so in what they are allowed to do on AWS. Any of them
may be called twice, or die anywhere: what it was asked to do stays wished until somebody has done it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from interlock.app.advance import advance
from interlock.app.hands import Hands, Silence
from interlock.app.notifying import raise_alert
from interlock.app.perform import perform
from interlock.app.postponing import LONGEST_PAUSE, about_run, is_wanted, put_off
from interlock.aws.onward import FUNCTION, onward
from interlock.aws.patience import LONGEST
from interlock.aws.state import Asked, Lost, Next, State
from interlock.clients.texts import cleaned
from interlock.core.alerts import AlertType
from interlock.core.commands import (
    AskRerun,
    CancelJob,
    CheckJob,
    Command,
    EvaluateTrait,
    NotifyDownstream,
    PublishEnd,
    RaiseAlert,
    ResolveAlert,
    StartJob,
)
from interlock.core.events import TraitEvaluated, TriggerAccepted, Woke
from interlock.core.ids import CommandId, RunKey, parse_run_id
from interlock.core.runs import Run
from interlock.core.traits import FailureCategory, Origin, TraitResult, TraitStatus
from interlock.errors import InterlockError, NotFound
from interlock.ports.stores import Wish
from interlock.runtime.looks import Look, take_a_look

Kinds: TypeAlias = tuple[type[Command], ...]

KEPT: Final[Kinds] = (RaiseAlert, ResolveAlert, NotifyDownstream, AskRerun, PublishEnd)
"""What only writes to the store: any function of the state machine does it."""

STARTS: Final[Kinds] = (StartJob,)
LOOKS: Final[Kinds] = (CheckJob, CancelJob)

STUMBLES: Final = 10
"""After so many states that died in a row an execution fails, which people are told; the scheduler starts another."""

_ROUNDS: Final = 60
_LONGEST_NAME: Final = 300
_NOT_CALLED: Final = (
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "StoreUnavailable",
    "Contention",
)
_TIMED_OUT: Final = ("States.Timeout", "Sandbox.Timedout", "States.HeartbeatTimeout")


class Bounds(NamedTuple):
    """How long an execution waits at the most, and whether this call has to come to an end."""

    longest: timedelta = LONGEST
    over: Callable[[], bool] = lambda: False


UNBOUNDED: Final = Bounds()


def turn(state: State, hands: Hands, mine: Kinds = (), bounds: Bounds = UNBOUNDED) -> State:
    """Do for a run what can be done now, and say what comes next.

    Raises:
        StoreError: the store cannot be used; the turn can be made again.
        Contention: others kept changing the run first.
        UnsafeDecision: the core decided something that a safety constraint forbids; nothing was written.
    """
    try:
        key = parse_run_id(state.run)
    except ValueError as exc:
        return _unknown(state, str(exc), hands)
    if state.lost is not None and state.stumbles + 1 >= STUMBLES:
        return replace(state, next=Next.BROKEN, answers=(), evaluate=())
    if hands.store.run(key) is None:
        return _unknown(state, f"there is no run {key}: it was never opened, or its history was removed", hands)
    return _Turn(key, state, hands, (*KEPT, *mine), bounds).take()


def _unknown(state: State, reason: str, hands: Hands) -> State:
    run, reason = cleaned(state.run, _LONGEST_NAME), cleaned(reason, 2 * _LONGEST_NAME)
    message = f"an execution was started for {run!r}, which nobody can work on: {reason}"
    raise_alert(about_run(AlertType.RUN_POISONED, f"execution/{run}", message, None, hands), hands)
    return State(run=run, spent=state.spent, next=Next.UNKNOWN, reason=reason)


class _Turn:
    """One turn. `tried` are the wishes that could not be carried out since the run's time has come."""

    def __init__(self, key: RunKey, state: State, hands: Hands, mine: Kinds, bounds: Bounds) -> None:
        self._key = key
        self._state = state
        self._hands = hands
        self._mine = mine
        self._bounds = bounds
        self._tried = dict.fromkeys(state.tried)
        self._untried: set[CommandId] = set()

    def take(self) -> State:
        hands, key = self._hands, self._key
        self._hear(self._state.answers)
        if self._state.lost is not None:
            self._lost()
        for _ in range(_ROUNDS):
            # The run after its wishes: what it does not ask by then it will never ask again.
            now, there = hands.clock.now(), hands.store.wishes(key)
            run = self._run()
            wishes = self._wanted(there, run, now)
            own = [wish for wish in wishes if isinstance(wish, self._mine)]
            if self._bounds.over():
                break
            if own:
                for wish in own:
                    self._carry_out(wish)
            elif wishes:
                return onward(self._kept_state(), run, wishes, hands, self._bounds.longest)
            elif self._left_untried():
                return onward(self._kept_state(), run, (), hands, self._bounds.longest, idle=LONGEST_PAUSE)
            elif run.due_at is not None and now >= run.due_at:
                # Only now: what was wished before, and never tried, goes before the time.
                told = advance(key, Woke(at=now), hands.store)
                if not told.changed:
                    return onward(self._kept_state(), run, (), hands, self._bounds.longest, idle=LONGEST_PAUSE)
                self._tried.clear()
            else:
                return onward(self._kept_state(), run, (), hands, self._bounds.longest)
        return replace(self._kept_state(), next=Next.STEP, spent=self._state.spent + FUNCTION)

    def _kept_state(self) -> State:
        stumbles = 0 if self._state.lost is None else self._state.stumbles + 1
        return State(run=self._state.run, spent=self._state.spent, tried=tuple(self._tried), stumbles=stumbles)

    def _run(self) -> Run:
        run = self._hands.store.run(self._key)
        if run is None:
            raise NotFound(f"the run {self._key} was removed while it was being worked on")
        return run

    # ------------------------------------------------------------------ what was learned elsewhere

    def _hear(self, answers: Sequence[Asked]) -> None:
        asking = {wish.id: wish for wish in self._hands.store.outstanding(self._key)} if answers else {}
        for asked in answers:
            if asking.get(asked.wish.id) != asked.wish:
                continue  # it was answered before; or nobody asked, and another wish would be struck
            fact = asked.fact if asked.lost is None else self._unanswered(asked, asked.lost)
            if fact is not None:  # else the run does not ask it any more, and it is struck with others of that kind
                advance(self._key, fact, self._hands.store, settles=asked.wish.id)

    def _unanswered(self, asked: Asked, lost: Lost) -> TraitEvaluated:
        """A function that died instead of answering has said nothing about the data, and something about itself."""
        now = self._hands.clock.now()
        result = TraitResult(
            trait=asked.wish.trait,
            status=TraitStatus.ERROR,
            observed_at=now,
            answered_at=now,
            reason=f"the evaluator function did not answer: {lost}",
            category=_category(lost.error),
            origin=Origin.RUNNER,
        )
        return TraitEvaluated(at=now, round=asked.wish.round, result=result)

    def _lost(self) -> None:
        """Another function died over this run's wishes: they are tried again, later each time."""
        now = self._hands.clock.now()
        for wish in self._hands.store.wishes(self._key):
            if isinstance(wish.command, (*STARTS, *LOOKS)) and wish.due_at <= now:
                # Whether it was tried, nobody knows: it goes before the time all the same.
                put_off(self._key, wish.command, self._hands)
                self._untried.add(wish.command.id)

    def _left_untried(self) -> bool:
        """Say whether a start waits to be tried again that may never have been tried."""
        return any(
            isinstance(wish, StartJob) and wish.id in self._untried for wish in self._hands.store.outstanding(self._key)
        )

    # ------------------------------------------------------------------ wishes

    def _wanted(self, wishes: Sequence[Wish], run: Run, now: datetime) -> list[Command]:
        """Return the wishes to be tried now. Questions that the run does not ask any more are struck."""
        found: list[Command] = []
        for wish in wishes:
            if isinstance(wish.command, EvaluateTrait) and not _asks(run, wish.command):
                self._hands.store.settle(self._key, wish.command.id)
            elif self._is_wanted(wish, run, now):
                found.append(wish.command)
        return found

    def _is_wanted(self, wish: Wish, run: Run, now: datetime) -> bool:
        due = run.due_at is not None and run.due_at <= now
        left = wish.command.id in self._tried or wish.command.id in self._untried
        return is_wanted(wish, now) or (due and not left)

    def _carry_out(self, wish: Command) -> None:
        learned = perform(self._key, wish, self._hands)
        if learned is Silence.LATER:
            self._later(wish)
        elif learned is Silence.SETTLED:
            self._hands.store.settle(self._key, wish.id)
        else:
            advance(self._key, learned, self._hands.store, settles=wish.id)
            if isinstance(learned, TriggerAccepted):
                self._glance(learned.attempt)

    def _glance(self, attempt: int) -> None:
        """Look at once where that costs nothing: some jobs are done when their start is."""
        now = self._hands.clock.now()
        with suppress(InterlockError):  # it was a courtesy: the run's own look says what is wrong
            take_a_look(Look(now, self._key, attempt, timedelta()), self._hands, lambda _told: None)

    def _later(self, wish: Command) -> None:
        put_off(self._key, wish, self._hands)
        self._tried[wish.id] = None


def _asks(run: Run, wish: EvaluateTrait) -> bool:
    return run.judges and run.round == wish.round and wish.trait in run.asked


def _category(error: str) -> FailureCategory:
    if error in _NOT_CALLED:
        return FailureCategory.TRANSIENT
    return FailureCategory.TIMEOUT if error in _TIMED_OUT else FailureCategory.EVALUATOR_CRASH
