"""What `rows`, `due`, `listing` and `purge` promise, and that no two names ever meet."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from interlock.errors import StoreUnavailable
from interlock.stores.kernel import MAX_PAGE, Check, Delete, Kernel, Page, Place, cursor_of
from interlock.testing.conformance.kernel_values import (
    AWKWARD,
    HOUR,
    NOON,
    TICK,
    a_record,
    keep,
    keys,
    names,
    places,
    walk,
)

_SIZES = (1, 2, 3, 7, 1000)


class RowsContract:
    """Rows of one partition, by name."""

    def test_rows_are_ordered_by_code_point(self, kernel: Kernel) -> None:
        """Not by locale, not without case, not by UTF-16 unit."""
        keep(kernel, *(a_record(sk=name) for name in AWKWARD))
        assert names(kernel.rows("p", "", Page())) == sorted(AWKWARD)
        assert names(kernel.rows("p", "", Page(backwards=True))) == sorted(AWKWARD, reverse=True)

    @pytest.mark.parametrize("prefix", AWKWARD, ids=ascii)
    def test_a_prefix_is_text_and_nothing_else(self, kernel: Kernel, prefix: str) -> None:
        """T-64, BUG-44, LAT-30: no wildcard, no separator, nothing that merely sorts behind it."""
        every = sorted({*AWKWARD, *(prefix + name for name in AWKWARD if len(name) < 9)})
        keep(kernel, *(a_record(sk=name) for name in every), a_record("q", prefix + "other"))
        expected = [name for name in every if name.startswith(prefix)]
        assert names(kernel.rows("p", prefix, Page())) == expected
        assert names(kernel.rows("p", prefix, Page(backwards=True))) == expected[::-1]

    def test_no_name_meets_another(self, kernel: Kernel) -> None:
        """T-64: each partition and each row is its own, whatever characters they are made of."""
        for pk in AWKWARD:
            keep(kernel, *(a_record(pk, sk, body={"pk": pk, "sk": sk}) for sk in AWKWARD))
        for pk in AWKWARD:
            found = kernel.rows(pk, "", Page())
            assert [record.body for record in found] == [{"pk": pk, "sk": sk} for sk in sorted(AWKWARD)]

    @pytest.mark.parametrize("limit", _SIZES)
    @pytest.mark.parametrize("backwards", [False, True])
    def test_pages_of_rows_join_without_gap_or_repeat(self, kernel: Kernel, limit: int, backwards: bool) -> None:  # noqa: FBT001
        """BUG-41, BUG-44: the cursor is excluded, other prefixes are not let in."""
        wanted = [f"EVENT#{number:04}" for number in range(7)]
        keep(kernel, *(a_record(sk=name) for name in [*wanted, "EVENS", "EVENT", "EVENTS", "A", "Z"]))
        found = walk(lambda page: kernel.rows("p", "EVENT#", page), lambda record: record.sk, _page(limit, backwards))
        assert names(found) == (wanted[::-1] if backwards else wanted)

    def test_more_rows_than_a_page_are_all_reached(self, kernel: Kernel) -> None:
        """BUG-41: the rest of a long list is not invisible."""
        keep(kernel, *(a_record(sk=f"{number:05}", kind="k", body={}) for number in range(MAX_PAGE + 250)))
        assert len(walk(lambda page: kernel.rows("p", "", page), lambda record: record.sk, Page())) == MAX_PAGE + 250
        assert len(walk(lambda page: kernel.listing("k", page), cursor_of, Page())) == MAX_PAGE + 250

    def test_a_row_cursor_need_not_exist_nor_have_the_prefix(self, kernel: Kernel) -> None:
        """It is a place in the order; rows may be deleted between two pages."""
        keep(kernel, *(a_record(sk=name) for name in ("b1", "b2", "b3", "c")))
        assert names(kernel.rows("p", "b", Page(after="b2x"))) == ["b3"]
        assert names(kernel.rows("p", "b", Page(after="a"))) == ["b1", "b2", "b3"]
        assert names(kernel.rows("p", "b", Page(after="z"))) == []
        assert names(kernel.rows("p", "b", Page(after="b2x", backwards=True))) == ["b2", "b1"]
        assert names(kernel.rows("p", "b", Page(after="z", backwards=True))) == ["b3", "b2", "b1"]
        assert names(kernel.rows("p", "b", Page(after="a", backwards=True))) == []
        assert kernel.commit("p", [Delete("b2")])
        assert names(kernel.rows("p", "b", Page(after="b2"))) == ["b3"]

    def test_no_more_rows_than_the_limit_are_returned(self, kernel: Kernel) -> None:
        """A limit of nothing returns nothing, in each list."""
        keep(kernel, *(a_record(sk=name, kind="k", wake_at=NOON) for name in "abc"))
        for limit in (0, 1, 2):
            assert len(kernel.rows("p", "", Page(limit=limit))) == limit
            assert len(kernel.listing("k", Page(limit=limit, backwards=True))) == limit
            assert len(kernel.due(NOON, limit)) == limit

    def test_an_unknown_partition_has_no_rows(self, kernel: Kernel) -> None:
        """Nothing there is an empty list."""
        keep(kernel, a_record())
        assert kernel.rows("q", "", Page()) == []


class DueContract:
    """The rows whose time has come."""

    def test_a_row_is_due_at_its_instant_and_not_before(self, kernel: Kernel) -> None:
        """To the microsecond."""
        keep(kernel, a_record(wake_at=NOON), a_record(sk="never"))
        assert kernel.due(NOON - TICK, 10) == []
        assert kernel.due(NOON, 10) == [Place("p", "a", NOON)]

    def test_due_rows_come_earliest_first_and_ties_by_key(self, kernel: Kernel) -> None:
        """Then by partition, then by name."""
        order = [("z", "z", -1), ("a", "b", 0), ("a", "c", 0), ("b", "a", 0), ("A", "a", 1)]
        keep(kernel, *(a_record(pk, sk, wake_at=NOON + late * TICK) for pk, sk, late in reversed(order)))
        assert kernel.due(NOON + HOUR, 10) == [Place(pk, sk, NOON + late * TICK) for pk, sk, late in order]
        assert keys(kernel.due(NOON + HOUR, 3)) == [(pk, sk) for pk, sk, _ in order[:3]]

    def test_a_row_is_due_once_however_often_it_is_written(self, kernel: Kernel) -> None:
        """The index follows the row: moved, taken out, put back, removed."""
        keep(kernel, a_record(wake_at=NOON))
        keep(kernel, a_record(version=2, wake_at=NOON + HOUR))
        assert kernel.due(NOON, 10) == []
        assert kernel.due(NOON + HOUR, 10) == [Place("p", "a", NOON + HOUR)]
        keep(kernel, a_record(version=3))
        assert kernel.due(NOON + HOUR, 10) == []
        keep(kernel, a_record(version=4, wake_at=NOON))
        assert kernel.commit("p", [Delete("a", 4)])
        assert kernel.due(NOON + HOUR, 10) == []

    def test_a_thousand_rows_of_one_instant_are_a_thousand_rows(self, kernel: Kernel) -> None:
        """LAT-24: an instant is not a key."""
        keep(kernel, *(a_record(sk=str(number), wake_at=NOON, kind="k", rank="same") for number in range(1000)))
        assert len(set(keys(kernel.due(NOON, 2000)))) == 1000
        assert len(set(keys(kernel.listing("k", Page())))) == 1000

    def test_what_is_due_does_not_depend_on_what_the_rows_hold(self, kernel: Kernel) -> None:
        """Large, empty or full of times: only the place and the instant are told."""
        bodies: tuple[dict[str, str], ...] = ({}, {"x": "x" * 100_000}, {"wake_at": "never"})
        rows = [a_record(sk=str(number), body=body, wake_at=NOON) for number, body in enumerate(bodies)]
        keep(kernel, *rows)
        assert kernel.due(NOON, 10) == places(rows)

    def test_a_naive_time_is_refused(self, kernel: Kernel) -> None:
        """Which instant would it be?"""
        with pytest.raises(ValueError):  # noqa: PT011  (each kernel may word it)
            kernel.due(NOON.replace(tzinfo=None), 10)
        with pytest.raises(ValueError):  # noqa: PT011  (each kernel may word it)
            kernel.purge(NOON.replace(tzinfo=None), 10)


class ListingContract:
    """The rows of a kind."""

    def test_a_listing_is_ordered_by_rank_then_partition_then_name(self, kernel: Kernel) -> None:
        """Ties are broken, always the same way."""
        order = [("", "z", "z"), ("1", "a", "b"), ("1", "a", "c"), ("1", "b", "a"), ("10", "a", "a"), ("2", "A", "a")]
        keep(kernel, *(a_record(pk, sk, kind="k", rank=rank) for rank, pk, sk in reversed(order)))
        assert keys(kernel.listing("k", Page())) == [(pk, sk) for _, pk, sk in order]
        assert keys(kernel.listing("k", Page(backwards=True))) == [(pk, sk) for _, pk, sk in reversed(order)]

    @pytest.mark.parametrize("limit", _SIZES)
    @pytest.mark.parametrize("backwards", [False, True])
    def test_pages_of_a_listing_join_without_gap_or_repeat(self, kernel: Kernel, limit: int, backwards: bool) -> None:  # noqa: FBT001
        """AWS-42: also where ranks are equal, and where names would run together with the rank."""
        rows = [
            a_record(pk, sk + rank, kind="k", rank=rank) for rank in ("", "1", "11") for pk in "1a" for sk in ("", "2")
        ]
        keep(kernel, *rows, a_record("x", kind="kk", rank="1"), a_record("y"))
        expected = sorted(rows, key=lambda row: (row.rank, row.pk, row.sk), reverse=backwards)
        assert walk(lambda page: kernel.listing("k", page), cursor_of, _page(limit, backwards)) == expected

    def test_a_listing_goes_on_behind_a_row_that_has_gone(self, kernel: Kernel) -> None:
        """A cursor is a place, not a row."""
        rows = [a_record(sk=name, kind="k") for name in "abc"]
        keep(kernel, *rows)
        assert kernel.commit("p", [Delete("b")])
        assert kernel.listing("k", Page(after=cursor_of(rows[1]))) == [rows[2]]
        assert kernel.listing("k", Page(after=cursor_of(rows[1]), backwards=True)) == [rows[0]]

    def test_kinds_never_meet(self, kernel: Kernel) -> None:
        """T-64: no kind is part of another, and none of them is "all"."""
        keep(kernel, *(a_record(f"p{number}", kind=kind) for number, kind in enumerate(AWKWARD)), a_record("plain"))
        for number, kind in enumerate(AWKWARD):
            assert keys(kernel.listing(kind, Page())) == [(f"p{number}", "a")]
        assert kernel.listing("unknown", Page()) == []

    def test_a_row_is_listed_once_however_often_it_is_written(self, kernel: Kernel) -> None:
        """BUG-43: and with its newest content, at its newest place, under its newest kind."""
        keep(kernel, a_record(kind="k", rank="1"), a_record(sk="b", kind="k", rank="2"))
        keep(kernel, a_record(version=2, kind="k", rank="3"))
        assert kernel.listing("k", Page()) == [
            a_record(sk="b", kind="k", rank="2"),
            a_record(version=2, kind="k", rank="3"),
        ]
        keep(kernel, a_record(version=3, kind="other", rank="3"))
        assert names(kernel.listing("k", Page())) == ["b"]
        assert kernel.listing("other", Page()) == [a_record(version=3, kind="other", rank="3")]
        keep(kernel, a_record(version=4))
        assert kernel.listing("other", Page()) == []

    def test_a_deleted_row_is_listed_nowhere(self, kernel: Kernel) -> None:
        """And can be listed anew."""
        keep(kernel, a_record(kind="k", wake_at=NOON))
        assert kernel.commit("p", [Delete("a")])
        assert kernel.listing("k", Page()) == []
        assert kernel.rows("p", "", Page()) == []
        keep(kernel, a_record(kind="k"))
        assert len(kernel.listing("k", Page())) == 1

    @pytest.mark.parametrize("cursor", ["", "r", "r\0p"])
    def test_what_is_not_a_cursor_is_refused(self, kernel: Kernel, cursor: str) -> None:
        """A wrong cursor must not silently begin elsewhere."""
        with pytest.raises(ValueError):  # noqa: PT011  (each kernel may word it)
            kernel.listing("k", Page(after=cursor))


class PurgeContract:
    """Garbage collection, and the end."""

    def test_an_expired_row_is_removed_by_purge_alone(self, kernel: Kernel) -> None:
        """At its instant, not before; a row without expiry never."""
        row = a_record(expires_at=NOON, kind="k", wake_at=NOON)
        keep(kernel, row, a_record(sk="b", expires_at=NOON + TICK), a_record(sk="c"))
        assert kernel.purge(NOON - TICK, 100) == 0
        assert kernel.purge(NOON, 100) == 1
        assert names(kernel.rows("p", "", Page())) == ["b", "c"]
        assert (kernel.due(NOON, 10), kernel.listing("k", Page())) == ([], [])
        assert kernel.commit("p", [Check("a", 0)]) is True

    def test_a_purge_removes_no_more_than_its_limit(self, kernel: Kernel) -> None:
        """The rest is left for the next one."""
        keep(kernel, *(a_record(pk, sk, expires_at=NOON) for pk in "pq" for sk in "abc"))
        assert [kernel.purge(NOON, limit) for limit in (0, 4, 4, 4)] == [0, 4, 2, 0]

    def test_a_row_whose_expiry_moved_stays(self, kernel: Kernel) -> None:
        """What counts is the row as it is."""
        row = a_record(expires_at=NOON)
        keep(kernel, row)
        keep(kernel, replace(row, version=2, expires_at=NOON + HOUR))
        assert kernel.purge(NOON, 10) == 0
        keep(kernel, a_record(version=3))
        assert kernel.purge(NOON + HOUR, 10) == 0

    def test_a_store_that_works_answers_a_ping(self, kernel: Kernel) -> None:
        """And the ping leaves nothing behind."""
        kernel.ping()
        assert kernel.rows("p", "", Page()) == []

    def test_a_closed_store_is_unavailable(self, kernel: Kernel) -> None:
        """Every verb says so; closing again is harmless."""
        keep(kernel, a_record())
        kernel.close()
        kernel.close()
        for verb in (
            lambda: kernel.get("p", "a"),
            lambda: kernel.commit("p", [Check("a", 0)]),
            lambda: kernel.rows("p", "", Page()),
            lambda: kernel.due(NOON, 1),
            lambda: kernel.listing("k", Page()),
            lambda: kernel.purge(NOON, 1),
            kernel.ping,
        ):
            with pytest.raises(StoreUnavailable):
                verb()


def _page(limit: int, backwards: bool) -> Page:  # noqa: FBT001
    return Page(limit=limit, backwards=backwards)
