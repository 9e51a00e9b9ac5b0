"""Names as they are written in a DynamoDB table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from interlock.core.ids import PipelineName, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.stores import keys
from interlock.stores.dynamodb import names
from interlock.stores.kernel import MAX_KEY
from interlock.stores.rows import micros
from interlock.testing.conformance.kernel_values import AWKWARD, HOUR, NOON, TICK

_TEXT = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [*AWKWARD, "=", "==", "PIPELINE#x", "pipeline/x", "pipeline", "PIPELINE", "!", "!!", "!a", "\t", "#"]
    ),
    st.text("aA/#=! \1\2\3\4", max_size=6),
)


@given(_TEXT)
def test_a_partition_is_read_back_as_it_was_written(pk: str) -> None:
    assert names.read_pk(names.written_pk(pk)) == pk


@given(_TEXT, _TEXT)
def test_no_two_partitions_are_written_alike(one: str, other: str) -> None:
    """T-64."""
    assert (names.written_pk(one) == names.written_pk(other)) == (one == other)


@given(_TEXT)
def test_what_is_read_as_ours_is_what_we_would_have_written(written: str) -> None:
    """So that no item of somebody else's passes for a row: one that reads so stands exactly at that row's place."""
    pk, sk = names.read_pk(written), names.read_sk(written)
    assert pk is None or names.written_pk(pk) == written
    assert sk is None or names.written_sk(sk) == written


@given(_TEXT, _TEXT)
def test_row_names_are_never_empty_keep_their_order_and_are_read_back(one: str, other: str) -> None:
    assert names.written_sk(one)
    assert names.read_sk(names.written_sk(one)) == one
    assert (names.written_sk(one) < names.written_sk(other)) == (one < other)


def test_partitions_are_written_as_other_programs_of_the_table_write_them() -> None:
    written = [
        names.written_pk(pk)
        for pk in (
            keys.pipeline_pk("sales"),
            keys.slot_pk(Slot(PipelineName("sales"), ScheduleName("daily"), Period("2026-03-07"))),
            keys.SILENCES_PK,
            keys.spec_pk("sha256:ab"),
            "MixedCase/x",
            "",
        )
    ]
    assert written == [
        "PIPELINE#sales",
        "SLOT#sales:daily:2026-03-07",
        "SILENCES",
        "SPEC#sha256:ab",
        "=MixedCase/x",
        "=",
    ]


@given(st.lists(st.tuples(_TEXT, _TEXT, _TEXT), min_size=2, max_size=2))
def test_a_place_in_a_listing_sorts_as_rank_partition_and_name_one_after_the_other(
    places: list[tuple[str, str, str]],
) -> None:
    """Also where one ends in the middle of another, and where a rank holds NUL."""
    assume(all("\0" not in key for place in places for key in place[1:]))
    one, other = sorted(places)
    if max(len("".join(place).encode()) for place in (one, other)) < 900:
        assert (names.listing_place(*one) < names.listing_place(*other)) == (one < other)


@pytest.mark.parametrize("rank", ["a", "a\0", "a\0b", "a\1", "a\2", "b"])
def test_a_rank_that_holds_our_own_signs_stands_where_it_belongs(rank: str) -> None:
    every = sorted([("a", "z", "z"), (rank, "p", "s"), ("b", "", "")])
    assert sorted(names.listing_place(*place) for place in every) == [names.listing_place(*place) for place in every]


def test_long_places_fit_and_stay_apart() -> None:
    """Beyond what an index keeps, a digest of the whole tells them apart; what fits is never cut."""
    places = {
        names.listing_place("r" * size, "é" * 300, f"{'s' * 500}{end}") for size in (0, 1, 300, 400) for end in "ab"
    }
    assert len(places) == 8
    assert max(len(place.encode()) for place in places) <= 1024
    longest = "x" * (960 - 4)
    assert names.listing_place("", "", longest) == f"\1\1\1\1{longest}"
    assert "\1\4" in names.listing_place("", "", longest + "x")


@given(
    st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)), st.sampled_from(["", "a", "\U0010ffff"])
)
def test_instants_sort_as_text_from_the_first_year_to_the_last(one: datetime, other: datetime, pk: str) -> None:
    """LAT-24, T-42, AWS-42: fixed width, one zone; years before 1000 and before 1970 too."""
    place = names.timed_place(micros(one), pk, "s")
    assert names.instant_of(place) == one
    assert (place < names.behind_instant(micros(other))) == (one <= other)


def test_an_instant_that_cannot_be_read_is_due_since_the_beginning() -> None:
    assert names.instant_of("sometime") == datetime.min.replace(tzinfo=UTC)
    assert names.timed_place(micros(NOON), "p", "s") < names.timed_place(micros(NOON + TICK), "a", "a")
    assert names.timed_place(micros(NOON.replace(year=903)), "p", "s")[:4] == "0903"


def test_partitions_spread_over_all_parts_and_each_stays_in_its_own() -> None:
    """The number is written into every item: it may never depend on the process."""
    parts = [names.shard_of(f"slot/p{number}", 4) for number in range(400)]
    assert {part: parts.count(part) > 60 for part in set(parts)} == dict.fromkeys(range(4), True)
    assert names.shard_of("slot/sales:daily:2026-03-07", 4) == 0


@given(st.text("aé\U0010ffff", min_size=MAX_KEY, max_size=MAX_KEY + 9), st.text("aé", max_size=3))
def test_a_bound_longer_than_any_name_has_the_same_names_on_each_side(bound: str, name: str) -> None:
    cut = names.within_limit(bound)
    assert len(cut.encode()) <= 1020
    assert (name < cut) == (name < bound)
    whole = bound[: MAX_KEY // 4]
    assert (whole < cut) == (whole < bound)


def test_half_a_character_is_refused() -> None:
    for write in (names.written_pk, names.written_sk, names.within_limit):
        with pytest.raises(ValueError, match="surrogates"):
            write("\ud800")


def test_an_hour_later_is_behind() -> None:
    assert names.behind_instant(micros(NOON)) < names.timed_place(micros(NOON + HOUR), "", "")
