"""What a run has to tell people: alerts, and when what they said is mended."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.commands import Command, RaiseAlert, ResolveAlert
from interlock.core.documents import EMPTY, Document
from interlock.core.ids import RunKey, start_key
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import STARTED, SUCCEEDED, Run, RunStatus, Sla, SlaState

_PER_ATTEMPT: Final = (AlertType.START_UNKNOWN, AlertType.JOB_LOST)
_MENDED_BY_A_RERUN: Final = (
    AlertType.RUN_FAILED,
    AlertType.EVALUATION_FAILED,
    AlertType.EVALUATION_TROUBLE,
    AlertType.UPSTREAM_CANNOT_COMPLETE,
    AlertType.COMPLETION_SLA_BREACH,
    AlertType.EVALUATION_SLA_BREACH,
    AlertType.VALIDATION_TIMEOUT,
    AlertType.WINDOW_CLOSED,
    # Before the drift that it is folded into: else it would be told on its own when that is over.
    AlertType.RERUN_CAP_REACHED,
    AlertType.TRAIT_DRIFT,
    AlertType.LATE_DATA,
)
_EARLIER_RUNS: Final = 5
PAGE: Final = "url"
"""The key of a job's details under which the address of its own page stands, for people."""

JOB_URL: Final = "jobUrl"
"""The key of an alert's details under which the page of the job stands that it is about."""


def alert_id(kind: AlertType, key: RunKey, attempt: int = 0) -> str:
    """Name a fact about a run; about one attempt of it where the kind is told per attempt."""
    return f"{kind}/{start_key(key.run_id, attempt) if kind in _PER_ATTEMPT else key.run_id}"


def alert_id_of(kind: AlertType, run_id: str) -> str:
    """Name a fact about a run known by its id only; nothing for no run."""
    return f"{kind}/{run_id}" if run_id else ""


def tell(
    run: Run,
    spec: PipelineSpec,
    kind: AlertType,
    message: str,
    at: datetime,
    *,
    level: AlertLevel = AlertLevel.ERROR,
    details: Document = EMPTY,
) -> RaiseAlert:
    """Return the wish to tell people of a fact about a run, with the page of its job where there is one."""
    alert = Alert(
        alert_id=alert_id(kind, run.key, run.attempt),
        alert_type=kind,
        level=level,
        at=at,
        message=message,
        slot=run.key.slot,
        run_id=run.key.run_id,
        tier=spec.tier,
        owner=spec.owner,
        details=details.overlaid(page_of(run)),
    )
    return RaiseAlert(alert=alert)


def page_of(run: Run) -> Document:
    """Return the address of the page of a run's job as a detail of an alert; nothing where none is known."""
    page = run.job_details.get(PAGE)
    return EMPTY if page is None else Document(((JOB_URL, page),))


def told(run: Run, *kinds: AlertType) -> bool:
    """Say whether people were told of any of these and it is not mended."""
    return any(name.startswith(f"{kind}/") for name in run.open_alerts for kind in kinds)


def mended(
    before: Run | None, after: Run, wishes: tuple[Command, ...], at: datetime, *, person: bool = False
) -> tuple[ResolveAlert, ...]:
    """Return what of the things people were told before, or are told only now, is mended by what happened.

    `person` is whether a person's word ended the run.
    """
    known = () if before is None else before.open_alerts
    news = tuple(wish.alert.alert_id for wish in wishes if isinstance(wish, RaiseAlert))
    found = [
        ResolveAlert(alert_id=name, resolution=words, at=at)
        for name in (*known, *news)
        if (words := _resolution(AlertType(name.partition("/")[0]), after, person=person))
    ]
    if after.status in SUCCEEDED and before is not None and before.status not in SUCCEEDED:
        first = max(1, after.key.number - _EARLIER_RUNS)
        found += (
            ResolveAlert(
                alert_id=alert_id(kind, RunKey(after.key.slot, number)), resolution=f"{after.key} completed", at=at
            )
            for number in range(first, after.key.number)
            for kind in _MENDED_BY_A_RERUN
        )
    return tuple(found)


def _resolution(kind: AlertType, after: Run, *, person: bool) -> str:
    done = after.status in SUCCEEDED
    through = done or after.status in STARTED
    match kind:
        case AlertType.EVALUATION_FAILED | AlertType.UPSTREAM_CANNOT_COMPLETE:
            # Asking again mends nothing yet: only an answer does.
            stopped = after.blocked or after.asked or after.ended
            return "the traits can be judged again" if through or not stopped else _in_vain(after, person=person)
        case AlertType.EVALUATION_TROUBLE:
            return "the traits give answers again" if through or not after.troubles else _in_vain(after, person=person)
        case AlertType.EVALUATION_SLA_BREACH:
            return "the run was let through" if through else _in_vain(after, person=person)
        case AlertType.COMPLETION_SLA_BREACH:
            return "the run completed" if done else _in_vain(after, person=person)
        case AlertType.EVALUATION_SLA_AT_RISK | AlertType.COMPLETION_SLA_AT_RISK:
            evaluation = kind is AlertType.EVALUATION_SLA_AT_RISK
            return _no_longer_at_risk(after.evaluation_sla if evaluation else after.completion_sla)
        case AlertType.VERIFICATION_TROUBLE:
            known = _in_vain(after, person=person) or "it is known whether the job did its work"
            return known if after.verifying is None else ""
        case AlertType.START_UNKNOWN | AlertType.JOB_LOST:
            return "it is known how the attempt stands" if not after.doubt else ""
        case _:
            return ""


def _no_longer_at_risk(sla: Sla | None) -> str:
    return f"the deadline is {sla.state}" if sla is not None and sla.state is not SlaState.ARMED else ""


def _in_vain(after: Run, *, person: bool) -> str:
    """Say why nobody waits any more: a failure is told by its own name, and a person's word needs no reminder."""
    if after.status is RunStatus.FAILED:
        return "the run failed, which is told by itself"
    return "the run was cancelled" if after.ended and person else ""


def kept(run: Run, commands: tuple[Command, ...]) -> tuple[str, ...]:
    """Return the ids of what people know and is not mended, after these wishes."""
    open_now = set(run.open_alerts)
    for command in commands:
        if isinstance(command, RaiseAlert):
            open_now.add(command.alert.alert_id)
        elif isinstance(command, ResolveAlert):
            open_now.discard(command.alert_id)
    return tuple(sorted(open_now))
