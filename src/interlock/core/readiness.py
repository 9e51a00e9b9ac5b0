"""The readiness rule: from what was seen of the traits to whether the job may start."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final, assert_never

from msgspec import Struct

from interlock.core.ids import TraitName
from interlock.core.traits import (
    FailureCategory,
    TraitResult,
    TraitSpec,
    TraitStatus,
    could_not_tell,
    is_fresh,
)


class RuleType(enum.StrEnum):
    """The shapes a readiness rule may have."""

    ALL_REQUIRED_PASS = "all-required-pass"  # noqa: S105
    MAJORITY_PASS = "majority-pass"  # noqa: S105
    AT_LEAST = "at-least"


class ReadinessRule(Struct, frozen=True, kw_only=True):
    """How many required traits must pass. `threshold` is used by `majority-pass` (optional) and `at-least` only."""

    type: RuleType = RuleType.ALL_REQUIRED_PASS
    threshold: int | None = None

    def needed(self, required: int) -> int:
        """Return how many of so many required traits must pass.

        Raises:
            ValueError: the threshold makes no sense for that number; the message says what would.
        """
        match self.type:
            case RuleType.ALL_REQUIRED_PASS:
                if self.threshold is not None:
                    raise ValueError("all-required-pass takes no threshold")
                return required
            case RuleType.MAJORITY_PASS:
                majority = required // 2 + 1
                return self._within(majority, required, default=majority)
            case RuleType.AT_LEAST:
                return self._within(1, required, default=None)
            case _:
                assert_never(self.type)

    def _within(self, low: int, high: int, *, default: int | None) -> int:
        chosen = self.threshold if self.threshold is not None else default
        if chosen is None:
            raise ValueError(f"{self.type} needs a threshold between {low} and {high}")
        if not low <= chosen <= high:
            raise ValueError(
                f"{self.type} with {high} required traits takes a threshold between {low} and {high}, not {chosen}"
            )
        return chosen


ALL_REQUIRED: Final = ReadinessRule()


class ReadinessStatus(enum.StrEnum):
    """The verdict."""

    READY = "READY"
    NOT_READY = "NOT_READY"


class TraitVerdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one trait counted: its effective status (an expired PASS counts as STALE) and why."""

    trait: TraitName
    required: bool
    status: TraitStatus
    reason: str = ""
    category: FailureCategory | None = None
    undecided: bool = False


class Readiness(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The verdict with its reasons.

    `blocking` lists every required trait that did not pass while the answer is NOT_READY; `errors` those traits,
    required or not, of which nothing could be learned. `valid_until` is how long a READY holds: the instant at which
    too few unexpired passes remain; None when no result behind it expires.
    """

    status: ReadinessStatus
    at: datetime
    verdicts: tuple[TraitVerdict, ...]
    needed: int
    passed: int
    blocking: tuple[TraitName, ...] = ()
    errors: tuple[TraitName, ...] = ()
    valid_until: datetime | None = None

    @property
    def ready(self) -> bool:
        """Whether the answer is yes."""
        return self.status is ReadinessStatus.READY

    @property
    def undecided(self) -> bool:
        """Whether the answer is no only because something could not be asked: it might have been yes."""
        unknown = sum(1 for verdict in self.verdicts if verdict.required and verdict.undecided)
        return not self.ready and self.passed + unknown >= self.needed


def verdict(spec: TraitSpec, result: TraitResult | None, at: datetime) -> TraitVerdict:
    """Say how one trait counts at an instant."""
    if result is None:
        return TraitVerdict(trait=spec.name, required=spec.required, status=TraitStatus.STALE, reason="never evaluated")
    if result.status is TraitStatus.PASS and not is_fresh(result, at):
        return TraitVerdict(
            trait=spec.name,
            required=spec.required,
            status=TraitStatus.STALE,
            reason="the last PASS has expired",
        )
    return TraitVerdict(
        trait=spec.name,
        required=spec.required,
        status=result.status,
        reason=result.reason,
        category=result.category,
        undecided=could_not_tell(result),
    )


def assess(
    traits: tuple[TraitSpec, ...], rule: ReadinessRule, results: tuple[TraitResult, ...], at: datetime
) -> Readiness:
    """Apply the rule to the results as they stand at an instant.

    Unknown, expired, malformed and unreachable all count as "not passing": nothing but a fresh PASS opens a gate.
    """
    by_trait = {result.trait: result for result in results}
    verdicts = tuple(verdict(spec, by_trait.get(spec.name), at) for spec in traits)
    required = [v for v in verdicts if v.required]
    passing = [v.trait for v in required if v.status is TraitStatus.PASS]
    needed = rule.needed(len(required))
    ready = len(passing) >= needed
    return Readiness(
        status=ReadinessStatus.READY if ready else ReadinessStatus.NOT_READY,
        at=at,
        verdicts=verdicts,
        needed=needed,
        passed=len(passing),
        blocking=() if ready else tuple(v.trait for v in required if v.status is not TraitStatus.PASS),
        errors=tuple(v.trait for v in verdicts if v.undecided),
        valid_until=_holds_until([by_trait[name] for name in passing], needed) if ready else None,
    )


def _holds_until(passing: list[TraitResult], needed: int) -> datetime | None:
    """Return when fewer than `needed` of these passes are left: the needed-th latest expiry."""
    lasting = sum(1 for result in passing if result.expires_at is None)
    if lasting >= needed:
        return None
    ends = sorted((result.expires_at for result in passing if result.expires_at is not None), reverse=True)
    return ends[needed - lasting - 1]
