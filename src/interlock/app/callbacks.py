"""News from outside: a job that reports its own end."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct

from interlock.app.advance import advance
from interlock.app.hands import Store
from interlock.clients.links import without_page_secrets
from interlock.core.documents import EMPTY, Document
from interlock.core.events import JobFinished
from interlock.core.ids import RunKey
from interlock.core.runs import STARTED, Attempt, Outcome, Run
from interlock.core.traits import FailureCategory
from interlock.errors import NotFound


class Reception(enum.Enum):
    """How a report was received."""

    TAKEN = "the report was taken"
    KNOWN = "the same outcome was known already"
    CONFLICT = "the attempt has already ended otherwise, or is not the one under way"


class Received(Struct, frozen=True, kw_only=True):
    """The run as it stands, and how the report was received."""

    run: Run
    how: Reception


class Report(Struct, frozen=True, kw_only=True):
    """How an attempt ended, told from outside: the latest attempt unless one is named.

    `unverified`: whoever tells accepts a success without the checks that would follow.
    """

    succeeded: bool
    attempt: int | None = None
    category: FailureCategory | None = None
    reason: str = ""
    by: str = "callback"
    details: Document = EMPTY
    unverified: bool = False


def complete(key: RunKey, report: Report, store: Store, at: datetime) -> Received:
    """Take a report of how an attempt ended.

    The same report twice is received twice and changes nothing the second time, so a job may repeat it until it gets
    through.

    Raises:
        NotFound: there is no such run.
    """
    run = store.run(key)
    if run is None:
        raise NotFound(f"there is no run {key}")
    number = run.attempt if report.attempt is None else report.attempt
    if run.status in STARTED and number == run.attempt:
        fact = JobFinished(
            at=at,
            attempt=number,
            succeeded=report.succeeded,
            category=report.category,
            reason=report.reason,
            by=report.by,
            details=without_page_secrets(report.details),
            unverified=report.unverified,
        )
        told = advance(key, fact, store)
        if told.changed:
            return Received(run=told.run, how=Reception.TAKEN)
        run = told.run
    return Received(run=run, how=_compared(run, number, succeeded=report.succeeded))


def _compared(run: Run, number: int, *, succeeded: bool) -> Reception:
    ended: Attempt | None = next((attempt for attempt in run.attempts if attempt.number == number), None)
    if ended is None:
        checked = run.verifying is not None and number == run.attempt
        return Reception.KNOWN if checked and succeeded else Reception.CONFLICT
    said = Outcome.SUCCEEDED if succeeded else Outcome.FAILED
    return Reception.KNOWN if ended.outcome is said else Reception.CONFLICT
