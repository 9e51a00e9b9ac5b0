"""Rules of choices."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from interlock.testing.asl.choices import rule
from interlock.testing.asl.failures import StateFailed, Unsupported
from interlock.testing.asl.paths import Scope

DATA = {
    "s": "abc",
    "n": 5,
    "b": True,
    "null": None,
    "t": "2026-03-07T12:00:00Z",
    "t_same": "2026-03-07T13:00:00+01:00",
    "odd": "2026-03-07 12:00:00",
    "five": 5,
    "six": 6,
    "star": "a*c",
    "results": [{"status": "PASS"}],
}


def holds(**raw: Any) -> bool:
    return rule({"Next": "x", **raw})(Scope(DATA, {"Execution": {"Name": "me"}}, Random(0)))


@pytest.mark.parametrize(
    ("variable", "operator", "wanted", "held"),
    [
        ("$.s", "StringEquals", "abc", True),
        ("$.s", "StringEquals", "ABC", False),
        ("$.s", "StringLessThan", "abd", True),
        ("$.s", "StringGreaterThan", "abd", False),
        ("$.s", "StringLessThanEquals", "abc", True),
        ("$.s", "StringGreaterThanEquals", "abd", False),
        ("$.s", "StringMatches", "a*", True),
        ("$.s", "StringMatches", "*d", False),
        ("$.star", "StringMatches", r"a\*c", True),
        ("$.s", "StringMatches", r"a\*c", False),
        ("$.n", "NumericEquals", 5.0, True),
        ("$.n", "NumericLessThan", 5, False),
        ("$.n", "NumericLessThanEquals", 5, True),
        ("$.n", "NumericGreaterThan", 4, True),
        ("$.n", "NumericGreaterThanEquals", 6, False),
        ("$.b", "BooleanEquals", True, True),
        ("$.b", "BooleanEquals", False, False),
        ("$.t", "TimestampEquals", "2026-03-07T12:00:00.000Z", True),
        ("$.t", "TimestampLessThan", "2026-03-07T12:00:01Z", True),
        ("$.t", "TimestampGreaterThan", "2026-03-07T12:00:00Z", False),
        ("$.t", "TimestampLessThanEquals", "2026-03-07T12:00:00Z", True),
        ("$.t", "TimestampGreaterThanEquals", "2026-03-07T12:00:01Z", False),
        ("$.t", "TimestampEqualsPath", "$.t_same", True),
        ("$.n", "NumericEqualsPath", "$.five", True),
        ("$.n", "NumericGreaterThanEqualsPath", "$.six", False),
        ("$.n", "NumericLessThanPath", "$.six", True),
        ("$.s", "StringEqualsPath", "$.s", True),
        ("$.b", "BooleanEqualsPath", "$.b", True),
        ("$.null", "IsNull", True, True),
        ("$.n", "IsNull", True, False),
        ("$.n", "IsNumeric", True, True),
        ("$.b", "IsNumeric", True, False),
        ("$.s", "IsString", False, False),
        ("$.b", "IsBoolean", True, True),
        ("$.t", "IsTimestamp", True, True),
        ("$.odd", "IsTimestamp", True, False),
        ("$.n", "IsPresent", True, True),
        ("$.null", "IsPresent", True, True),
        ("$.gone", "IsPresent", True, False),
        ("$.gone.deeper", "IsPresent", False, True),
        ("$.results[0].status", "StringEquals", "PASS", True),
        ("$$.Execution.Name", "StringEquals", "me", True),
    ],
)
def test_an_operator_compares(variable: str, operator: str, wanted: Any, held: bool) -> None:
    assert holds(Variable=variable, **{operator: wanted}) is held


@pytest.mark.parametrize(
    ("variable", "operator", "wanted"),
    [
        ("$.n", "StringEquals", "5"),
        ("$.b", "NumericEquals", 1),
        ("$.s", "BooleanEquals", True),
        ("$.odd", "TimestampLessThan", DATA["t"]),
    ],
)
def test_a_variable_of_another_type_is_no_match_and_no_error(variable: str, operator: str, wanted: Any) -> None:
    assert not holds(Variable=variable, **{operator: wanted})


@pytest.mark.parametrize(
    "operator", [{"StringEquals": "x"}, {"IsNull": True}, {"IsString": False}, {"NumericEqualsPath": "$.n"}]
)
def test_a_variable_that_is_missing_fails_whatever_is_asked_of_it(operator: dict[str, Any]) -> None:
    """No rule, and no default, is taken."""
    with pytest.raises(StateFailed) as caught:
        holds(Variable="$.gone", **operator)
    assert caught.value.error == "States.Runtime"


@pytest.mark.parametrize("path", ["$.gone", "$.s"])
def test_what_is_compared_with_has_to_be_there_and_of_the_type(path: str) -> None:
    with pytest.raises(StateFailed) as caught:
        holds(Variable="$.n", NumericEqualsPath=path)
    assert caught.value.error == "States.Runtime"


def test_and_stops_at_the_first_rule_that_does_not_hold() -> None:
    absent = {"Variable": "$.gone", "IsPresent": True}
    assert not holds(And=[absent, {"Variable": "$.gone", "StringEquals": "x"}])


def test_or_stops_at_the_first_rule_that_holds() -> None:
    assert holds(Or=[{"Variable": "$.n", "NumericEquals": 5}, {"Variable": "$.gone", "StringEquals": "x"}])


def test_not_turns_a_rule_around() -> None:
    assert holds(Not={"Variable": "$.n", "NumericEquals": 6})


@pytest.mark.parametrize(
    "raw",
    [
        {"Variable": "$.n", "NumericIs": 5},
        {"Variable": "$.n", "NumericEquals": "5"},
        {"Variable": "$.n"},
        {"Variable": "$.n", "NumericEquals": 5, "IsNull": True},
        {"NumericEquals": 5},
        {"Variable": "$.n[*]", "NumericEquals": 5},
        {"Variable": "$.b", "BooleanLessThan": True},
        {"Variable": "$.t", "TimestampEquals": "yesterday"},
    ],
)
def test_a_rule_that_is_not_known_here_is_refused_when_it_is_compiled(raw: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        rule(raw)
