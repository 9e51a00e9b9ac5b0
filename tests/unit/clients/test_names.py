"""Names that other systems take."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from interlock.clients.names import short_name


def test_a_name_that_is_fit_stays_as_it_is() -> None:
    assert short_name("daily-sales_1", 64) == "daily-sales_1"


@given(st.text(max_size=200), st.integers(min_value=22, max_value=128))
def test_every_name_is_of_permitted_signs_and_not_too_long(text: str, longest: int) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_:-]*", short_name(text, longest, allowed="-_:"))
    assert len(short_name(text, longest, allowed="-_:")) <= longest


def test_texts_that_differ_only_in_what_a_name_loses_have_names_of_their_own() -> None:
    """LAT-17: or one job would be taken for another."""
    texts = ["a/b", "a.b", "a-b", "a" * 70, "a" * 71, "a" * 70 + "b", "\ud800", "\ud801"]
    assert len({short_name(text, 64) for text in texts}) == len(texts)


def test_a_name_is_the_same_in_every_process() -> None:
    assert short_name("daily-sales:daily:2026-03-07:1/1", 64) == "daily-sales-daily-2026-03-07-1-1-b2688304a6a8f2e901e6"
