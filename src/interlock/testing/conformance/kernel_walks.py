"""What holds when a store is walked from one end to the other, and restored from what was found."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import pytest

from interlock.stores.kernel import MAX_BATCH, Damaged, Delete, Kernel, Page, Put, Record, Walkable
from interlock.testing.conformance.kernel_damage import Spoil
from interlock.testing.conformance.kernel_values import (
    AWKWARD,
    HOUR,
    NOON,
    TICK,
    a_record,
    everywhere,
    keep,
    keys,
    places,
)

_STEPS = 10_000


class WalkContract:
    """For kernels that are `Walkable`: what moves a whole store forgets nothing and invents nothing."""

    @pytest.fixture
    def walkable(self, kernel: Kernel) -> Walkable:
        """Return the kernel as what can be walked; a kernel need not be."""
        if not isinstance(kernel, Walkable):
            pytest.skip("this kernel cannot be walked: its stores cannot be exported, checked or moved")
        return kernel

    @pytest.mark.parametrize("limit", [1, 2, 7, 1000])
    def test_a_walk_tells_every_row_once(self, kernel: Kernel, walkable: Walkable, limit: int) -> None:
        """Whatever it is called, whole, as it is; partition by partition, the rows of each by name."""
        rows = [a_record(pk, sk) for pk in ("p", "q", "P", "", "slot/a:b") for sk in ("a", "b", "", "B", "b#1")]
        keep(kernel, *rows)
        keep(kernel, a_record("q", "b", 2, kind="k", rank="r", wake_at=NOON, expires_at=NOON + HOUR + TICK))
        found = walked(walkable, limit)
        assert sorted(found, key=place) == sorted(
            [kernel.get(row.pk, row.sk) for row in rows],
            key=place,  # type: ignore[arg-type]  # all of them are there
        )
        runs = [(pk, [row.sk for row in group]) for pk, group in groupby(found, key=lambda row: row.pk)]
        assert len({pk for pk, _ in runs}) == len(runs)
        assert all(names == sorted(names) for _, names in runs)

    def test_no_name_is_lost_on_a_walk(self, kernel: Kernel, walkable: Walkable) -> None:
        """T-64: cursors are made of names, and a name may hold anything."""
        rows = [a_record(pk, sk) for pk in AWKWARD for sk in ("a", pk)]
        rows = list({place(row): row for row in rows}.values())
        keep(kernel, *rows)
        assert sorted(map(place, walked(walkable, 3))) == sorted(map(place, rows))

    def test_an_empty_store_has_nothing_to_tell(self, walkable: Walkable) -> None:
        """And ends."""
        assert walked(walkable, 10) == []

    def test_what_is_there_throughout_is_told_once_whatever_comes_and_goes(
        self, kernel: Kernel, walkable: Walkable
    ) -> None:
        """Others may write meanwhile: a cursor is a place, not a count."""
        there = [a_record(pk, f"{number:02}") for pk in "abc" for number in range(10)]
        keep(kernel, *there, a_record("b", "gone"))
        found: list[Record | Damaged] = []
        cursor, step = None, 0
        while True:
            walk = walkable.walk(cursor, 4)
            found += walk.found
            cursor, step = walk.cursor, step + 1
            if cursor is None:
                break
            keep(kernel, a_record("abc"[step % 3], f"{step % 10:02}+{step}"), a_record(f"new{step}"))
            if step == 1:
                assert kernel.commit("b", [Delete("gone")])
        told = [place(row) for row in found]
        assert [told.count(place(row)) for row in there] == [1] * len(there)
        assert len(set(told)) == len(told)

    def test_a_damaged_row_is_told_and_hides_none(self, kernel: Kernel, walkable: Walkable, spoil: Spoil) -> None:
        """T-118: what cannot be read is neither left out nor in the way."""
        keep(kernel, *(a_record(pk, sk) for pk in "pq" for sk in ("a", "bad", "c")))
        spoil("p", "bad")
        found = walked(walkable, 2)
        assert sorted(map(place, found)) == [(pk, sk) for pk in "pq" for sk in ("a", "bad", "c")]
        (damaged,) = [row for row in found if isinstance(row, Damaged)]
        assert (damaged.pk, damaged.sk) == ("p", "bad")
        assert "'bad'" in damaged.trouble

    def test_a_step_is_about_as_long_as_asked_for(self, kernel: Kernel, walkable: Walkable) -> None:
        """A store of a million rows is walked in little memory."""
        keep(kernel, *(a_record(f"p{number % 7}", f"{number:04}") for number in range(500)))
        cursor, longest = None, 0
        while True:
            walk = walkable.walk(cursor, 50)
            longest, cursor = max(longest, len(walk.found)), walk.cursor
            if cursor is None:
                break
        assert longest <= 100

    def test_restored_rows_are_as_they_were(self, kernel: Kernel, walkable: Walkable) -> None:
        """Versions, times, kinds and ranks; and every index knows them."""
        rows = [
            a_record("p", "a", 7, wake_at=NOON, kind="k", rank="2", body={"x": [1, 2.5, None, "é"], "y": {}}),
            a_record("p", "b", 1, expires_at=NOON - TICK),
            a_record("q", "a", 12_345, wake_at=NOON - TICK, expires_at=NOON + HOUR, kind="k", rank="1"),
        ]
        walkable.restore(rows)
        assert [kernel.get(row.pk, row.sk) for row in rows] == rows
        assert kernel.rows("p", "", Page()) == rows[:2]
        assert kernel.due(NOON + HOUR, 10) == places([rows[2], rows[0]])
        assert kernel.listing("k", Page()) == [rows[2], rows[0]]
        assert kernel.purge(NOON, 10) == 1
        assert kernel.get("p", "b") is None

    def test_a_restored_row_goes_on_from_its_version(self, kernel: Kernel, walkable: Walkable) -> None:
        """Whoever wrote it last may write it next."""
        walkable.restore([a_record(version=7)])
        assert kernel.commit("p", [Put(a_record(version=7))]) is False
        assert kernel.commit("p", [Put(a_record(version=1))]) is False
        assert kernel.commit("p", [Put(a_record(version=8, kind="k"))]) is True
        assert kernel.listing("k", Page()) == [a_record(version=8, kind="k")]

    def test_what_is_there_is_never_written_over(self, kernel: Kernel, walkable: Walkable) -> None:
        """Neither by an older row nor by a newer one; what is missing beside it comes."""
        keep(kernel, a_record(body={"mine": True}, kind="k", wake_at=NOON))
        walkable.restore([a_record(version=9, body={"mine": False}), a_record(sk="b", version=3)])
        assert kernel.get("p", "a") == a_record(body={"mine": True}, kind="k", wake_at=NOON)
        assert kernel.get("p", "b") == a_record(sk="b", version=3)
        assert keys(kernel.due(NOON, 10)) == [("p", "a")]

    def test_restoring_again_completes_what_was_broken_off(self, kernel: Kernel, walkable: Walkable) -> None:
        """And changes nothing that is there."""
        rows = [a_record(pk, f"{number:03}", 2, kind="k") for pk in "pq" for number in range(MAX_BATCH)]
        walkable.restore(rows[: MAX_BATCH + 10])
        walkable.restore(rows)
        before = everywhere(kernel)
        walkable.restore(rows)
        assert everywhere(kernel) == before
        assert sorted(walked(walkable, 1000), key=place) == rows

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda: a_record(wake_at=NOON.replace(tzinfo=None)),
            lambda: a_record(version=0),
            lambda: a_record(sk="a\0b"),
            lambda: a_record(body={"x": float("nan")}),
            lambda: a_record(sk="\ud800"),
        ],
    )
    def test_what_cannot_be_kept_is_refused_before_anything_is_written(
        self, kernel: Kernel, walkable: Walkable, wrong: Callable[[], Record]
    ) -> None:
        """Wherever in the list it stands."""
        with pytest.raises(ValueError):  # noqa: PT011  (each kernel may word it)
            walkable.restore([a_record("q"), wrong()])
        assert walked(walkable, 10) == []
        assert everywhere(kernel) == [[], [], []]

    def test_a_cursor_of_somebody_else_is_refused(self, walkable: Walkable) -> None:
        """It would begin anywhere."""
        with pytest.raises(ValueError):  # noqa: PT011  (each kernel may word it)
            walkable.walk("nonsense", 10)


def walked(kernel: Walkable, limit: int) -> list[Record | Damaged]:
    """Walk a store from one end to the other."""
    found: list[Record | Damaged] = []
    cursor = None
    for _ in range(_STEPS):
        walk = kernel.walk(cursor, limit)
        found += walk.found
        cursor = walk.cursor
        if cursor is None:
            return found
    raise AssertionError(f"a walk does not end after {_STEPS} steps")


def place(row: Record | Damaged) -> tuple[str, str]:
    """Return where a row is."""
    return row.pk, row.sk
