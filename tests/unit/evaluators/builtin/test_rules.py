"""Laws of the rule of `sql` and `http-json`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.traits import FailureCategory, TraitStatus
from interlock.evaluators.builtin.rules import Ruled, judge

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


def verdict(measured: object, **rule: Any) -> TraitStatus:
    return judge(msgspec.convert(rule, Ruled), measured, what="the value").status


@pytest.mark.parametrize(
    ("measured", "limit"),
    [
        (100, 100),
        (100, 100.0),
        (100.0, 100),
        (1_000_000, 1e6),
        (Decimal("1000000"), 1_000_000),
        (Decimal("0.1"), 0.1),
        ("a", "a"),
        (True, True),
        (date(2026, 3, 7), "2026-03-07"),
        (datetime(2026, 3, 7, tzinfo=UTC), "2026-03-07T00:00:00+00:00"),
    ],
)
def test_equal_values_of_one_kind_are_equal(measured: object, limit: object) -> None:
    """LAT-31."""
    assert verdict(measured, equals=limit) is TraitStatus.PASS


@pytest.mark.parametrize(
    ("measured", "limit"), [("100", 100), (100, "100"), (1, True), (True, 1), (False, 0), ("true", True), (100, 101)]
)
def test_values_of_two_kinds_are_never_equal(measured: object, limit: object) -> None:
    """LAT-31."""
    assert verdict(measured, equals=limit) is TraitStatus.FAIL


@pytest.mark.parametrize("op", ["!=", "<", "<=", ">", ">="])
def test_a_rule_across_kinds_is_an_error_and_not_a_pass(op: str) -> None:
    """LAT-31: above all, "differs" must not be satisfied by a value of the wrong kind."""
    answer = judge(msgspec.convert({"expect": {"op": op, "value": 5}}, Ruled), "abc", what="the value")
    assert (answer.status, answer.category) == (TraitStatus.ERROR, FailureCategory.PERMANENT)


@pytest.mark.parametrize("measured", [None, float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
@pytest.mark.parametrize("rule", [{"expect": {"op": "!=", "value": 1}}, {"min": 0}, {"max": 0}, {"equals": 0}])
def test_nothing_satisfies_no_rule(measured: object, rule: dict[str, Any]) -> None:
    assert verdict(measured, **rule) is TraitStatus.FAIL


@given(NUMBERS, NUMBERS)
def test_comparison_agrees_with_arithmetic(a: float, b: float) -> None:
    for op, truth in (("<", a < b), ("<=", a <= b), (">", a > b), (">=", a >= b), ("==", a == b), ("!=", a != b)):
        assert (verdict(a, expect={"op": op, "value": b}) is TraitStatus.PASS) == truth


def test_every_rule_that_is_given_must_hold() -> None:
    assert verdict(5, min=1, max=10) is TraitStatus.PASS
    assert verdict(5, min=1, max=4) is TraitStatus.FAIL
    assert verdict(5, min=6, max=10) is TraitStatus.FAIL
    assert verdict(5, min=1, max=10, equals=6) is TraitStatus.FAIL


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"expect": {"op": "=>", "value": 1}},
        {"expect": {"op": ">"}},
        {"expect": {"op": ">", "value": True}},
        {"expect": {"op": ">", "value": 1, "extra": 1}},
        {"min": "1"},
        {"min": True},
        {"atLeast": 1},
    ],
)
def test_a_rule_that_says_nothing_or_nonsense_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(rule, Ruled)


def test_a_long_text_is_compared_whole_and_shown_short() -> None:
    answer = judge(msgspec.convert({"equals": "x" * 5000}, Ruled), "x" * 5000, what="it")
    assert answer.status is TraitStatus.PASS
    assert answer.value is not None
    assert len(answer.value.text) < 1100


@pytest.mark.parametrize("measured", [10**30, b"\x01\x02", [1], {"a": 1}, "\ud800"])
def test_whatever_an_engine_returns_makes_an_answer(measured: object) -> None:
    assert judge(msgspec.convert({"equals": 1}, Ruled), measured, what="it").status is TraitStatus.FAIL
