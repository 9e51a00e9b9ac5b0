from __future__ import annotations

import json

import pytest

from interlock.core.documents import EMPTY, Document

DOC = Document((("b", "2"), ("a", '"x"')))


def test_documents_that_mean_the_same_are_equal_and_hash_alike() -> None:
    """BUG-168."""
    other = Document((("a", '"x"'), ("b", "2")))
    assert other == DOC
    assert hash(DOC) == hash(other)
    assert Document((("a", '"x"'),)) != DOC
    assert DOC != "a"


def test_a_document_cannot_be_changed() -> None:
    """BUG-118, T-115."""
    with pytest.raises(AttributeError, match="cannot be changed"):
        DOC.pairs = ()


def test_an_empty_document_is_false() -> None:
    assert DOC
    assert not EMPTY


def test_keys_come_in_order_and_values_by_name() -> None:
    assert list(DOC) == ["a", "b"]
    assert (DOC.get("b"), DOC.get("c")) == ("2", None)


def test_the_keys_of_an_overlay_replace_whole_values() -> None:
    over = Document((("b", "null"), ("c", "3")))
    assert DOC.overlaid(over) == Document((("a", '"x"'), ("b", "null"), ("c", "3")))
    assert DOC.get("b") == "2"


def test_the_text_of_a_document_is_json_whatever_its_keys_hold() -> None:
    nasty = Document(tuple((key, '"v"') for key in ('q"', "back\\", "new\nline", "\t\r\b\f", "\x00\x1f", "ümlaut")))
    assert json.loads(nasty.text) == dict.fromkeys(nasty, "v")
    assert repr(DOC) == 'Document({"a":"x","b":2})'
