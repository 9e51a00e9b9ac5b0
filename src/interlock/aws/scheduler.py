"""The function `scheduler`: opens slots by the calendar, and starts executions for runs that have none; every minute."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

from interlock.aws.functions import named
from interlock.aws.metrics import SCHEDULER_TICK, count
from interlock.aws.office import Office, office_of
from interlock.aws.scheduling import Agenda, Clockwork, Ticked
from interlock.clients.aws import AwsOptions, region_of_arn
from interlock.core.ids import PipelineName, ScheduleName
from interlock.errors import InterlockError
from interlock.runtime.retention import Retention

_OFFICE: Final = office_of(named("scheduler"))
_CALL: Final = timedelta(seconds=10)
_RETIRES: Final = 10  # minutes


class Incomplete(InterlockError):
    """Some of what was due could not be done; it stays due."""


class Context(Protocol):
    """What is used of what Lambda tells a function."""

    invoked_function_arn: str


def handler(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Tick; or open the schedules that an earlier call handed on.

    Raises:
        Incomplete: something of it went wrong, and everything else was done.
    """
    office = _OFFICE()
    hand_on = _handing_on(office, context.invoked_function_arn)
    late = office.environment.longest_wait
    clockwork = Clockwork(office.work.hands, office.machines, office.parking, hand_on, late)
    if "agendas" in event:
        parts = [(PipelineName(pipeline), ScheduleName(schedule)) for pipeline, schedule in event["agendas"]]
        return _told(clockwork.open(parts))
    ticked = clockwork.tick()
    # A tick that was made is told whatever went wrong with single runs, or with history: that is an error of its own.
    values = {SCHEDULER_TICK: 1, "RunsOpened": ticked.opened, "RunsRevived": ticked.revived}
    count(office.environment.table, values)
    return _told(ticked._replace(troubles=(*ticked.troubles, *_retire(office))))


def _told(ticked: Ticked) -> dict[str, int]:
    if ticked.troubles:
        some = "; ".join(ticked.troubles[:5])
        raise Incomplete(f"{len(ticked.troubles)} of what was due could not be done, and is tried again: {some}")
    return {"opened": ticked.opened, "handedOn": ticked.handed_on, "revived": ticked.revived}


def _handing_on(office: Office, arn: str) -> Callable[[Sequence[Agenda]], None]:
    def hand_on(agendas: Sequence[Agenda]) -> None:
        payload = json.dumps({"agendas": agendas}).encode()
        options = AwsOptions(region=region_of_arn(arn))
        office.door.call(
            "lambda", "invoke", options, timeout=_CALL, FunctionName=arn, InvocationType="Event", Payload=payload
        )

    return hand_on


def _retire(office: Office) -> tuple[str, ...]:
    """Remove history that is over, a little of it, now and then; return what went wrong."""
    work = office.work
    history = work.project.settings.history
    if history is None or work.clock.now().minute % _RETIRES:
        return ()
    names = work.catalog.specs
    try:
        Retention(office.kernel, lambda: work.hands, history, marked=False, names=lambda: list(names)).turn()
    except InterlockError as exc:
        return (f"history could not be removed: {exc}",)
    return ()
