"""Expectations of a slot, what is known about it, and runs of it that ended in every way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from interlock.core.agenda import BEGUN_BY
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.readiness import Readiness, ReadinessStatus
from interlock.core.runs import Attempt, Outcome, Run, RunStatus
from interlock.core.settling import (
    Facts,
)
from interlock.testing.builders import NOON, a_run, a_slot, a_spec

HOUR = timedelta(hours=1)
EVALUATE, COMPLETE, CLOSES = NOON + HOUR, NOON + 2 * HOUR, NOON + 6 * HOUR
STATE = ExpectationState


def an_expectation(**fields: Any) -> Expectation:
    """Make what is expected of the slot of a_run: open at NOON, judged, done and over by the instants above."""
    usual = {"evaluate_by": EVALUATE, "complete_by": COMPLETE, "check_at": NOON + BEGUN_BY, "since": NOON - HOUR}
    return Expectation(slot=a_slot(), spec_digest="d", opens_at=NOON, closes_at=CLOSES, **{**usual, **fields})


def facts(run: Run | None = None, **fields: Any) -> Facts:
    """Make facts about a pipeline called example."""
    done = run.succeeded_at if run is not None else None
    return Facts(**{"spec": a_spec(tier=1, owner="ann"), "run": run, "done_at": done, **fields})


def an_attempt(outcome: Outcome, ended: datetime, reason: str = "") -> Attempt:
    return Attempt(number=1, outcome=outcome, began_at=NOON, ended_at=ended, reason=reason)


def succeeded(at: datetime, **fields: Any) -> Run:
    attempts = (an_attempt(Outcome.SUCCEEDED, at),)
    return a_run(status=RunStatus.COMPLETED, attempts=attempts, attempt=1, ended_at=at, **fields)


def failed(at: datetime, **fields: Any) -> Run:
    attempts = (an_attempt(Outcome.FAILED, at, "out of memory"),)
    return a_run(status=RunStatus.FAILED, attempts=attempts, attempt=1, ended_at=at, **fields)


def given_up(at: datetime, **fields: Any) -> Run:
    return a_run(
        status=RunStatus.CANCELLED, closes_at=at, closes_because="the end of its window", ended_at=at, **fields
    )


def cancelled(at: datetime, **fields: Any) -> Run:
    return a_run(status=RunStatus.CANCELLED, ended_at=at, **fields)


def judged(run: Run, at: datetime = NOON) -> Run:
    verdict = Readiness(status=ReadinessStatus.NOT_READY, at=at, verdicts=(), needed=1, passed=0)
    return replace(run, readiness=verdict)
