"""Rows: what a record is flattened to, and the bounds of ranges."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import UnreadableRecord
from interlock.stores.kernel import Place, Record, cursor_of
from interlock.stores.rows import Row, due_place, end_of, follower, record_of, row_of, standing_of

TEXT = st.text(st.sampled_from("a\ud7ff\ue000\uffff\U00010000\U0010ffff"), max_size=4)
KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)


@given(prefix=TEXT, name=TEXT)
def test_the_end_of_a_prefix_bounds_exactly_the_names_that_begin_with_it(prefix: str, name: str) -> None:
    end = end_of(prefix)
    assert name.startswith(prefix) == (prefix <= name and (end is None or name < end))


@given(name=KEYS, other=KEYS)
def test_nothing_fits_between_a_name_and_its_follower(name: str, other: str) -> None:
    assert (other > name) == (other >= follower(name))


@given(rank=st.text(max_size=5), pk=KEYS, sk=KEYS)
def test_a_cursor_is_taken_apart_into_what_it_was_made_of(rank: str, pk: str, sk: str) -> None:
    """A rank may hold the separator, keys may not."""
    assert standing_of(cursor_of(Record(pk=pk, sk=sk, version=1, body={}, rank=rank))) == (rank, pk, sk)


def test_bodies_that_mean_the_same_are_stored_as_the_same_text() -> None:
    one = Record(pk="p", sk="s", version=1, body={"b": 1, "a": {"d": 2, "c": 3}})
    other = Record(pk="p", sk="s", version=1, body={"a": {"c": 3, "d": 2}, "b": 1})
    assert row_of(one) == row_of(other)
    assert row_of(one).body == b'{"a":{"c":3,"d":2},"b":1}'


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"text"', b'{"a": \xff}', b"[" * 100_000, 7, None])
def test_a_row_that_cannot_be_decoded_is_named(body: bytes) -> None:
    """BUG-51, BUG-54."""
    with pytest.raises(UnreadableRecord, match="the row 's' of 'p'"):
        record_of(Row("p", "s", 1, body, None, None, None, ""))


def test_a_time_beyond_the_calendar_is_named_too() -> None:
    with pytest.raises(UnreadableRecord, match="the row 's' of 'p'"):
        record_of(Row("p", "s", 1, b"{}", 2**62, None, None, ""))


@pytest.mark.parametrize("wake_at", [-(2**62), -(2**63)])
def test_a_due_time_before_the_calendar_hides_nothing_that_is_due(wake_at: int) -> None:
    """LAT-27."""
    assert due_place("p", "s", wake_at) == Place("p", "s", datetime(1, 1, 1, tzinfo=UTC))
