"""Laws of `sensor-freshness`, `sensor-threshold`, `window-completeness` and `data-quality`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluators.builtin.sensed import a_world, ago, value_of, write
from tests.unit.evaluators.worlds import NOON, World

from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer
from interlock.stores import keys
from interlock.stores.kernel import Put, Record

PASS, FAIL, ERROR = TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.ERROR
SENSIBLE: dict[str, dict[str, Any]] = {
    "sensor-freshness": {"maxAge": "1h"},
    "sensor-threshold": {"min": 1},
    "window-completeness": {"expectedCount": 1},
    "data-quality": {"maxNullRate": 0.1},
}


def ask(name: str, data: dict[str, Any], **config: Any) -> Answer:
    return a_world(data).ask(f"builtin:{name}", config={"sensorType": "orders", **config})


@pytest.mark.parametrize("name", SENSIBLE)
def test_a_sensor_that_nobody_has_written_is_a_fail_that_names_it(name: str) -> None:
    answer = a_world().ask(f"builtin:{name}", config={"sensorType": "orders", **SENSIBLE[name]})
    assert (answer.status, answer.origin, answer.category) == (FAIL, Origin.EVALUATOR, None)
    assert "nobody has written the sensor orders" in answer.reason


@pytest.mark.parametrize("name", SENSIBLE)
def test_a_sensor_that_cannot_be_read_is_an_error_that_names_the_row(name: str) -> None:
    """BUG-54."""
    world = a_world()
    pk, sk = keys.pipeline_pk("example"), keys.sensor_sk("orders", "")
    assert world.kernel.commit(pk, [Put(Record(pk=pk, sk=sk, version=1, body={}))])
    answer = world.ask(f"builtin:{name}", config={"sensorType": "orders", **SENSIBLE[name]})
    assert (answer.status, answer.category) == (ERROR, FailureCategory.PERMANENT)
    assert "SENSOR#orders" in answer.reason


@pytest.mark.parametrize("name", SENSIBLE)
def test_the_sensor_of_the_period_speaks(name: str) -> None:
    """BUG-79, BUG-117."""
    world = a_world({"value": 0, "count": 0, "nullRate": 1}, at=NOON - timedelta(days=1))
    config = {"sensorType": "orders", **SENSIBLE[name]}
    assert world.ask(f"builtin:{name}", config=config).status is FAIL
    write(world, {"value": 5, "count": 5, "nullRate": 0}, date="2026-03-07")
    assert world.ask(f"builtin:{name}", config=config).status is PASS
    assert world.ask(f"builtin:{name}", date="2026-03-08", config=config).status is FAIL
    answer = world.ask(f"builtin:{name}", date="2026-03-08", config={**config, "perPeriod": True})
    assert "of the period itself" in answer.reason


# ---------------------------------------------------------------- freshness


@pytest.mark.parametrize(("old", "status"), [(0, PASS), (3600, PASS), (3601, FAIL), (-60, PASS), (-61, ERROR)])
def test_a_sensor_is_fresh_for_so_long(old: int, status: TraitStatus) -> None:
    """LAT-13."""
    world = a_world({}, at=NOON - timedelta(seconds=old))
    answer = world.ask("builtin:sensor-freshness", config={"sensorType": "orders", "maxAge": "1h"})
    assert answer.status is status
    if status is not ERROR:
        assert value_of(answer)["ageSeconds"] == max(0, old)


def test_a_field_may_tell_the_time() -> None:
    def at(told: Any) -> TraitStatus:
        return ask("sensor-freshness", {"loadedAt": told}, maxAge=60, field="loadedAt").status

    assert at(ago(seconds=60)) is PASS
    assert at(ago(seconds=61)) is FAIL
    assert at(ago(hours=-2)) is ERROR
    assert at("soon") is ERROR
    assert ask("sensor-freshness", {}, maxAge=60, field="loadedAt").status is FAIL
    assert ask("sensor-freshness", {"loadedAt": ago(minutes=-5)}, maxAge=60, field="loadedAt", skew="5m").status is PASS


# ---------------------------------------------------------------- threshold


@pytest.mark.parametrize(
    ("data", "config", "status"),
    [
        ({"value": 5}, {"min": 5}, PASS),
        ({"value": 4}, {"min": 5}, FAIL),
        ({"value": 5}, {"max": 5}, PASS),
        ({"value": 6}, {"max": 5}, FAIL),
        ({"value": 0}, {"min": 0, "max": 0}, PASS),
        ({"orders": 5, "value": 0}, {"min": 5}, PASS),
        ({"rows": 5, "value": 0}, {"min": 5, "field": "rows"}, PASS),
        ({"rows": {"good": 5}}, {"min": 5, "field": "rows.good"}, PASS),
        ({"value": "5"}, {"min": 5}, PASS),
        ({"value": "many"}, {"min": 5}, ERROR),
        ({"value": True}, {"min": 0}, ERROR),
        ({"value": None}, {"min": 0}, FAIL),
        ({"rows": 5}, {"min": 5}, FAIL),
        ({"value": 5}, {"min": 5, "field": "rows"}, FAIL),
    ],
)
def test_a_number_is_within_its_bounds(data: dict[str, Any], config: dict[str, Any], status: TraitStatus) -> None:
    """BUG-124, BUG-167."""
    assert ask("sensor-threshold", data, **config).status is status


def test_what_was_measured_is_kept_with_its_bounds() -> None:
    assert value_of(ask("sensor-threshold", {"value": "7"}, min=1, max=5)) == {"value": 7, "min": 1, "max": 5}


# ---------------------------------------------------------------- completeness


def test_missing_windows_are_named() -> None:
    answer = ask("window-completeness", {"windows": ["00", "02", "02"]}, expectedWindows=["00", "01", "02", "03"])
    assert answer.status is FAIL
    assert value_of(answer) == {"missing": ["01", "03"], "actual": 2, "expected": 4}
    assert "01, 03" in answer.reason


@pytest.mark.parametrize(
    ("data", "config", "status"),
    [
        ({"windows": ["a", "b", "c"]}, {"expectedWindows": ["a", "b"]}, PASS),
        ({"windows": []}, {"expectedWindows": ["a"]}, FAIL),
        ({}, {"expectedWindows": ["a"]}, FAIL),
        ({"windows": [0, 1]}, {"expectedWindows": ["0", "1"]}, FAIL),
        ({"windows": ["a", "a"]}, {"expectedCount": 2}, FAIL),
        ({"windows": ["a", "b"]}, {"expectedCount": 2}, PASS),
        ({"count": 2}, {"expectedCount": 2}, PASS),
        ({"count": "2"}, {"expectedCount": 2}, PASS),
        ({"windows": ["a"], "count": 2}, {"expectedCount": 2}, PASS),
        ({"windows": ["a", "b"], "count": 1}, {"expectedCount": 2}, PASS),
        ({"count": 1}, {"expectedCount": 2}, FAIL),
        ({"count": "some"}, {"expectedCount": 2}, ERROR),
        ({"windows": "ab"}, {"expectedCount": 2}, ERROR),
        ({"windows": [True]}, {"expectedWindows": ["a"]}, ERROR),
        ({"windows": [None]}, {"expectedCount": 1}, ERROR),
        ({"windows": [{"a": 1}]}, {"expectedCount": 1}, ERROR),
        ({"count": 17}, {"expectedCount": 20, "minPercent": 85}, PASS),
        ({"count": 16}, {"expectedCount": 20, "minPercent": 85}, FAIL),
        ({"windows": ["a"]}, {"expectedWindows": ["a", "b"], "minPercent": 50}, PASS),
    ],
)
def test_enough_windows_have_arrived(data: dict[str, Any], config: dict[str, Any], status: TraitStatus) -> None:
    assert ask("window-completeness", data, **config).status is status


# ---------------------------------------------------------------- quality


@pytest.mark.parametrize(
    ("data", "config", "status"),
    [
        ({"nullRate": 0.1}, {"maxNullRate": 0.1}, PASS),
        ({"nullRate": 0.11}, {"maxNullRate": 0.1}, FAIL),
        ({"nullRate": 0}, {"maxNullRate": 0}, PASS),
        ({"nullRate": "0.05"}, {"maxNullRate": 0.1}, PASS),
        ({"nullRate": 1.5}, {"maxNullRate": 1}, ERROR),
        ({"nullRate": "low"}, {"maxNullRate": 1}, ERROR),
        ({}, {"maxNullRate": 1}, FAIL),
        ({"nullRate": None}, {"maxNullRate": 1}, FAIL),
        ({}, {}, PASS),
        ({"schemaDrift": False}, {}, PASS),
        ({"schemaDrift": True}, {}, FAIL),
        ({"schemaDrift": "true"}, {}, ERROR),
        ({"schemaDrift": True, "nullRate": 0}, {"allowSchemaDrift": True, "maxNullRate": 0}, PASS),
    ],
)
def test_there_are_few_enough_nulls_and_the_schema_has_not_drifted(
    data: dict[str, Any], config: dict[str, Any], status: TraitStatus
) -> None:
    assert ask("data-quality", data, **config).status is status


def test_everything_that_is_wrong_is_told_at_once() -> None:
    answer = ask("data-quality", {"nullRate": 1, "schemaDrift": True, "schemaDriftDetails": "new id"}, maxNullRate=0)
    assert "nullRate" in answer.reason
    assert "new id" in answer.reason
    assert value_of(answer) == {"nullRate": 1, "schemaDrift": True, "schemaDriftDetails": "new id"}


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        *[(name, {"sensorType": None}, "sensorType") for name in SENSIBLE],
        *[(name, {"sensorType": ""}, "cannot be the key of a sensor") for name in SENSIBLE],
        *[(name, {"sensorTypes": "x"}, "sensorTypes") for name in SENSIBLE],
        ("sensor-freshness", {"maxAge": "soon"}, "maxAge"),
        ("sensor-freshness", {"maxAge": "-1s"}, "maxAge"),
        ("sensor-freshness", {"skew": "x"}, "skew"),
        ("sensor-threshold", {"min": None}, "no rule is given"),
        ("sensor-threshold", {"min": 5, "max": 1}, "nothing can be"),
        ("window-completeness", {"expectedCount": None}, "expectedWindows or expectedCount"),
        ("window-completeness", {"expectedWindows": ["a"]}, "not both"),
        ("window-completeness", {"expectedCount": 0}, "expectedCount"),
        ("window-completeness", {"expectedCount": None, "expectedWindows": ["a", "a"]}, "twice"),
        ("window-completeness", {"expectedCount": None, "expectedWindows": [True]}, "expectedWindows"),
        ("window-completeness", {"minPercent": 0}, "minPercent"),
        ("data-quality", {"maxNullRate": 2}, "maxNullRate"),
        ("data-quality", {"maxNullRate": None, "allowSchemaDrift": True}, "no rule is given"),
    ],
)
def test_a_config_that_cannot_be_used_is_permanent_and_says_why(name: str, config: dict[str, Any], words: str) -> None:
    """LAT-23."""
    asked = {"sensorType": "orders", **SENSIBLE[name], **config}
    if asked["sensorType"] is None:
        del asked["sensorType"]
    answer = World(Path("/")).ask(f"builtin:{name}", config=asked)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
    assert words in answer.reason
