"""The `rules` of a pipeline: required traits, named after what they say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.unit.config.projects import loaded, problems_of, small_project, write_pipeline

from interlock.codec.documents import mapping
from interlock.config.jsonschema import json_schema
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.core.ids import is_name
from interlock.core.traits import TraitSpec


def traits_of(root: Path, rules: str) -> tuple[TraitSpec, ...]:
    """Load a pipeline with these rules, and return the traits that they became."""
    write_pipeline(root, "sensed", f"rules:\n{rules}")
    first, *rest = loaded(root).pipelines["sensed"].spec.traits
    assert first.name == "source-freshness", "the archetype's traits come first"
    return tuple(rest)


def named(root: Path, *rules: str) -> list[str]:
    return [trait.name for trait in traits_of(root, "".join(f"  - {rule}\n" for rule in rules))]


def test_a_rule_becomes_a_required_trait_that_the_builtin_checks(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text((root / "interlock.yaml").read_text() + "\nengine: {defaultTimeout: 7s}\n")
    (trait,) = traits_of(root, "  - {sensor: orders, field: rows, check: gte, value: 100, skew: 2m, perPeriod: true}\n")
    assert (trait.name, trait.evaluator, trait.required) == ("rule-orders.rows.gte", ("builtin:rule",), True)
    assert mapping(trait.config) == {
        "sensor": "orders", "field": "rows", "check": "gte", "value": 100, "skew": "2m", "perPeriod": True,
    }  # fmt: skip
    assert trait.timeout == timedelta(seconds=7)
    assert trait.ttl == timedelta()


def test_key_means_the_same_as_sensor(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    (by_key,) = traits_of(root, "  - {key: orders, check: exists}\n")
    (by_sensor,) = traits_of(root, "  - {sensor: orders, check: exists}\n")
    assert by_key == by_sensor


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("{sensor: orders, check: exists}", "rule-orders.exists"),
        ("{sensor: orders, field: rowCount, check: gte, value: 1}", "rule-orders.row-count.gte"),
        ("{sensor: Orders_EU, field: a.b, check: lt, value: 1}", "rule-orders_eu.a-b.lt"),
        ("{sensor: orders, field: 'ü', check: lt, value: 1}", "rule-orders.x.lt"),
        ("{sensor: orders, check: age_lt, value: 1h}", "rule-orders.age_lt"),
    ],
)
def test_a_trait_is_named_after_sensor_field_and_check(tmp_path: Path, rule: str, name: str) -> None:
    assert named(small_project(tmp_path), rule) == [name]


def test_names_are_names_however_long_and_odd_the_rule(tmp_path: Path) -> None:
    """BUG-122, LAT-17."""
    fields = ["x" * 200, "'" + "#" * 200 + "'", "-", "_", "'é" * 1 + "'"]
    rules = [f"{{sensor: {'K' * 128}, field: {field}, check: ne, value: 1}}" for field in fields]
    found = named(small_project(tmp_path), *rules)
    assert [name for name in found if not is_name(name)] == []
    assert len(set(found)) == len(found)


def test_rules_that_would_share_a_name_are_told_apart_by_their_content(tmp_path: Path) -> None:
    """LAT-17, BUG-168."""
    root = small_project(tmp_path)
    first = "{sensor: orders, field: state, check: ne, value: open}"
    second = "{sensor: orders, field: state, check: ne, value: broken}"
    one, two = named(root, first, second)
    assert one == "rule-orders.state.ne"
    assert two.startswith("rule-orders.state.ne-")
    other = "{sensor: orders, check: exists}"
    assert named(root, other, first, second) == ["rule-orders.exists", one, two], "another rule changes no name"
    assert named(root, first, other, second) == [one, "rule-orders.exists", two]


def test_a_rule_never_takes_the_name_of_a_trait_of_the_archetype(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    archetype = root / "archetypes" / "batch-ingestion.yaml"
    archetype.write_text(archetype.read_text().replace("type: schema-contract", "type: rule-orders.exists"))
    (name,) = named(root, "{sensor: orders, check: exists}")
    assert name.startswith("rule-orders.exists-")


def test_the_same_rule_twice_is_refused(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "sensed", "rules:\n  - {sensor: a, check: exists}\n  - {key: a, check: exists}\n")
    (problem,) = problems_of(root)
    assert "says the same as rules[0]" in problem.message
    assert problem.line == 8


def test_an_archetype_that_counts_its_traits_takes_no_rules(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    archetype = root / "archetypes" / "batch-ingestion.yaml"
    archetype.write_text(archetype.read_text().replace("all-required-pass", "majority-pass"))
    write_pipeline(root, "sensed", "rules:\n  - {sensor: a, check: exists}\n")
    (problem,) = problems_of(root)
    assert "majority-pass" in problem.message
    assert "builtin:rules" in problem.hint


def test_rules_and_traits_together_are_bounded(tmp_path: Path) -> None:
    """BUG-107."""
    root = small_project(tmp_path)
    many = "".join(f"  - {{sensor: s{number}, check: exists}}\n" for number in range(59))
    write_pipeline(root, "sensed", f"rules:\n{many}")
    (problem,) = problems_of(root)
    assert "more than 60 together" in problem.message


def test_rules_come_out_of_the_cache_as_they_went_in(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    path = write_pipeline(root, "sensed", "rules:\n  - {sensor: a, field: x, check: in, value: [1, a, true, 2.5]}\n")
    import os

    os.utime(path, (1, 1))
    first = load_project(root, settings=Settings()).pipelines["sensed"].spec
    again = load_project(root, settings=Settings()).pipelines["sensed"].spec
    assert again == first
    assert mapping(first.traits[1].config)["value"] == [1, "a", True, 2.5]


def test_no_rules_at_all_are_fine(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "sensed", "rules: []\n")
    assert len(loaded(root).pipelines["sensed"].spec.traits) == 1


# ---------------------------------------------------------------- editors


@pytest.mark.parametrize(
    ("rule", "valid"),
    [
        ({"sensor": "orders", "field": "x", "check": "gte", "value": 5}, True),
        ({"key": "orders", "check": "exists"}, True),
        ({"sensor": "orders", "check": "age_lt", "value": "1h", "skew": "2m", "perPeriod": True}, True),
        ({"sensor": "orders", "check": "older", "value": 5}, False),
        ({"sensor": "a#b", "check": "exists"}, False),
        ({"key": "a#b", "check": "exists"}, False),
        ({"sensor": "a", "key": "a", "check": "exists"}, False),
        ({"check": "exists"}, False),
        ({"sensor": "a"}, False),
        ({"sensor": "a", "check": "exists", "feild": "x"}, False),
    ],
)
def test_an_editor_knows_what_a_rule_may_be(rule: dict[str, Any], *, valid: bool) -> None:
    validator = jsonschema.Draft202012Validator(json_schema("pipeline"))
    assert validator.is_valid({"name": "sensed", "archetype": "one", "rules": [rule]}) is valid
