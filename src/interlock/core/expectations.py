"""Expectations: what should happen for each slot, written down before it should, so that absence can be seen."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct

from interlock.core.ids import RunId, Slot


class ExpectationState(enum.StrEnum):
    """How a slot's expectation stands. Every one ends in exactly one of the states after EXPECTED."""

    EXPECTED = "expected"
    MET = "met"
    LATE = "late"
    MISSED = "missed"
    FAILED = "failed"
    EXCLUDED = "excluded"
    SKIPPED = "skipped"
    WAIVED = "waived"


class Expectation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One slot that should run: when it opens, by when it must be let through and done, and what came of it.

    `check_at` is when the watchdog looks at it next; None once it is settled. `alerted` is whether people were told that
    nothing had begun. `since` is from when on somebody was there to expect it: nobody is told of a deadline before that.
    """

    slot: Slot
    spec_digest: str
    opens_at: datetime
    closes_at: datetime
    evaluate_by: datetime | None = None
    complete_by: datetime | None = None
    check_at: datetime | None = None
    state: ExpectationState = ExpectationState.EXPECTED
    reason: str = ""
    run_id: RunId = RunId("")
    settled_at: datetime | None = None
    alerted: bool = False
    since: datetime | None = None
    version: int = 1
