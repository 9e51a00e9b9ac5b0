"""Facts, in the past tense. Each is stamped by the shell that learned it; none says what to do about it.

An answer carries the round or attempt it answers. One that does not match the run is silence: it changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.runs import Override
from interlock.core.traits import FailureCategory, TraitResult


class Woke(Struct, frozen=True, kw_only=True, tag="woke"):
    """Time has passed: it is at least `at`."""

    at: datetime


class EvaluationAsked(Struct, frozen=True, kw_only=True, tag="evaluation_asked"):
    """Somebody wants every trait asked afresh, now, whatever is still fresh.

    A run that has not started anything is judged by the spec named here from then on, if one is named: a mended check
    must not have to wait for tomorrow's slot. An override given here holds for the run from then on.
    """

    at: datetime
    actor: str = ""
    spec_digest: str = ""
    override: Override | None = None


class TraitEvaluated(Struct, frozen=True, kw_only=True, tag="trait_evaluated"):
    """A trait was asked in a round, and this came back."""

    at: datetime
    round: int
    result: TraitResult


class StartRefused(Struct, frozen=True, kw_only=True, tag="start_refused"):
    """The actuator did not start the attempt and never will: its permit had run out, or the run had moved on."""

    at: datetime
    attempt: int
    reason: str


class TriggerAccepted(Struct, frozen=True, kw_only=True, tag="trigger_accepted"):
    """The target system has the job, under this id."""

    at: datetime
    attempt: int
    job_id: str
    details: Document = EMPTY


class TriggerFailed(Struct, frozen=True, kw_only=True, tag="trigger_failed"):
    """It is certain that the attempt's job was not started."""

    at: datetime
    attempt: int
    category: FailureCategory
    reason: str


class TriggerInDoubt(Struct, frozen=True, kw_only=True, tag="trigger_in_doubt"):
    """Nobody can know whether the attempt's job was started."""

    at: datetime
    attempt: int
    reason: str


class JobSeen(Struct, frozen=True, kw_only=True, tag="job_seen"):
    """A look at the job showed it running."""

    at: datetime
    attempt: int


class JobUnseen(Struct, frozen=True, kw_only=True, tag="job_unseen"):
    """The n-th look in a row, counted from 0, showed nothing."""

    at: datetime
    attempt: int
    look: int
    reason: str


class JobVanished(Struct, frozen=True, kw_only=True, tag="job_vanished"):
    """The target system is certain that it has no such job any more, or that its outcome is lost."""

    at: datetime
    attempt: int
    reason: str


class JobFinished(Struct, frozen=True, kw_only=True, tag="job_finished"):
    """The job of an attempt has ended. `by` says who brought the news: a look, or a callback's actor.

    `unverified`: whoever says so accepts a success as it is, without the checks that would follow.
    """

    at: datetime
    attempt: int
    succeeded: bool
    category: FailureCategory | None = None
    reason: str = ""
    by: str = ""
    details: Document = EMPTY
    unverified: bool = False


class EvidenceArrived(Struct, frozen=True, kw_only=True, tag="evidence_arrived"):
    """Something that the traits may look at has changed: a push, a marker, an upstream's completion. `source` says what."""

    at: datetime
    source: str


class Held(Struct, frozen=True, kw_only=True, tag="held"):
    """Somebody holds the start button until an instant."""

    at: datetime
    until: datetime
    actor: str
    reason: str


class Released(Struct, frozen=True, kw_only=True, tag="released"):
    """The start button is no longer held."""

    at: datetime
    actor: str


class CancelAsked(Struct, frozen=True, kw_only=True, tag="cancel_asked"):
    """Somebody wants the run to end."""

    at: datetime
    actor: str
    reason: str


Event: TypeAlias = (
    Woke
    | EvaluationAsked
    | TraitEvaluated
    | StartRefused
    | TriggerAccepted
    | TriggerFailed
    | TriggerInDoubt
    | JobSeen
    | JobUnseen
    | JobVanished
    | JobFinished
    | EvidenceArrived
    | Held
    | Released
    | CancelAsked
)
