"""Results that arrive by themselves: somebody else checked, and told us."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from interlock.core.documents import Document
from interlock.core.ids import PipelineName, ScheduleName, TraitName
from interlock.core.periods import Period
from interlock.core.traits import FailureCategory, TraitStatus


class PushedResult(Struct, frozen=True, kw_only=True):
    """One answer about one trait of a pipeline, pushed by somebody.

    One that names a schedule or a period counts for those only; one that names neither counts for every slot. `ttl` is
    its life, counted from `pushed_at`; None leaves the matter to the trait's own ttl.
    """

    trait: TraitName
    status: TraitStatus
    pushed_at: datetime
    schedule: ScheduleName | None = None
    period: Period | None = None
    value: Document | None = None
    reason: str = ""
    category: FailureCategory | None = None
    ttl: timedelta | None = None
    pushed_by: str = ""


class Pushes(Protocol):
    """Keeps what was pushed."""

    def get_push(self, pipeline: PipelineName, trait: TraitName) -> tuple[PushedResult, ...]:
        """Return what was pushed about a trait: at least the newest of each (schedule, period), in any order."""
        ...

    def put_push(self, pipeline: PipelineName, pushed: PushedResult) -> None:
        """Keep a result. An older one about the same trait, schedule and period may be forgotten."""
        ...
