"""Wishes, in the imperative. A shell carries each out at least once and answers with at most one event."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct

from interlock.core.alerts import Alert, LifecycleEvent
from interlock.core.ids import CommandId, TraitName
from interlock.core.runs import Cause, Permit

UNNAMED: Final = CommandId("")


class EvaluateTrait(Struct, frozen=True, kw_only=True, tag="evaluate_trait"):
    """Ask one trait, in this round; after `deadline` nobody waits for the answer."""

    id: CommandId = UNNAMED
    round: int
    trait: TraitName
    deadline: datetime


class StartJob(Struct, frozen=True, kw_only=True, tag="start_job"):
    """Start the attempt that the permit is for, while it is valid."""

    id: CommandId = UNNAMED
    permit: Permit


class CheckJob(Struct, frozen=True, kw_only=True, tag="check_job"):
    """Look at the attempt's job. `look` counts the looks in a row that saw nothing."""

    id: CommandId = UNNAMED
    attempt: int
    look: int


class CancelJob(Struct, frozen=True, kw_only=True, tag="cancel_job"):
    """Ask the target system to stop the attempt's job."""

    id: CommandId = UNNAMED
    attempt: int
    reason: str


class RaiseAlert(Struct, frozen=True, kw_only=True, tag="raise_alert"):
    """Tell people. `cause` is the id of another alert: while that is open, this one is folded under it."""

    id: CommandId = UNNAMED
    alert: Alert
    cause: str = ""


class ResolveAlert(Struct, frozen=True, kw_only=True, tag="resolve_alert"):
    """Tell people that something they were told of is mended. An alert that was never raised is none to resolve."""

    id: CommandId = UNNAMED
    alert_id: str
    resolution: str
    at: datetime


class NotifyDownstream(Struct, frozen=True, kw_only=True, tag="notify_downstream"):
    """Tell the pipelines that wait for this one that the slot is done."""

    id: CommandId = UNNAMED


class AskRerun(Struct, frozen=True, kw_only=True, tag="ask_rerun"):
    """Open another run of the slot, within the budget of its cause."""

    id: CommandId = UNNAMED
    cause: Cause
    reason: str


class PublishEnd(Struct, frozen=True, kw_only=True, tag="publish_end"):
    """Tell programs how the run ended."""

    id: CommandId = UNNAMED
    event: LifecycleEvent


Command: TypeAlias = (
    EvaluateTrait
    | StartJob
    | CheckJob
    | CancelJob
    | RaiseAlert
    | ResolveAlert
    | NotifyDownstream
    | AskRerun
    | PublishEnd
)
