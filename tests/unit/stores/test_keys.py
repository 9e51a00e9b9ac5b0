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


@given(st.text(max_size=12), st.text(max_size=12))
def test_free_text_is_written_without_anything_that_has_a_meaning_and_different_texts_differently(
    one: str, other: str
) -> None:
    """T-64, T-82, LAT-17."""
    assert (keys.escaped(one) == keys.escaped(other)) == (one == other)
    assert not set("#/|\0") & set(keys.escaped(one))
    assert keys.escaped(one).isascii()
    assert keys.escaped(one).isprintable()


@given(st.text("ab%#\0", min_size=195, max_size=205), st.text("ab%#\0", min_size=195, max_size=205))
def test_long_texts_have_short_names_which_differ_too(one: str, other: str) -> None:
    """BUG-122."""
    assert (keys.escaped(one) == keys.escaped(other)) == (one == other)
    assert len(keys.escaped(one * 100)) <= 200
    assert keys.escaped(keys.escaped(one * 100)) != keys.escaped(one * 100)


def test_no_two_things_beside_runs_share_a_row() -> None:
    """T-64, LAT-30."""
    slot = a_slot()
    in_slot = [
        keys.run_sk(1),
        keys.active_sk(1),
        keys.EXPECTED_SK,
        keys.expected_note_sk(1),
        *(keys.expected_pointer_sk(keys.expectations_kind(name)) for name in (None, "all", "aa")),
        *(keys.named_note_sk(name) for name in ("", "EXPECTED", "#TOLD#00000001")),
    ]
    in_pipeline = [
        keys.agenda_sk("daily"),
        keys.PLANNED_SK,
        keys.PAUSE_SK,
        keys.evaluation_sk(slot),
        keys.push_sk("aa", "", ""),
        *(keys.marker_sk(slot, NOON, source) for source in ("", "#", "%0023")),
        keys.note_sk(NOON, keys.PAUSE_SK),
    ]
    for rows in (in_slot, in_pipeline):
        assert len(set(rows)) == len(rows)
    assert not any(row.startswith(keys.RUN_PREFIX) for row in in_slot[1:])
    assert not any(row.startswith(keys.AGENDA_PREFIX) for row in in_pipeline[1:])


def test_no_two_partitions_share_a_name_whatever_the_text() -> None:
    """T-64."""
    free = ("aa", "aa/bb", "aa#bb", "", "example:daily:2026-03-07")
    families = (keys.pipeline_pk, keys.spec_pk, keys.members_pk, keys.thread_pk, keys.dispatch_pk)
    names = [family(text) for family in families for text in free]
    assert len({*names, keys.slot_pk(a_slot()), keys.SILENCES_PK}) == len(names) + 2


def test_never_comes_after_every_moment() -> None:
    latest = datetime.max.replace(tzinfo=UTC)
    assert keys.moment_or_never(latest) == keys.moment(latest) < keys.moment_or_never(None)


def test_lists_of_a_pipeline_and_its_partition_have_names_of_their_own() -> None:
    slot: Slot = a_slot()
    names = {keys.runs_kind("aa"), keys.timeline_kind("aa"), keys.evaluations_kind("aa"), keys.pipeline_pk("aa")}
    assert len(names | {keys.spec_pk("aa"), keys.evaluation_sk(slot), keys.note_sk(NOON, "aa")}) == 7
