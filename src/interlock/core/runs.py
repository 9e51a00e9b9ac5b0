"""A run: one slot being judged, started and followed, from its opening to its end."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
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
    COMPLETED_MONITORING = "COMPLETED_MONITORING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_P, _T, _R, _M = RunStatus.PENDING, RunStatus.TRIGGERING, RunStatus.RUNNING, RunStatus.COMPLETED_MONITORING
_C, _F, _X = RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED

TRANSITIONS: Final[dict[RunStatus, tuple[RunStatus, ...]]] = {
    _P: (_T, _C, _X),
    _T: (_P, _R, _M, _C, _F, _X),
    _R: (_P, _M, _C, _F, _X),
    _M: (_C,),
    _C: (),
    _F: (),
    _X: (),
}
"""Every step a status may take. Back to PENDING is how a failed attempt earns a new permit; TRIGGERING to COMPLETED is a
job that reported its end before its start was acknowledged; PENDING to COMPLETED is a pipeline without a trigger, of which
nothing is asked but to be ready. The diagram in the docs is drawn from this table."""

TERMINAL: Final = frozenset(status for status, onward in TRANSITIONS.items() if not onward)
STARTED: Final = frozenset({_T, _R})
SUCCEEDED: Final = frozenset({_M, _C})


class Cause(enum.StrEnum):
    """Why a run was opened: a closed list, so that budgets can count by it."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    MARKER = "marker"
    WATCHDOG = "watchdog"
    EXTERNAL = "external"
    BACKFILL = "backfill"
    RERUN = "rerun"
    REPLAY = "replay"
    DRIFT = "drift"
    LATE_DATA = "late_data"


AGAIN: Final = frozenset({Cause.RERUN, Cause.REPLAY, Cause.DRIFT, Cause.LATE_DATA})
"""Why a slot that has run is run again, as people and data ask for it; a backfill and a job of others are no reruns."""


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


class SlaState(enum.StrEnum):
    """The verdict on a deadline: given once, from stored facts."""

    ARMED = "ARMED"
    MET = "MET"
    BREACHED = "BREACHED"
    WAIVED = "WAIVED"


class Sla(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deadline of a run, its instants fixed when the run opened.

    It is at risk from `warn_at` on, and from `begin_by` on while the gate is shut. `warned` is whether that was noticed: it
    is told at most once, and not at all where people know already.
    """

    due_at: datetime
    warn_at: datetime | None = None
    begin_by: datetime | None = None
    warned: bool = False
    state: SlaState = SlaState.ARMED
    settled_at: datetime | None = None

    def next_at(self, *, begun: bool) -> datetime | None:
        """Return when time alone next changes it; None once it has its verdict."""
        if self.state is not SlaState.ARMED:
            return None
        risks: tuple[datetime | None, ...] = () if self.warned else (self.warn_at, None if begun else self.begin_by)
        return min(at for at in (self.due_at, *risks) if at is not None)


class Watch(enum.StrEnum):
    """How the watch for drift stands."""

    WATCHING = "WATCHING"
    DRIFTED = "DRIFTED"
    OVER = "OVER"


class Monitor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The watch over a completed run, until an instant. The permit's evidence is what is compared with."""

    until: datetime
    state: Watch = Watch.WATCHING
    drifted: tuple[TraitName, ...] = ()


class Verifying(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job has said since when, and in which words, that its work is done; `tries` is how many rounds could not tell."""

    said: str
    since: datetime
    tries: int = 0


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole truth about one run, as one value.

    `version` counts the changes and is what compare-and-swap compares. `wake_at` is when the status machine wants to be
    looked at again; None when only an event from outside can move it (it has ended, or it is in `doubt`, or `blocked`).
    `due_at` is the earliest instant that any of its machines wants.
    `note` says in words who asked for it and why, `details` what else was given with it.
    Deadlines: `closes_at` is when a run that was not let through is given up, `closes_because` by which rule; a `hard` one
    holds for retries too, and all others give each retry the `patience` that there was at the opening. Gate also: `again` is
    evidence that came in the middle of a round, `troubles` how many rounds in a row could not tell, `blocked` why asking
    again would not help, `held_until` how long the start button is held, and `held_at` when that was last said.
    `open_alerts` are the ids of what people were told and is not mended.
    Gate: `round` numbers the evaluation rounds, `asked` are the traits still to answer in it, `results` the latest answer
    of each trait. Execution: `attempt` is the latest, `failures` how many ended badly, `job_id` the target's name for
    the running one, `looks` how many looks in a row saw nothing, `refusals` how many permits in a row ran out unused,
    `start_failures` how many starts in a row came to nothing, `verifying` that the job's work is being checked,
    `not_before` when a retry may begin, `doubt` why nobody can know how the attempt stands.
    """

    key: RunKey
    spec_digest: str
    opened_at: datetime
    updated_at: datetime
    since: datetime
    cause: Cause = Cause.MANUAL
    note: str = ""
    details: Document = EMPTY
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
    start_failures: int = 0
    verifying: Verifying | None = None
    not_before: datetime | None = None
    doubt: str = ""
    attempts: tuple[Attempt, ...] = ()
    ended_at: datetime | None = None

    evaluation_sla: Sla | None = None
    completion_sla: Sla | None = None
    closes_at: datetime | None = None
    closes_because: str = ""
    hard: bool = False
    patience: timedelta = timedelta()
    monitor: Monitor | None = None
    again: bool = False
    troubles: int = 0
    blocked: str = ""
    held_until: datetime | None = None
    held_because: str = ""
    held_at: datetime | None = None
    open_alerts: tuple[str, ...] = ()

    @property
    def due_at(self) -> datetime | None:
        """The earliest instant at which time alone changes anything: what the due index is told."""
        if self.ended:
            return None
        waits = self.status is RunStatus.PENDING
        wanted = [self.wake_at, self.monitor.until if self.monitor else None, self.closes_at if waits else None]
        wanted += (
            sla.next_at(begun=not waits) for sla in (self.evaluation_sla, self.completion_sla) if sla is not None
        )
        return min((at for at in wanted if at is not None), default=None)

    @property
    def succeeded_at(self) -> datetime | None:
        """When what the run is for was done; it may be watched for drift after that."""
        if self.status not in SUCCEEDED:
            return None
        return self.attempts[-1].ended_at if self.attempts else self.ended_at

    @property
    def in_the_way(self) -> bool:
        """Whether what the run is for is still to be done or under way, so that an overlapping slot may have to wait."""
        return not self.ended and self.status not in SUCCEEDED

    @property
    def listens(self) -> bool:
        """Whether news about its traits could move the run."""
        return self.status in (RunStatus.PENDING, RunStatus.COMPLETED_MONITORING)

    @property
    def judges(self) -> bool:
        """Whether it waits for answers about what it judges: whether it may start, whether it drifts, whether it is done."""
        return self.listens or self.verifying is not None

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
