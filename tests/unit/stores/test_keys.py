from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from interlock.core.ids import RunKey, Slot, command_id
from interlock.stores import keys
from interlock.testing.builders import NOON, a_key, a_slot

numbers = st.integers(1, 999_999)


@given(numbers, numbers)
def test_runs_sort_by_number(one: int, other: int) -> None:
    assert (keys.run_sk(one) < keys.run_sk(other)) == (one < other)


@given(st.tuples(numbers, st.integers(0, 99)), st.tuples(numbers, st.integers(0, 99)))
def test_wishes_sort_by_version_and_then_by_place(one: tuple[int, int], other: tuple[int, int]) -> None:
    key = a_key()
    names = [keys.outbox_sk(key, command_id(key.run_id, *each)) for each in (one, other)]
    assert (names[0] < names[1]) == (one < other)


@given(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))])), st.datetimes(timezones=st.just(UTC))
)
def test_moments_sort_as_time_does(one: datetime, other: datetime) -> None:
    one = max(one, datetime(1000, 1, 2, tzinfo=UTC))
    other = max(other, datetime(1000, 1, 2, tzinfo=UTC))
    assert (keys.moment(one) < keys.moment(other)) == (one < other)


def test_no_two_things_share_a_row() -> None:
    """T-64, LAT-17, LAT-30."""
    slots = [a_slot(), a_slot("2026-03-07T14:00"), a_slot(pipeline="example.daily"), a_slot(schedule="daily2")]
    assert len({keys.slot_pk(slot) for slot in slots}) == len(slots)
    own = [RunKey(slots[0], number) for number in (1, 11)]
    rows = [
        *(keys.run_sk(key.number) for key in own),
        *(keys.journal_sk(key, version) for key in own for version in (1, 11)),
        *(keys.outbox_sk(key, command_id(key.run_id, 1, index)) for key in own for index in (1, 11)),
        *(keys.claim_sk(key, attempt) for key in own for attempt in (1, 11)),
    ]
    assert len(set(rows)) == len(rows)


def test_what_belongs_to_a_run_is_found_by_a_prefix_that_no_other_run_has() -> None:
    """LAT-30."""
    one, eleven = RunKey(a_slot(), 1), RunKey(a_slot(), 11)
    assert keys.journal_sk(eleven, 1).startswith(keys.journal_prefix(eleven))
    assert not keys.journal_sk(eleven, 1).startswith(keys.journal_prefix(one))
    assert not keys.outbox_sk(eleven, command_id(eleven.run_id, 1, 0)).startswith(keys.outbox_prefix(one))
    assert not keys.push_sk("fresh-er", "", "").startswith(keys.push_prefix("fresh"))


def test_a_push_for_every_slot_is_another_row_than_one_for_a_slot() -> None:
    """T-28."""
    assert keys.push_sk("fresh", "", "") == "PUSH#fresh#*#*"
    assert len({keys.push_sk("fresh", *place) for place in (("", ""), ("daily", ""), ("", "2026-03-07"))}) == 3


def test_lists_of_a_pipeline_and_its_partition_have_names_of_their_own() -> None:
    slot: Slot = a_slot()
    names = {keys.runs_kind("aa"), keys.timeline_kind("aa"), keys.evaluations_kind("aa"), keys.pipeline_pk("aa")}
    assert len(names | {keys.spec_pk("aa"), keys.evaluation_sk(slot), keys.note_sk(NOON, "aa")}) == 7
