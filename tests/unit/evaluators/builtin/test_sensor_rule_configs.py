"""Rules that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluators.worlds import World

from interlock.core.traits import FailureCategory, Origin

YES = {"sensor": "orders", "field": "x", "check": "gte", "value": 1}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "sensor"),
        ({"sensor": "orders"}, "check"),
        ({"sensor": "a#b", "check": "exists"}, "cannot be the key of a sensor"),
        ({"sensor": "orders", "check": "older"}, "check"),
        ({"sensor": "orders", "check": "gte", "value": 5}, "field"),
        ({"sensor": "orders", "field": "x", "check": "gte"}, "needs a value"),
        ({"sensor": "orders", "field": "x", "check": "gte", "value": "5"}, "needs a number"),
        ({"sensor": "orders", "field": "x", "check": "gte", "value": True}, "needs a number"),
        ({"sensor": "orders", "field": "x", "check": "equals", "value": None}, "null"),
        ({"sensor": "orders", "field": "x", "check": "equals", "value": {"a": 1}}, "an object"),
        ({"sensor": "orders", "field": "x", "check": "between", "value": 5}, "two numbers"),
        ({"sensor": "orders", "field": "x", "check": "between", "value": [5, 1]}, "backwards"),
        ({"sensor": "orders", "field": "x", "check": "in", "value": []}, "a list of 1 to"),
        ({"sensor": "orders", "field": "x", "check": "in", "value": [[1]]}, "a list of 1 to"),
        ({"sensor": "orders", "field": "x", "check": "in", "value": "abc"}, "a list of 1 to"),
        ({"sensor": "orders", "field": "x", "check": "matches", "value": "("}, "cannot be used"),
        ({"sensor": "orders", "field": "x", "check": "matches", "value": "(?=x)"}, "groups are"),
        ({"sensor": "orders", "check": "age_lt", "value": "soon"}, "not a duration"),
        ({"sensor": "orders", "check": "age_lt", "value": -5}, "negative"),
        ({"sensor": "orders", "check": "age_lt", "value": 1.5}, "duration"),
        ({"sensor": "orders", "check": "age_lt", "value": 10**400}, "too long"),
        ({"sensor": "orders", "check": "exists", "value": 1}, "takes no value"),
        ({"sensor": "orders", "check": "exists", "skew": "-1s"}, "skew"),
        ({"sensor": "orders", "check": "exists", "fields": "x"}, "fields"),
    ],
)
def test_a_rule_that_cannot_be_used_is_permanent_and_says_why(config: dict[str, Any], words: str) -> None:
    """LAT-23."""
    answer = World(Path("/")).ask("builtin:rule", config=config)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
    assert words in answer.reason


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "rules"),
        ({"rules": []}, "rules"),
        ({"rules": [{"sensor": "orders", "check": "gte"}]}, "value"),
        ({"rules": [YES], "mode": "some"}, "mode"),
        ({"rules": [YES], "mode": "at_least"}, "atLeast"),
        ({"rules": [YES], "atLeast": 1}, "atLeast"),
        ({"rules": [YES], "mode": "at_least", "atLeast": 2}, "can never hold"),
        ({"rules": [YES], "mode": "at_least", "atLeast": 0}, "atLeast"),
        ({"rules": [{**YES, "skew": "1s"}]}, "skew"),
        ({"rules": [YES], "skew": "x"}, "skew"),
    ],
)
def test_rules_that_cannot_be_used_are_permanent_and_say_why(config: dict[str, Any], words: str) -> None:
    answer = World(Path("/")).ask("builtin:rules", config=config)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
    assert words in answer.reason
