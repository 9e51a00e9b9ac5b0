"""Laws of `builtin:rule` and `builtin:rules`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.evaluators.builtin.sensed import a_world, ago, value_of, write
from tests.unit.evaluators.worlds import NOON, World

from interlock.core.ids import PipelineName
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer
from interlock.ports.sensors import Sensor, SensorId
from interlock.stores import keys
from interlock.stores.kernel import Put, Record

PASS, FAIL, ERROR = TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.ERROR


def rule(found: Any, check: str, *value: Any, **config: Any) -> Answer:
    """Check the field `x` of the sensor `orders`."""
    config |= {"value": value[0]} if value else {}
    world = a_world({"x": found})
    return world.ask("builtin:rule", config={"sensor": "orders", "field": "x", "check": check, **config})


# ---------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("found", "check", "value", "status"),
    [
        (5, "equals", 5, PASS),
        (5, "equals", 5.0, PASS),
        (1_000_000, "equals", 1e6, PASS),
        (5, "equals", 6, FAIL),
        ("a", "equals", "a", PASS),
        (True, "equals", True, PASS),
        (True, "equals", "true", FAIL),
        ("true", "equals", True, FAIL),
        (True, "equals", 1, FAIL),
        (1, "equals", True, FAIL),
        (0, "equals", False, FAIL),
        ("1000000", "equals", 1_000_000, FAIL),
        ([5], "equals", 5, FAIL),
        (5, "ne", 6, PASS),
        (5, "ne", 5.0, FAIL),
        ("5", "ne", 6, ERROR),
        (True, "ne", 0, ERROR),
        ({}, "ne", "a", ERROR),
        (5, "in", [1, 5.0, "a"], PASS),
        ("5", "in", [1, 5], FAIL),
        (True, "in", [1, "true"], FAIL),
        (False, "in", [False], PASS),
    ],
)
def test_equality_is_typed(found: Any, check: str, value: Any, status: TraitStatus) -> None:
    """LAT-31."""
    assert rule(found, check, value).status is status


@pytest.mark.parametrize(
    ("found", "check", "value", "status"),
    [
        (5, "gt", 5, FAIL),
        (5.1, "gt", 5, PASS),
        (5, "gte", 5, PASS),
        (4, "gte", 5, FAIL),
        (5, "lt", 5, FAIL),
        (4, "lt", 5, PASS),
        (5, "lte", 5.0, PASS),
        (6, "lte", 5, FAIL),
        (0, "gte", 0, PASS),
        (2**53 + 1, "gt", 2**53, PASS),
        (5, "between", [5, 6], PASS),
        (6, "between", [5, 6], PASS),
        (6.01, "between", [5, 6], FAIL),
        ("1500", "gte", 1000, PASS),
        ("-1.5e1", "lt", 0, PASS),
        ("5", "between", [5, 6], PASS),
        ("abc", "gte", 1000, ERROR),
        ("", "gte", 0, ERROR),
        ("1_000", "gte", 0, ERROR),
        ("nan", "lt", 5, ERROR),
        ("inf", "gt", 5, ERROR),
        ("1e999", "gt", 5, ERROR),
        ("0x10", "gt", 5, ERROR),
        ("\u0661", "gt", 0, ERROR),
        (True, "gte", 0, ERROR),
        ([5], "gte", 0, ERROR),
    ],
)
def test_numbers_are_compared_and_texts_that_are_numbers(
    found: Any, check: str, value: Any, status: TraitStatus
) -> None:
    """BUG-124, BUG-167."""
    answer = rule(found, check, value)
    assert answer.status is status
    assert ("not numeric" in answer.reason) is (status is ERROR)


@pytest.mark.parametrize(
    ("found", "value", "status"),
    [
        ("AB-12", "[A-Z]{2}-\\d+", PASS),
        ("xAB-12", "[A-Z]{2}-\\d+", FAIL),
        (12, "\\d+", ERROR),
        ("x" * 1001, "x*", ERROR),
    ],
)
def test_a_text_matches_a_pattern_as_a_whole(found: Any, value: str, status: TraitStatus) -> None:
    assert rule(found, "matches", value).status is status


@pytest.mark.parametrize("check", ["equals", "ne", "gte", "matches", "age_gt", "in", "exists"])
@pytest.mark.parametrize("data", [{"x": None}, {"y": 1}, {}])
def test_what_is_not_there_and_null_satisfy_no_check(check: str, data: dict[str, Any]) -> None:
    value = {"matches": "a", "age_gt": "1h", "in": [1], "exists": None}.get(check, 5)
    config = {"sensor": "orders", "field": "x", "check": check} | ({} if value is None else {"value": value})
    answer = a_world(data).ask("builtin:rule", config=config)
    assert (answer.status, answer.category) == (FAIL, None)
    assert "x of the sensor orders" in answer.reason or "the sensor orders has no field x" in answer.reason


def test_a_sensor_or_a_field_of_it_exists() -> None:
    world = a_world({"x": 0, "deep": {"y": False}})
    for config in ({}, {"field": "x"}, {"field": "deep"}, {"field": "deep.y"}):
        assert world.ask("builtin:rule", config={"sensor": "orders", "check": "exists", **config}).status is PASS
    answer = world.ask("builtin:rule", config={"sensor": "orders", "check": "exists", "field": "deep.z"})
    assert answer.status is FAIL


def test_a_field_may_be_a_path_and_a_key_with_a_dot_wins() -> None:
    def equals(data: dict[str, Any], field: str) -> TraitStatus:
        config = {"sensor": "orders", "field": field, "check": "equals", "value": 1}
        return a_world(data).ask("builtin:rule", config=config).status

    assert equals({"a": {"b": {"c": 1}}}, "a.b.c") is PASS
    assert equals({"a.b": 1, "a": {"b": 2}}, "a.b") is PASS
    assert equals({"a": {"b": 2}}, "a.b") is FAIL
    assert equals({"a": [1]}, "a.0") is FAIL
    assert equals({"a": 1}, "a.") is FAIL
    assert equals({"a": 1}, ".a") is FAIL


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"updatedAt": 1, "state": 2}, "did you mean updatedAt?"),
        ({"rows": 1, "state": 2}, "it has: rows, state"),
        ({f"f{number}": 1 for number in range(20)}, "and 12 more"),
        ({}, "it has: none"),
    ],
)
def test_a_field_that_is_only_spelt_otherwise_is_named(data: dict[str, Any], words: str) -> None:
    config = {"sensor": "orders", "field": "updated_at", "check": "age_lt", "value": "1h"}
    assert words in a_world(data).ask("builtin:rule", config=config).reason


# ---------------------------------------------------------------- ages


@pytest.mark.parametrize(
    "found",
    [
        "2026-03-07T11:30:00Z",
        "2026-03-07T12:30:00+01:00",
        "2026-03-07 11:30:00.000",
        "2026-03-07t11:30:00z",
        1772883000,
        1772883000.0,
        1772883000000,
        "1772883000",
        "1772883000000",
    ],
)
def test_one_instant_however_it_is_written_has_one_age(found: Any) -> None:
    """BUG-174, LAT-09."""
    assert rule(found, "age_lt", "1801s").status is PASS
    assert rule(found, "age_lt", "30m").status is FAIL, "the boundary belongs to too old"
    assert rule(found, "age_gt", 1799).status is PASS
    assert rule(found, "age_gt", "30m").status is FAIL


@pytest.mark.parametrize(
    "found", ["yesterday", "", "2026-03-07", "2026-13-07T00:00:00Z", "2026-03-07T11:30", True, [1], {}, 1e300, -1e300]
)
def test_what_is_no_time_has_no_age(found: Any) -> None:
    """LAT-09."""
    answer = rule(found, "age_lt", "1h")
    assert (answer.status, answer.category) == (ERROR, FailureCategory.PERMANENT)
    assert "is no time" in answer.reason


@pytest.mark.parametrize("check", ["age_lt", "age_gt"])
@pytest.mark.parametrize(
    ("ahead", "skew", "clear"),
    [(60, None, True), (61, None, False), (7200, None, False), (61, "2m", True), (1, 0, False)],
)
def test_a_time_too_far_in_the_future_is_an_error(check: str, ahead: int, skew: Any, *, clear: bool) -> None:
    """LAT-13."""
    more = {} if skew is None else {"skew": skew}
    answer = rule(ago(seconds=-ahead), check, "1h", **more)
    if not clear:
        assert (answer.status, answer.category) == (ERROR, FailureCategory.PERMANENT)
        assert "in the future" in answer.reason
    else:
        assert answer.status is (PASS if check == "age_lt" else FAIL)


def test_an_age_without_a_field_is_the_sensors_own() -> None:
    config = {"sensor": "orders", "check": "age_lt", "value": "1h"}
    assert a_world({}, at=NOON - timedelta(minutes=59)).ask("builtin:rule", config=config).status is PASS
    assert a_world({}, at=NOON - timedelta(minutes=60)).ask("builtin:rule", config=config).status is FAIL
    assert a_world({}, at=NOON + timedelta(minutes=2)).ask("builtin:rule", config=config).status is ERROR


# ---------------------------------------------------------------- which sensor


def test_a_sensor_that_nobody_has_written_is_a_fail_that_names_it() -> None:
    answer = a_world().ask("builtin:rule", config={"sensor": "orders", "check": "exists"})
    assert (answer.status, answer.origin, answer.category) == (FAIL, Origin.EVALUATOR, None)
    assert "no data yet" in answer.reason
    assert "orders" in answer.reason


@pytest.mark.parametrize("newer", [None, "2026-03-07T14:00", "2026-03-07"])
def test_the_sensor_of_the_period_itself_speaks_whatever_else_was_written_later(newer: str | None) -> None:
    """BUG-117, BUG-168, BUG-78."""
    world = a_world()
    dates = ["2026-03-07T14:00", "2026-03-07", None, "2026-03-07T15:00", "2026-03-08"]
    for date in [*(date for date in dates if date != newer), newer]:
        write(world, {"x": str(date)}, date=date)

    def speaks(date: str, **config: Any) -> str | None:
        asked = {"sensor": "orders", "field": "x", "check": "exists", **config}
        answer = world.ask("builtin:rule", date=date, config=asked)
        return value_of(answer)["found"] if answer.status is PASS else None

    assert speaks("2026-03-07T14:00") == "2026-03-07T14:00"
    assert speaks("2026-03-07T16:00") == "2026-03-07"
    assert speaks("2026-03-07") == "2026-03-07"
    assert speaks("2026-03-09T01:00") == "None"
    assert speaks("2026-03-07T16:00", perPeriod=True) is None
    assert speaks("2026-03-09", perPeriod=True) is None
    assert speaks("2026-03-07T15:00", perPeriod=True) == "2026-03-07T15:00"


def test_only_the_pipelines_own_sensors_count() -> None:
    """LAT-30."""
    world = a_world()
    write(world, {"x": 1}, key="orders-eu")
    write(world, {"x": 1}, key="order")
    assert world.ask("builtin:rule", config={"sensor": "orders", "check": "exists"}).status is FAIL
    write(world, {"x": 1})
    asked = {"sensor": "orders", "check": "exists"}
    assert world.ask("builtin:rule", pipeline="other", config=asked).status is FAIL


def _damage(world: World) -> None:
    pk, sk = keys.pipeline_pk("example"), keys.sensor_sk("orders", "")
    assert world.kernel.commit(pk, [Put(Record(pk=pk, sk=sk, version=1, body={"key": 5}))])


def test_a_sensor_that_cannot_be_read_is_an_error_and_not_missing() -> None:
    """BUG-54."""
    world = a_world()
    _damage(world)
    answer = world.ask("builtin:rule", config={"sensor": "orders", "check": "exists"})
    assert (answer.status, answer.category) == (ERROR, FailureCategory.PERMANENT)
    assert "SENSOR#orders" in answer.reason


# ---------------------------------------------------------------- several


def rules(world: World, *items: dict[str, Any], **config: Any) -> Answer:
    return world.ask("builtin:rules", config={"rules": list(items), **config})


YES = {"sensor": "orders", "field": "x", "check": "gte", "value": 1}
NO = {"sensor": "orders", "field": "x", "check": "gt", "value": 5}
ODD = {"sensor": "orders", "field": "text", "check": "gt", "value": 5}


@pytest.mark.parametrize(
    ("items", "config", "status"),
    [
        ([YES, YES], {}, PASS),
        ([YES, NO], {}, FAIL),
        ([YES, ODD], {}, ERROR),
        ([NO, ODD], {}, FAIL),
        ([YES, NO], {"mode": "any"}, PASS),
        ([YES, ODD], {"mode": "any"}, PASS),
        ([NO, ODD], {"mode": "any"}, ERROR),
        ([NO, NO], {"mode": "any"}, FAIL),
        ([YES, YES, NO], {"mode": "at_least", "atLeast": 2}, PASS),
        ([YES, NO, NO], {"mode": "at_least", "atLeast": 2}, FAIL),
        ([YES, ODD, NO], {"mode": "at_least", "atLeast": 2}, ERROR),
        ([YES, ODD, NO], {"mode": "at_least", "atLeast": 3}, FAIL),
    ],
)
def test_enough_rules_must_hold_and_doubt_counts_where_it_makes_the_difference(
    items: list[dict[str, Any]], config: dict[str, Any], status: TraitStatus
) -> None:
    answer = rules(a_world({"x": 5, "text": "abc"}), *items, **config)
    assert answer.status is status
    assert (answer.category is FailureCategory.PERMANENT) is (status is ERROR)


def test_each_rule_says_how_it_came_out() -> None:
    answer = rules(a_world({"x": 5, "text": "abc"}), YES, NO, ODD)
    value = value_of(answer)
    assert (value["passed"], value["needed"]) == (1, 3)
    assert [(each["status"], each["found"]) for each in value["rules"]] == [("PASS", 5), ("FAIL", 5), ("ERROR", "abc")]
    assert [bool(each["reason"]) for each in value["rules"]] == [False, True, True]
    assert value["rules"][0] == {
        **{key: YES[key] for key in ("sensor", "field", "check", "value")},
        "found": 5,
        "status": "PASS",
        "reason": "",
        "updatedAt": "2026-03-07T12:00:00+00:00",
    }
    assert "1 of 3 rules hold" in answer.reason


def test_a_number_written_as_text_is_measured_as_a_number() -> None:
    """BUG-167."""
    assert value_of(rule("1500", "gte", 1000))["found"] == 1500


class Running:
    """A clock that goes on by an hour whenever it is looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return NOON + timedelta(hours=self.looks - 1)


def test_all_rules_of_an_evaluation_are_judged_at_one_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """BUG-146."""
    world, clock = a_world({"at": ago(minutes=10)}), Running()
    monkeypatch.setattr(world, "now", clock)
    item = {"sensor": "orders", "field": "at", "check": "age_lt", "value": "30m"}
    assert rules(world, item, {**item, "value": "31m"}, {**item, "value": "32m"}).status is PASS
    assert clock.looks == 1


def test_each_sensor_is_read_once_an_evaluation() -> None:
    world, read = a_world({"x": 5}), []
    plain = world.sensors.sensor

    def counted(which: SensorId) -> Sensor | None:
        read.append(which)
        return plain(which)

    world.sensors.sensor = counted  # type: ignore[method-assign]
    assert rules(world, YES, YES, {**YES, "field": "x"}).status is PASS
    assert read.count(SensorId(PipelineName("example"), "orders")) == 1


def test_one_damaged_sensor_hides_nothing_of_the_others() -> None:
    """BUG-54."""
    world = a_world()
    _damage(world)
    write(world, {"x": 5}, key="other")
    damaged, sound = {"sensor": "orders", "check": "exists"}, {"sensor": "other", "check": "exists"}
    assert rules(world, damaged, sound).status is ERROR
    assert rules(world, damaged, sound, mode="any").status is PASS
    assert [each["status"] for each in value_of(rules(world, damaged, sound))["rules"]] == ["ERROR", "PASS"]
