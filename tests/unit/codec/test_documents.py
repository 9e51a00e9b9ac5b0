from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.codec.documents import canonical, document, mapping

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_every_json_object_is_read_back(given_mapping: dict[str, Any]) -> None:
    """LAT-31, BUG-34."""
    doc = document(given_mapping)
    assert mapping(doc) == given_mapping
    assert json.loads(doc.text) == given_mapping
    assert document(mapping(doc)) == doc


@given(st.dictionaries(texts, values, min_size=2, max_size=5))
def test_the_order_of_keys_means_nothing(given_mapping: dict[str, Any]) -> None:
    """BUG-168."""
    turned = dict(reversed(given_mapping.items()))
    assert document(turned) == document(given_mapping)
    assert canonical(turned) == canonical(given_mapping)


def test_numbers_and_texts_that_look_alike_stay_apart() -> None:
    """LAT-31."""
    assert document({"n": 1}) != document({"n": "1"})
    assert document({"n": True}) != document({"n": 1})
    assert mapping(document({"n": 10**30})) == {"n": 10**30}


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        [1, -math.inf],
        {"deep": (math.nan,)},
        object(),
        "\ud800",
        {1: 2},
        {"a": {2: 3}},
        {1, 2},
        b"x",
        1j,
    ],
)
def test_what_is_not_json_is_refused(value: object) -> None:
    """BUG-34."""
    with pytest.raises(ValueError, match="not JSON"):
        canonical(value)


def test_a_structure_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError, match="not JSON"):
        canonical(value)


def test_a_key_that_is_not_text_is_refused() -> None:
    with pytest.raises(ValueError, match="the key 1 is not text"):
        document({1: 2})  # type: ignore[dict-item]  # what YAML may bring


def test_a_mapping_is_fresh_each_time() -> None:
    """BUG-118, T-115."""
    doc = document({"list": [1]})
    mapping(doc)["list"].append(2)
    assert mapping(doc) == {"list": [1]}
