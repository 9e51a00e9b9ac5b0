from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.retries import LONGEST_BACKOFF, RetrySpec, delay, should_retry
from interlock.core.traits import FailureCategory

TRANSIENT, TIMEOUT = FailureCategory.TRANSIENT, FailureCategory.TIMEOUT
PERMANENT, CRASH = FailureCategory.PERMANENT, FailureCategory.EVALUATOR_CRASH
DEFAULT = RetrySpec()


def _seconds(policy: RetrySpec, failures: int) -> float:
    return delay(policy, failures).total_seconds()


def test_the_backoff_doubles_and_is_at_most_an_hour() -> None:
    """LAT-42."""
    assert [_seconds(DEFAULT, n) for n in range(1, 5)] == [30, 60, 120, 240]
    assert [_seconds(DEFAULT, n) for n in (7, 8, 9)] == [1920, 3600, 3600]


def test_a_first_failure_that_was_not_counted_waits_as_long_as_the_first() -> None:
    assert _seconds(DEFAULT, 0) == 30


@given(
    st.integers(0, 10**7),
    st.floats(1, 100),
    st.timedeltas(min_value=timedelta(), max_value=timedelta(days=3)),
)
def test_no_policy_makes_a_delay_overflow_or_exceed_an_hour(
    failures: int, multiplier: float, backoff: timedelta
) -> None:
    """T-122."""
    found = delay(RetrySpec(backoff=backoff, multiplier=multiplier), failures)
    assert timedelta() <= found <= LONGEST_BACKOFF


@given(st.integers(1, 50), st.floats(1, 100))
def test_a_later_failure_never_waits_less(failures: int, multiplier: float) -> None:
    """T-122."""
    policy = RetrySpec(multiplier=multiplier)
    assert delay(policy, failures) <= delay(policy, failures + 1)


@pytest.mark.parametrize(
    ("category", "again"), [(TRANSIENT, True), (TIMEOUT, True), (CRASH, False), (PERMANENT, False)]
)
def test_by_default_only_what_may_pass_is_tried_again(category: FailureCategory, *, again: bool) -> None:
    """LAT-41."""
    assert should_retry(DEFAULT, category, 1) is again


def test_permanent_is_never_tried_again_whatever_the_policy_lists() -> None:
    """BUG-18, T-21."""
    assert not should_retry(RetrySpec(retryable=(PERMANENT, CRASH)), PERMANENT, 1)
    assert should_retry(RetrySpec(retryable=(PERMANENT, CRASH)), CRASH, 1)
    assert not should_retry(RetrySpec(retryable=(CRASH,)), TRANSIENT, 1)


def test_max_attempts_counts_the_first_attempt_too() -> None:
    assert [should_retry(DEFAULT, TRANSIENT, n) for n in (1, 2, 3)] == [True, True, False]
    assert not should_retry(RetrySpec(max_attempts=1), TRANSIENT, 1)


def test_setting_one_key_leaves_the_others_as_they_are() -> None:
    """T-18."""
    policy = RetrySpec(backoff=timedelta(seconds=60))
    assert policy.max_attempts == 3
    assert should_retry(policy, TRANSIENT, 1)
