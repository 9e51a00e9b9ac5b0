"""Whether to try again, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from msgspec import Struct

from interlock.core.traits import FailureCategory

LONGEST_BACKOFF: Final = timedelta(hours=1)


class RetrySpec(Struct, frozen=True, kw_only=True):
    """How a failed job is tried again. `max_attempts` counts the first attempt too."""

    max_attempts: int = 3
    backoff: timedelta = timedelta(seconds=30)
    multiplier: float = 2.0
    retryable: tuple[FailureCategory, ...] = (FailureCategory.TIMEOUT, FailureCategory.TRANSIENT)


def should_retry(policy: RetrySpec, category: FailureCategory, failures: int) -> bool:
    """Say whether a run with so many failures may try again. PERMANENT never does, whatever the policy lists."""
    if category is FailureCategory.PERMANENT:
        return False
    return category in policy.retryable and failures < policy.max_attempts


def delay(policy: RetrySpec, failures: int) -> timedelta:
    """Return how long to wait after the n-th failure: `backoff · multiplier^(n-1)`, at most an hour."""
    base = policy.backoff.total_seconds()
    try:
        seconds = base * policy.multiplier ** max(failures - 1, 0)
    except OverflowError:
        return LONGEST_BACKOFF
    return timedelta(seconds=min(seconds, LONGEST_BACKOFF.total_seconds()))
