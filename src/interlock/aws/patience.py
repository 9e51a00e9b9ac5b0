"""How long an execution waits. A shell may be late, and here each look costs money: the longer a thing lasts, the rarer
they are. Deadlines are never late for it, and whatever changes a run wakes it at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from interlock.core.runs import Run, RunStatus

LONGEST: Final = timedelta(minutes=5)
JOB_SHARE: Final = 0.05
ROUND_SHARE: Final = 0.1
WATCHED: Final = timedelta(minutes=1)
"""A run that is only watched for drift is looked at no more often than this."""

AGAIN: Final = timedelta(hours=6)
"""How long an execution sleeps at the most, although nothing is due."""


def wakes_at(run: Run, now: datetime, longest: timedelta = LONGEST) -> datetime | None:
    """Return when time next matters to a run: its own wish, put off by a share of how long it has lasted already.

    It is put off by at most `longest`; zero keeps to the wish. None: only something from outside matters.
    """
    if run.wake_at is None or not _may_be_late(run):
        return run.due_at
    lazy = max(run.wake_at, now + min(_pause(run, now), longest))
    # Whatever else is due is due on time.
    others = replace(run, wake_at=None).due_at
    return lazy if others is None else min(lazy, others)


def _may_be_late(run: Run) -> bool:
    """Say whether the run's wish is a look that would be repeated, rather than an end of something."""
    match run.status:
        case RunStatus.RUNNING:
            return run.verifying is None and not run.looks and not run.doubt
        case RunStatus.PENDING:
            return not run.asked and run.not_before is None and run.held_until is None and run.readiness is not None
        case RunStatus.COMPLETED_MONITORING:
            return not run.asked
        case _:
            return False


def _pause(run: Run, now: datetime) -> timedelta:
    lasted = max(now - run.since, timedelta())
    if run.status is RunStatus.RUNNING:
        return JOB_SHARE * lasted
    if run.status is RunStatus.COMPLETED_MONITORING:
        return max(WATCHED, ROUND_SHARE * lasted)
    return ROUND_SHARE * lasted
