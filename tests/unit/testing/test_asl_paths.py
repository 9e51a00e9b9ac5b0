"""Paths into data, as the language reads and writes them."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.testing.asl.failures import StateFailed, Unsupported
from interlock.testing.asl.paths import Path, reference

ITEMS = [{"x": 1}, {"x": 2}, {"y": 3}]
DATA: dict[str, Any] = {"a": {"b": ITEMS}, "null": None, "a b": 4, "a-b": 5, "empty": []}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$", DATA),
        ("$.a.b[0].x", 1),
        ("$['a']['b'][1]", {"x": 2}),
        ('$["a b"]', 4),
        ("$.a-b", 5),
        ("$.null", None),
        ("$.a.b[-1].y", 3),
    ],
)
def test_a_path_to_one_place_gives_the_value_there(text: str, found: Any) -> None:
    assert Path(text).read(DATA) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$.a.b[*].x", [1, 2]),
        ("$.a.b[0:2].x", [1, 2]),
        ("$.a.b[1:]", [{"x": 2}, {"y": 3}]),
        ("$.a.*", [ITEMS]),
        ("$.empty[*]", []),
        ("$.empty[*].x", []),
        ("$.a.b[*].nowhere", []),
    ],
)
def test_a_path_to_many_places_gives_the_list_of_what_it_found(text: str, found: Any) -> None:
    assert Path(text).read(DATA) == found


@pytest.mark.parametrize(
    "text", ["$.nope", "$.a.nope.x", "$.a.b[3]", "$.a.b[-4]", "$.null.x", "$.a['0']", "$.nope[*]", "$.null[*]"]
)
def test_a_path_to_nowhere_is_a_runtime_error_and_never_null(text: str) -> None:
    """What a task never returned is not read as null."""
    with pytest.raises(StateFailed) as caught:
        Path(text).read(DATA)
    assert caught.value.error == "States.Runtime"


@pytest.mark.parametrize("text", ["a.b", "$.a b", "$..b", "$.a[?(@.x)]", "$.a[", "$.", "$.length()"])
def test_a_path_that_is_not_known_here_is_refused_when_it_is_compiled(text: str) -> None:
    with pytest.raises(Unsupported, match="is no path"):
        Path(text)


@pytest.mark.parametrize("text", ["$.a[*]", "$.a[0:1]", "$.*"])
def test_a_reference_path_names_one_place(text: str) -> None:
    with pytest.raises(Unsupported, match="one place"):
        reference(text)


def test_writing_makes_the_objects_on_the_way() -> None:
    assert Path("$.new.deep").write({"old": 1}, 2) == {"old": 1, "new": {"deep": 2}}


def test_writing_leaves_the_data_it_was_given_as_it_was() -> None:
    data = {"a": {"b": 1}}
    assert Path("$.a.c").write(data, 2) == {"a": {"b": 1, "c": 2}}
    assert data == {"a": {"b": 1}}


def test_writing_replaces_an_element_of_an_array() -> None:
    assert Path("$.a[-1]").write({"a": [1, 2]}, 3) == {"a": [1, 3]}


@pytest.mark.parametrize(
    ("text", "data"), [("$.a", "text"), ("$.a.b", {"a": 5}), ("$.a[1]", {"a": [0]}), ("$.a[0]", {})]
)
def test_writing_where_nothing_can_stand_is_an_error_of_its_own(text: str, data: Any) -> None:
    with pytest.raises(StateFailed) as caught:
        Path(text).write(data, 1)
    assert caught.value.error == "States.ResultPathMatchFailure"
