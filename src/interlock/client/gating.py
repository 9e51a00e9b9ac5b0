"""A gate without a socket: when to ask for leave, how long to wait, what to tell of the end.

`opening` and `closing` are conversations, as `exchange` is: they yield what to ask and how long to pause, and are sent the
answer, or have thrown at them what went wrong. The blocking and the asynchronous gate differ in nothing else.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args

from msgspec.structs import replace

from interlock.api.contract import Request
from interlock.api.gating import KeepGate, OpenGate, Ping
from interlock.api.running import CompleteRun
from interlock.app.gate_views import GateView
from interlock.client.exchange import Pause
from interlock.client.settings import Seconds, seconds_of
from interlock.codec.documents import canonical
from interlock.codec.evaluator_protocol import harmless
from interlock.core.times import parse_duration
from interlock.core.traits import FailureCategory
from interlock.errors import (
    Busy,
    ConfigError,
    Conflict,
    Contention,
    Declined,
    InterlockError,
    Invalid,
    NotReady,
    ServerUnavailable,
    StoreUnavailable,
)

OnNotReady: TypeAlias = Literal["wait", "raise"]

FIRST_LOOK: Final = 5.0
LONGEST_LOOK: Final = 60.0
"""Seconds between two questions whether it is READY: more with each."""

TOLD_WITHIN: Final = 300.0
"""Seconds within which the end is told, if the server can be reached at all."""

HURRIED_WITHIN: Final = 10.0
"""The same for a body that was interrupted or cancelled."""

PASSING: Final = (Busy, ServerUnavailable, StoreUnavailable, Contention)
_BUGS: Final = (
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    NameError,
    ImportError,
    AssertionError,
    SyntaxError,
)
_REASON: Final = 4000
_log: Final = logging.getLogger("interlock.client")


class Wanted(NamedTuple):
    """What a gate is opened for, and how patiently."""

    pipeline_id: str
    schedule: str | None
    date: str | None
    timeout: float
    on_not_ready: OnNotReady
    heartbeat: bool
    again: bool
    reason: str


class Asked(NamedTuple):
    """Have this answered, within so many seconds if they are given."""

    request: Request[Any]
    timeout: float | None = None


Talk: TypeAlias = Generator[Asked | Pause, Any, None]


def patience_of(given: Seconds | str) -> float:
    """Return how many seconds a gate waits: from seconds, a `timedelta`, or a text such as `2h`.

    Raises:
        ConfigError: it is none of these.
    """
    try:
        return seconds_of(parse_duration(given) if isinstance(given, str) else given)
    except ValueError as exc:
        raise ConfigError(f"timeout: {exc}") from exc


def mode_of(given: str) -> OnNotReady:
    """Return what to do while the traits say no.

    Raises:
        ConfigError: there is no such thing to do.
    """
    for mode in get_args(OnNotReady):
        if given == mode:
            return cast("OnNotReady", mode)
    hint = "; a `with` block cannot be left out: use `gated`, or catch NotReady" if given == "skip" else ""
    raise ConfigError(f"on_not_ready is {given!r}, and can be 'wait' or 'raise'{hint}")


class GateRun:
    """The run that the body of a gate is: what it may be asked while it lasts, and what it may leave for the record."""

    def __init__(self, gate: GateView) -> None:
        self.gate = gate
        self.cancelled = False
        """Whether the run was ended by somebody else meanwhile: then what the body does is not wanted any more."""
        self._metrics: dict[str, Any] = {}
        self._evidence: dict[str, Any] = {}

    @property
    def run_id(self) -> str:
        """The run's name; empty in shadow mode."""
        return self.gate.run_id

    @property
    def attempt(self) -> int:
        """Which attempt of the run this is."""
        return self.gate.attempt

    @property
    def date(self) -> str:
        """The period that the job is for."""
        return self.gate.date

    @property
    def schedule_id(self) -> str:
        """The schedule that the job is for."""
        return self.gate.schedule_id

    @property
    def token(self) -> str:
        """A name of this attempt: hand it to whatever must not do the same thing twice."""
        return self.gate.token

    @property
    def shadow(self) -> bool:
        """Whether the pipeline is only looked on: then leave was given whatever the traits say."""
        return self.gate.shadow

    def metric(self, name: str, value: float) -> None:
        """Record a number under a name. What is no number is recorded as null, and fails nothing."""
        self._metrics[str(name)] = _json(value) if isinstance(value, int) or math.isfinite(value) else None

    def evidence(self, **fields: object) -> None:
        """Record fields of any kind; what JSON does not know is recorded as its text, and fails nothing."""
        self._evidence.update({name: _json(value) for name, value in fields.items()})

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What goes into the record with the end."""
        found = dict(self._evidence)
        if self._metrics:
            found["metrics"] = dict(self._metrics)
        return found or None


def opening(asked: Wanted, took: Callable[[GateRun], None], *, clock: Callable[[], float] = monotonic) -> Talk:
    """Ask for leave until it is given, and hand it to `took`.

    Raises:
        NotReady: the traits say no, and still do when the time is over.
        InterlockError: it cannot be given.
    """
    claim = secrets.token_hex(16)
    request = OpenGate(
        pipeline_id=asked.pipeline_id,
        schedule=asked.schedule,
        date=asked.date,
        holder=f"{socket.gethostname()} pid {os.getpid()}",
        claim=claim,
        heartbeat=asked.heartbeat,
        again=asked.again,
        reason=asked.reason,
    )
    until = clock() + asked.timeout
    pause, heard = FIRST_LOOK, False
    while True:
        began = clock()
        try:
            gate: GateView = yield Asked(request)
        except (NotReady, *PASSING) as exc:
            if isinstance(exc, NotReady):
                # The run is there now and waits: another one of the slot, or of the next slot, is not what was asked for.
                heard, request = True, replace(pinned(request, exc), again=False, reason="")
            # A server that was never heard may be the wrong address: that is no reason to wait for hours.
            if asked.on_not_ready == "raise" or not heard or clock() >= until:
                raise
            _log.info("%s may not start yet, asking again in %.0f seconds: %s", asked.pipeline_id, pause, exc)
        else:
            if gate.valid_seconds and clock() - began >= gate.valid_seconds:
                # Most of that may have been the traits' own time. The same leave is given again, and at once.
                began, gate = yield from _once_more(request, gate, began, clock)
            run = GateRun(gate)
            if gate.valid_seconds is not None and clock() - began >= gate.valid_seconds:
                yield from closing(run, TimeoutError("the leave to run the job came after its time was over"))
                raise ServerUnavailable(f"the leave to run {gate.run_id} came after its time was over: nothing was run")
            took(run)
            return
        yield Pause(min(pause, max(until - clock(), 0.0)))
        pause = min(pause * 1.5, LONGEST_LOOK)


def _once_more(
    request: OpenGate, gate: GateView, began: float, clock: Callable[[], float]
) -> Generator[Asked | Pause, Any, tuple[float, GateView]]:
    again = clock()
    try:
        found: GateView = yield Asked(request)
    except InterlockError:
        return began, gate
    return again, found


def pinned(request: OpenGate, error: Declined) -> OpenGate:
    """Return what is asked next, after a no: about the same slot, whatever slot is the current one by then."""
    run = error.details.get("run")
    found = run if isinstance(run, dict) else {}
    schedule, date = found.get("scheduleId"), found.get("date")
    if request.date is not None or not (isinstance(schedule, str) and isinstance(date, str)):
        return request
    return replace(request, schedule=schedule, date=date)


def closing(run: GateRun, error: BaseException | None, *, clock: Callable[[], float] = monotonic) -> Talk:
    """Tell how the body ended, until it was heard or `TOLD_WITHIN` is over.

    Raises:
        InterlockError: it was not taken; the log says how to tell it by hand.
    """
    try:
        yield from _telling(run, error, clock)
    except (InterlockError, GeneratorExit) as exc:
        _tell_by_hand(run, error, exc)
        raise


def _telling(run: GateRun, error: BaseException | None, clock: Callable[[], float]) -> Talk:
    # Whoever was interrupted or cancelled is to end soon, and says it once.
    hurried = error is not None and not isinstance(error, Exception)
    until, pause = clock() + (HURRIED_WITHIN if hurried else TOLD_WITHIN), 1.0
    request = _report(run, error)
    while True:
        try:
            yield Asked(request, max(min(until - clock(), 60.0), 1.0))
        except PASSING:
            if hurried or clock() + pause > until:
                raise
        except Invalid as exc:
            if run.metadata is None:
                raise
            _log.warning("the end of %s is told without what was recorded, which was not taken: %s", run.run_id, exc)
            run = GateRun(run.gate)
            request, pause = _report(run, error), 0.0
        else:
            return
        yield Pause(pause)
        pause = min(pause * 2, 30.0) or 1.0


def beating(run: GateRun, seconds: float) -> Talk:
    """Tell again and again that the body lives, until the run is not wanted any more."""
    while True:
        yield Pause(seconds)
        try:
            yield Asked(KeepGate(run_id=run.run_id, attempt=run.attempt), max(seconds, 5.0))
        except Conflict as exc:
            run.cancelled = True
            _log.warning("the job of run %s is not wanted any more, and should stop: %s", run.run_id, exc)
            return
        except InterlockError as exc:
            # Whatever else it is, a key that was withdrawn or a server that is away, it says nothing about the run.
            _log.warning("that the job of run %s lives was not heard, and is told again: %s", run.run_id, exc)


def category_for(error: BaseException) -> FailureCategory:
    """Return the category of a failure: whether trying again can help."""
    if isinstance(error, TimeoutError):
        return FailureCategory.TIMEOUT
    return FailureCategory.PERMANENT if isinstance(error, _BUGS) else FailureCategory.TRANSIENT


def _report(run: GateRun, error: BaseException | None) -> Request[Any]:
    gate, reason = run.gate, "" if error is None else _words(error)
    if gate.shadow:
        what: Literal["success", "fail"] = "success" if error is None else "fail"
        return Ping(pipeline_id=gate.pipeline_id, what=what, schedule=gate.schedule_id, date=gate.date, reason=reason)
    return CompleteRun(
        run_id=gate.run_id,
        status="success" if error is None else "failed",
        attempt=gate.attempt,
        category=None if error is None else category_for(error),
        reason=reason,
        metadata=run.metadata,
    )


def _words(error: BaseException) -> str:
    name, text = type(error).__name__, str(error)
    return harmless(f"{name}: {text}" if text else name, _REASON)


def _tell_by_hand(run: GateRun, error: BaseException | None, why: BaseException) -> None:
    reason = str(why) or "it was interrupted"
    if run.shadow:
        _log.error("how the job of %s %s ended was not recorded: %s", run.gate.pipeline_id, run.date, reason)
        return
    status = "success" if error is None else "failed"
    hand = f"interlock complete '{run.run_id}' --status {status} --attempt {run.attempt}"
    _log.error(
        "the job of run %s ended (%s), and that was not recorded: %s. By hand: %s", run.run_id, status, reason, hand
    )


def _json(value: object) -> Any:
    try:
        canonical(value)
    except (ValueError, OverflowError):
        return harmless(str(value), _REASON)
    return value
