"""The laboratory's filters mean what AWS Lambda's mean."""

from __future__ import annotations

from typing import Any

import pytest
from tests.aws.lab.filters import BadPattern, Filters

RECORD: dict[str, Any] = {
    "eventName": "INSERT",
    "count": 300,
    "share": 0.5,
    "nothing": None,
    "empty": "",
    "yes": True,
    "tags": ["red", "blue"],
    "dynamodb": {
        "Keys": {"PK": {"S": "SLOT#a"}, "SK": {"S": "RUN#000001"}},
        "NewImage": {
            "version": {"N": "3"},
            "gone": {"NULL": True},
            "list": {"L": [{"S": "Sales"}, {"N": "7"}]},
        },
    },
}


def image(**attributes: Any) -> dict[str, Any]:
    return {"dynamodb": {"NewImage": attributes}}


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["insert"]}, False),
        ({"eventName": ["REMOVE", "INSERT"]}, True),
        ({"eventName": [{"equals-ignore-case": "insert"}]}, True),
        ({"eventName": [{"prefix": "INS"}]}, True),
        ({"eventName": [{"prefix": "NS"}]}, False),
        ({"eventName": [{"suffix": "ERT"}]}, True),
        ({"eventName": [{"suffix": "ER"}]}, False),
        ({"eventName": [{"anything-but": "INSERT"}]}, False),
        ({"eventName": [{"anything-but": ["REMOVE", "MODIFY"]}]}, True),
        ({"eventName": [{"anything-but": {"prefix": "INS"}}]}, False),
        ({"eventName": [{"anything-but": {"suffix": "X"}}]}, True),
        ({"absent": [{"anything-but": "x"}]}, False),
        ({"nothing": [None]}, True),
        ({"absent": [None]}, False),
        ({"empty": [""]}, True),
        ({"nothing": [""]}, False),
        ({"yes": [True]}, True),
        ({"yes": [1]}, False),
        ({"count": [300]}, True),
        ({"count": [300.0]}, False),
        ({"count": [{"numeric": ["=", 300.0]}]}, True),
        ({"count": [{"numeric": [">", 10, "<=", 300]}]}, True),
        ({"count": [{"numeric": [">", 10, "<", 300]}]}, False),
        ({"count": [{"prefix": "3"}]}, False),
        ({"share": [0.5]}, True),
        ({"tags": ["blue"]}, True),
        ({"tags": ["green"]}, False),
        ({"eventName": ["INSERT"], "count": [1]}, False),
        ({"eventName": ["INSERT"], "$or": [{"count": [1]}, {"yes": [True]}]}, True),
        ({"eventName": ["REMOVE"], "$or": [{"count": [300]}, {"yes": [True]}]}, False),
        ({"$or": [{"count": [1]}, {"yes": [False]}]}, False),
        ({"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "SLOT#"}]}, "SK": {"S": [{"prefix": "RUN#"}]}}}}, True),
        ({"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "SLOT#"}]}, "SK": {"S": [{"prefix": "OUT#"}]}}}}, False),
    ],
)
def test_a_pattern_takes_what_it_says(pattern: dict[str, Any], taken: bool) -> None:
    assert Filters(pattern).take(RECORD) is taken


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        (image(version={"N": [{"exists": True}]}), True),
        (image(version={"N": [{"exists": False}]}), False),
        (image(version={"S": [{"exists": True}]}), False),
        (image(version={"S": [{"exists": False}]}), True),
        (image(other={"N": [{"exists": False}]}), True),
        (image(gone={"NULL": [{"exists": True}]}), True),
        (image(list={"L": {"S": [{"exists": True}]}}), True),
        (image(list={"L": {"S": [{"exists": False}]}}), False),
        (image(list={"L": {"BOOL": [{"exists": False}]}}), True),
        ({"dynamodb": {"OldImage": {"version": {"N": [{"exists": False}]}}}}, True),
    ],
)
def test_exists_speaks_of_an_attributes_value(pattern: dict[str, Any], taken: bool) -> None:
    assert Filters(pattern).take(RECORD) is taken


@pytest.mark.parametrize("attribute", ["version", "other"])
def test_exists_does_not_see_the_attribute_around_a_value(attribute: str) -> None:
    """Asked whether it is there, an attribute never is, and so the filter is blind."""
    assert not Filters(image(**{attribute: [{"exists": True}]})).take(RECORD)
    assert Filters(image(**{attribute: [{"exists": False}]})).take(RECORD)


def test_numbers_of_dynamodb_are_text_and_no_comparison_of_numbers_fits_them() -> None:
    assert not Filters(image(version={"N": [{"numeric": ["=", 3]}]})).take(RECORD)
    assert not Filters(image(version={"N": [3]})).take(RECORD)
    assert Filters(image(version={"N": ["3"]})).take(RECORD)


def test_elements_of_an_array_fit_a_pattern_one_by_one() -> None:
    record = {"rows": [{"a": "1", "b": "1"}, {"a": "2", "b": "2"}]}
    assert Filters({"rows": {"a": ["2"], "b": ["2"]}}).take(record)
    assert not Filters({"rows": {"a": ["1"], "b": ["2"]}}).take(record)


def test_a_record_has_to_fit_one_of_the_filters() -> None:
    filters = Filters({"eventName": ["REMOVE"]}, {"yes": [True]})
    assert filters.take(RECORD)
    assert not filters.take({**RECORD, "yes": False})
    assert Filters().take({})


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"eventName": "INSERT"},
        {"eventName": []},
        {"eventName": [["INSERT"]]},
        {"eventName": [{"wildcard": "INS*"}]},
        {"eventName": [{"prefix": 1}]},
        {"eventName": [{"prefix": "a", "suffix": "b"}]},
        {"eventName": [{"exists": "yes"}]},
        {"count": [{"numeric": [">"]}]},
        {"count": [{"numeric": ["~", 1]}]},
        {"count": [{"numeric": [">", "1"]}]},
        {"count": [{"anything-but": []}]},
        {"count": [{"anything-but": [None]}]},
        {"$or": {"count": [1]}},
        {"$or": []},
        {"dynamodb": {"Keys": {}}},
        {"eventName": ["x" * 4096]},
    ],
)
def test_a_pattern_that_aws_would_refuse_is_refused(pattern: dict[str, Any]) -> None:
    with pytest.raises(BadPattern):
        Filters(pattern)


def test_a_mapping_has_at_most_five_filters() -> None:
    with pytest.raises(BadPattern, match="6 filters"):
        Filters(*({"eventName": ["INSERT"]} for _ in range(6)))
