"""`evaluator: builtin:usual-volume`: is the day's file about as large as on the same weekday of the weeks before?"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from interlock.codec.documents import document
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.evaluators.context import CheckContext
from interlock.ports.evaluators import Answer, Question


class VolumeConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which files are compared, and how much less is still usual."""

    path: Annotated[str, Meta(min_length=1, description="Such as data/%Y-%m-%d.csv, relative to the project.")]
    weeks: Annotated[int, Meta(ge=1, le=52, description="How many weeks are looked back.")] = 4
    least: Annotated[float, Meta(gt=0, le=1, description="The share of the usual size that is enough.")] = 0.5

    def __post_init__(self) -> None:
        if date(2026, 3, 7).strftime(self.path) == date(2026, 3, 8).strftime(self.path):
            raise ValueError("path names the same file for every day: it needs %Y-%m-%d or the like")


class UsualVolume:
    """Compares sizes in bytes with their median. Without any earlier file it cannot tell, and says so."""

    Config = VolumeConfig

    def __init__(self, config: VolumeConfig, context: CheckContext) -> None:
        self._config = config
        self._root = context.root

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Look at the file of the period that is asked about, and not at today's."""
        day = question.slot.period.day
        found = self._size(day)
        if found is None:
            return Answer(status=TraitStatus.FAIL, reason=f"there is no {self._path(day)}")
        earlier = (self._size(day - timedelta(weeks=week)) for week in range(1, self._config.weeks + 1))
        sizes = [size for size in earlier if size is not None]
        if not sizes:
            reason = f"none of the {self._config.weeks} weeks before has a file to compare with"
            return Answer(status=TraitStatus.ERROR, reason=reason, category=FailureCategory.PERMANENT)
        usual = median(sizes)
        enough = found >= usual * self._config.least
        return Answer(
            status=TraitStatus.PASS if enough else TraitStatus.FAIL,
            value=document({"bytes": found, "usualBytes": usual, "weeks": len(sizes)}),
            reason="" if enough else f"{found} bytes, where {usual:.0f} are usual",
        )

    def _path(self, day: date) -> Path:
        return self._root / day.strftime(self._config.path)

    def _size(self, day: date) -> int | None:
        # Other errors, such as a disk that does not answer, are raised: Interlock makes "could not tell" of them.
        try:
            return self._path(day).stat().st_size
        except FileNotFoundError:
            return None


if TYPE_CHECKING:
    from interlock.evaluators.context import Check

    def _is_a_check(it: UsualVolume) -> Check:
        return it
