"""Requests that come through a queue, and how each is made harmless twice: a message is about what was there when it was
sent.

A queue delivers a message once or more often, and late. So nothing here depends on when, or how often, a message is
taken; what somebody has done since it was sent counts more than what it says. By kind of request, the second time:

- `PutSensor`, `MergeSensor`, `IncrementSensor`, `AddToSensorSet`: known by their delivery id, which is the message's unless
  it names one. Nothing is written twice.
- `SendMarker`: the same marker, because its instant is when the message was sent.
- `PushTrait`: dated when it was sent, so that it never replaces a newer result; waiting runs ask once more.
- `Evaluate`: asks the traits of the same slot once more.
- `CompleteRun`, `CompleteRerun`: about the attempt that was under way when it was sent, and known as told.
- `AcceptRun`, `KeepGate`: known, or refused; they name a run, and change nothing that has ended.
- `Run`: the slot that was the current one when it was sent, which runs once. When that is over, it is refused.
- `Rerun`, `Replay`: known by the message's id in the run's note. Whatever else has run since is a conflict.
- `Backfill`: what waits is asked afresh, what succeeded is left alone; if a slot has failed since, all of it is refused.
- `CancelRun`, `Cancel`: never end a run that was opened after they were sent; what is over stays so.
- `Ping`: about the slot that was the current one when it was sent, and taken once.
- `Pause`, `BeginSilence`: end when they would have ended, however late they come; known by the message's id in the reason,
  also when somebody has ended them since. `Resume` and `ResolveAlert` end nothing that began after they were sent.
- `EndSilence`: what is over stays so.
- `TestAlert`: tells once more.
- `RegisterPipeline`, `RemovePipeline`: refused, as everywhere on AWS: what runs is what was deployed.
- `OpenGate`: refused: nobody would hear of the leave, and the slot would be kept from everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from interlock.api import alerting, controlling, gating, judging, rerunning, running, sensing
from interlock.api.contract import Request
from interlock.app.backfilling import Action
from interlock.core.ids import PipelineName, RunKey, Slot
from interlock.core.runs import STARTED, Run
from interlock.core.schedules import in_own_zone
from interlock.errors import Conflict, InterlockError, Invalid, NotFound, NotReady, Refused
from interlock.operations import stopping
from interlock.operations.backfilling import planned
from interlock.operations.desk import WorkDesk
from interlock.operations.pipelines import known_name, pipeline_of
from interlock.operations.slots import acted_slot, chosen_window, past_window
from interlock.operations.starting import run_named
from interlock.ports.clock import Clock

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

DATED: Final = (
    controlling.SendMarker,
    controlling.Pause,
    judging.PushTrait,
    judging.Evaluate,
    alerting.BeginSilence,
)
"""What is done as of the instant at which the message was sent."""

OPENING: Final = (running.Run, rerunning.Rerun, rerunning.Replay)
ENDING: Final = (running.CancelRun, running.Cancel, alerting.EndSilence)

_LATE: Final = "since this message was sent. Look how it stands now, and ask again if it is still wanted"


class Known(Exception):
    """What a message asks for was done when it came before."""


class Message(NamedTuple):
    """A request on its way: its id, who sent it, and when; `again` says that it was delivered before."""

    id: str
    actor: str
    sent: datetime
    again: bool = False

    @property
    def mark(self) -> str:
        """What is recorded of it with whatever it does, to know it by."""
        return f"[message {self.id}]"


class MessageDesk(WorkDesk):
    """The desk for one message; what is dated is done as of when it was sent."""

    def __init__(self, work: Interlock, message: Message, kind: type[Request[Any]]) -> None:
        super().__init__(work, message.actor)
        self._clock: Clock = _Standing(message.sent) if issubclass(kind, DATED) else work.clock

    @property
    def clock(self) -> Clock:
        """The time that counts."""
        return self._clock


class _Standing:
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


def settled(request: Request[Any], message: Message, work: Interlock) -> Request[Any]:
    """Return the request as it may be carried out however often the message comes.

    Raises:
        Known: it was carried out already.
        InterlockError: it is not to be carried out any more, or not out of a queue.
    """
    for kinds, settle in _SETTLE:
        if isinstance(request, kinds):
            found: Request[Any] = settle(request, message, work)
            return found
    return request


def done_before(request: Request[Any], error: InterlockError, message: Message, work: Interlock) -> bool:
    """Say whether a refusal says no more than that the message has had its effect."""
    if isinstance(error, NotReady):
        return isinstance(request, OPENING)  # its run is there, and waits
    if not message.again:
        return False
    if isinstance(request, running.Run) and isinstance(error, Conflict):
        shown = error.details.get("run")
        return isinstance(shown, dict) and run_named(work.store, shown["runId"]).note == message.actor
    return isinstance(request, ENDING) and isinstance(error, Conflict | NotFound)


# ---------------------------------------------------------------- by kind


def _sensor(request: Any, message: Message, _work: Interlock) -> Request[Any]:
    named: Request[Any] = request if request.delivery_id else replace(request, delivery_id=message.id)
    return named


def _run(request: running.Run, message: Message, work: Interlock) -> Request[Any]:
    spec = pipeline_of(work.catalog.project, request.pipeline_id)
    meant = chosen_window(spec, message.sent, request.schedule).slot
    current = chosen_window(spec, work.clock.now(), request.schedule).slot
    if meant != current:
        raise Refused(f"this was about {meant}, and {current} has begun {_LATE}")
    return request


def _complete(request: Any, message: Message, work: Interlock) -> Request[Any]:
    if request.attempt is not None:
        same: Request[Any] = request
        return same
    name = request.rerun_id if isinstance(request, rerunning.CompleteRerun) else request.run_id
    run = run_named(work.store, name)
    begun = [each.number for each in run.attempts if each.began_at <= message.sent]
    if run.status in STARTED and run.began_at is not None and run.began_at <= message.sent:
        begun.append(run.attempt)
    if not begun:
        raise Conflict(f"no attempt of {run.key} had begun when this message was sent, so it tells of none")
    about: Request[Any] = replace(request, attempt=max(begun))
    return about


def _rerun(request: rerunning.Rerun, message: Message, work: Interlock) -> Request[Any]:
    spec = pipeline_of(work.catalog.project, request.pipeline_id)
    said = (request.metadata or {}).get("scheduleId")
    schedule = request.schedule or (said if isinstance(said, str) else None)
    slot = in_own_zone(spec, acted_slot(spec, message.sent, schedule, request.original_date))
    _require_as_it_was(slot, message, work)
    return replace(request, reason=_marked(request.reason, message))


def _replay(request: rerunning.Replay, message: Message, work: Interlock) -> Request[Any]:
    spec = pipeline_of(work.catalog.project, request.pipeline_id)
    _require_as_it_was(past_window(spec, message.sent, request.schedule, request.date).slot, message, work)
    return replace(request, reason=_marked(request.reason, message))


def _require_as_it_was(slot: Slot, message: Message, work: Interlock) -> None:
    """See to it that a slot has not run since a message was sent."""
    latest = work.store.latest_run(slot)
    if latest is None:
        return
    for number in range(latest.key.number, 0, -1):
        run = work.store.run(RunKey(latest.key.slot, number))
        if run is None:
            break
        if message.mark in run.note:
            raise Known(f"{run.key} was opened for it")
        if not _moved(run, message):
            break
    if _moved(latest, message):
        how = "was opened" if latest.opened_at > message.sent else "has ended"
        raise Conflict(f"{latest.key} {how} {_LATE}")


def _moved(run: Run, message: Message) -> bool:
    return run.opened_at > message.sent or (run.ended_at is not None and run.ended_at > message.sent)


def _backfill(request: rerunning.Backfill, message: Message, work: Interlock) -> Request[Any]:
    if request.dry_run:
        return request
    plan = planned(request, WorkDesk(work, message.actor))
    for step in plan.to_do:
        run = work.store.latest_run(step.slot)
        if step.action is Action.RUN_AGAIN and run is not None and _moved(run, message):
            raise Conflict(f"{run.key} ended {run.status} {_LATE}")
    return replace(request, reason=f"{request.reason.strip()} {message.mark}".strip())


def _cancel(request: running.Cancel, message: Message, work: Interlock) -> Request[Any]:
    desk = WorkDesk(work, message.actor)
    name = known_name(desk.project, desk.store, request.pipeline_id)
    run = stopping.chosen(name, request.schedule, request.date, desk)
    if run.opened_at > message.sent:
        raise Conflict(f"{run.key} was opened {_LATE}")
    return running.CancelRun(run_id=run.key.run_id, reason=request.reason)


def _ping(request: gating.Ping, message: Message, work: Interlock) -> Request[Any]:
    spec = pipeline_of(work.catalog.project, request.pipeline_id)
    slot = acted_slot(spec, message.sent, request.schedule, request.date)
    return replace(request, schedule=slot.schedule, date=slot.period)


def _pause(request: controlling.Pause, message: Message, work: Interlock) -> Request[Any]:
    pause = work.hands.controls.pause(PipelineName(request.pipeline_id))
    if pause is not None and pause.at > message.sent:
        if message.mark in pause.reason:
            raise Known(f"{request.pipeline_id} was paused for it")
        raise Conflict(f"{request.pipeline_id} was paused by {pause.actor} {_LATE}")
    return replace(request, reason=_marked(request.reason, message))


def _resume(request: controlling.Resume, message: Message, work: Interlock) -> Request[Any]:
    pause = work.hands.controls.pause(PipelineName(request.pipeline_id))
    if pause is not None and pause.at > message.sent:
        raise Conflict(f"{request.pipeline_id} was paused by {pause.actor} {_LATE}")
    return request


def _silence(request: alerting.BeginSilence, message: Message, work: Interlock) -> Request[Any]:
    # One that was ended since is still kept for a while.
    there = work.hands.controls.silences(message.sent - timedelta(microseconds=1))
    if any(message.mark in silence.reason for silence in there):
        raise Known("the silence was begun for it")
    return replace(request, reason=_marked(request.reason, message))


def _resolve(request: alerting.ResolveAlert, message: Message, work: Interlock) -> Request[Any]:
    record = work.hands.dispatches.alert(request.alert_id)
    if record is not None and record.opened_at > message.sent:
        raise Conflict(f"the alert {request.alert_id!r} was opened {_LATE}")
    return request


def _gate(_request: gating.OpenGate, _message: Message, _work: Interlock) -> Request[Any]:
    raise Invalid(
        "leave to run a job is given to whoever waits for the answer, and a queue has none: ask the HTTP API, or call the "
        "function itself"
    )


def _marked(reason: str, message: Message) -> str:
    # Where a reason is needed, none is made up.
    return f"{reason.strip()} {message.mark}" if reason.strip() else reason


_Settle: TypeAlias = Callable[[Any, Message, Any], Request[Any]]
_SETTLE: Final[tuple[tuple[Any, _Settle], ...]] = (
    ((sensing.PutSensor, sensing.MergeSensor, sensing.IncrementSensor, sensing.AddToSensorSet), _sensor),
    (running.Run, _run),
    ((running.CompleteRun, rerunning.CompleteRerun), _complete),
    (rerunning.Rerun, _rerun),
    (rerunning.Replay, _replay),
    (rerunning.Backfill, _backfill),
    (running.Cancel, _cancel),
    (gating.Ping, _ping),
    (controlling.Pause, _pause),
    (controlling.Resume, _resume),
    (alerting.BeginSilence, _silence),
    (alerting.ResolveAlert, _resolve),
    (gating.OpenGate, _gate),
)
