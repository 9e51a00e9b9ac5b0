"""A trait: one thing that must be true before a job may start, and what was last seen of it."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.ids import TraitName

DEFAULT_TIMEOUT: Final = timedelta(seconds=30)
CONFINED: Final = "confined:"
"""What an evaluator begins with whose program is looked for in the evaluator directories and nowhere else."""


class TraitStatus(enum.StrEnum):
    """What is known of a trait. Only PASS opens anything."""

    PASS = "PASS"  # noqa: S105  (a verdict, not a password)
    FAIL = "FAIL"
    STALE = "STALE"
    ERROR = "ERROR"


class FailureCategory(enum.StrEnum):
    """Why something did not work; decides whether trying again can help."""

    TRANSIENT = "TRANSIENT"
    TIMEOUT = "TIMEOUT"
    PERMANENT = "PERMANENT"
    EVALUATOR_CRASH = "EVALUATOR_CRASH"


class Origin(enum.StrEnum):
    """Who said so: the evaluator itself, or the runner that could not get an answer out of it."""

    EVALUATOR = "evaluator"
    RUNNER = "runner"
    PUSH = "push"


class DriftSpec(Struct, frozen=True, kw_only=True):
    """When a trait's measured value has drifted: `field` of its value moved by more than `threshold` since the start.

    `relative` counts the move as a part of the value at the start (0.1 is a tenth).
    """

    field: str
    threshold: float = 0.0
    relative: bool = False


class TraitSpec(Struct, frozen=True, kw_only=True):
    """How one trait of one pipeline is checked, fully resolved.

    `evaluator` is an argument list: its first item is a path, `builtin:NAME`, `python:module:function`,
    `http(s)://…` or `push`; of a registered pipeline `confined:NAME` in place of a path. A `ttl` of zero means that a
    result is good for the decision it was asked for, and is never used again.
    """

    name: TraitName
    evaluator: tuple[str, ...]
    required: bool = True
    description: str = ""
    config: Document = EMPTY
    ttl: timedelta = timedelta()
    timeout: timedelta = DEFAULT_TIMEOUT
    drift: DriftSpec | None = None

    @property
    def checked_by(self) -> str:
        """What checks it, as people write it."""
        return " ".join(self.evaluator).removeprefix(CONFINED)


class TraitResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer about one trait.

    `observed_at` is when it was asked, and freshness counts from there: an answer that took an hour describes the world
    of an hour ago. `expires_at` is None for a result that is good only for the decision it was asked for.
    """

    trait: TraitName
    status: TraitStatus
    observed_at: datetime
    answered_at: datetime
    expires_at: datetime | None = None
    value: Document | None = None
    reason: str = ""
    category: FailureCategory | None = None
    origin: Origin = Origin.EVALUATOR


def is_fresh(result: TraitResult, at: datetime) -> bool:
    """Say whether a result may still be believed. The boundary belongs to "stale"."""
    return result.expires_at is None or at < result.expires_at


def could_not_tell(result: TraitResult) -> bool:
    """Say whether a result means "no answer" and not "the answer is no": the two never mix."""
    return result.status is TraitStatus.ERROR or (
        result.status is not TraitStatus.PASS and result.origin is Origin.RUNNER
    )
