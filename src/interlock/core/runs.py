"""A run: one slot being judged, started and followed, from its opening to its end."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.ids import RunKey, TraitName
from interlock.core.readiness import Readiness
from interlock.core.traits import FailureCategory, TraitResult


class RunStatus(enum.StrEnum):
    """Where a run is in its life."""

    PENDING = "PENDING"
    TRIGGERING = "TRIGGERING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_P, _T, _R = RunStatus.PENDING, RunStatus.TRIGGERING, RunStatus.RUNNING
_C, _F, _X = RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED

TRANSITIONS: Final[dict[RunStatus, tuple[RunStatus, ...]]] = {
    _P: (_T, _X),
    _T: (_P, _R, _C, _F, _X),
    _R: (_P, _C, _F, _X),
    _C: (),
    _F: (),
    _X: (),
}
"""Every step a status may take. Back to PENDING is how a failed attempt earns a new permit; TRIGGERING to COMPLETED is a
job that reported its end before its start was acknowledged. The diagram in the docs is drawn from this table."""

TERMINAL: Final = frozenset(status for status, onward in TRANSITIONS.items() if not onward)
STARTED: Final = frozenset({_T, _R})


class Cause(enum.StrEnum):
    """Why a run was opened: a closed list, so that budgets can count by it."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    MARKER = "marker"
    RERUN = "rerun"


class Override(Struct, frozen=True, kw_only=True):
    """A person's decision to go on although a constraint says no. Recorded with the run; never silent."""

    actor: str
    reason: str
    constraints: tuple[str, ...]


class Permit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Leave to start one attempt, until an instant, on named evidence.

    The actuator refuses a permit at or after `valid_until`. `overridden` names the traits that did not pass and that
    a recorded override set aside.
    """

    attempt: int
    granted_at: datetime
    valid_until: datetime
    spec_digest: str
    evidence: tuple[TraitResult, ...]
    overridden: tuple[TraitName, ...] = ()


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_STARTED = "not_started"
    CANCELLED = "cancelled"


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt that has ended."""

    number: int
    outcome: Outcome
    began_at: datetime
    ended_at: datetime
    category: FailureCategory | None = None
    reason: str = ""
    job_id: str = ""


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole truth about one run, as one value.

    `version` counts the changes and is what compare-and-swap compares. `wake_at` is when the run wants to be looked at
    again; None when only an event from outside can move it (it has ended, or it is in `doubt`).
    Gate: `round` numbers the evaluation rounds, `asked` are the traits still to answer in it, `results` the latest answer
    of each trait. Execution: `attempt` is the latest, `failures` how many ended badly, `job_id` the target's name for
    the running one, `looks` how many looks in a row saw nothing, `refusals` how many permits in a row ran out unused,
    `not_before` when a retry may begin, `doubt` why nobody can know how the attempt stands.
    """

    key: RunKey
    spec_digest: str
    opened_at: datetime
    updated_at: datetime
    since: datetime
    cause: Cause = Cause.MANUAL
    note: str = ""
    override: Override | None = None
    version: int = 1
    status: RunStatus = RunStatus.PENDING
    wake_at: datetime | None = None

    round: int = 0
    asked: tuple[TraitName, ...] = ()
    asked_at: datetime | None = None
    refreshing: bool = False
    results: tuple[TraitResult, ...] = ()
    readiness: Readiness | None = None

    attempt: int = 0
    failures: int = 0
    began_at: datetime | None = None
    permit: Permit | None = None
    job_id: str = ""
    job_details: Document = EMPTY
    looks: int = 0
    refusals: int = 0
    not_before: datetime | None = None
    doubt: str = ""
    attempts: tuple[Attempt, ...] = ()
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether the status can never change again."""
        return self.status in TERMINAL

    @property
    def last_failure(self) -> Attempt | None:
        """The latest attempt that did not succeed, if the run's last one did not."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.outcome is not Outcome.SUCCEEDED else None

    def result(self, trait: TraitName) -> TraitResult | None:
        """Return the latest answer about one trait."""
        return next((result for result in self.results if result.trait == trait), None)
