"""What `commit` and `get` promise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from interlock.stores.kernel import MAX_BATCH, Change, Check, Delete, Kernel, Page, Put
from interlock.testing.conformance.kernel_values import HOUR, NOON, TICK, a_record, everywhere, keep

_BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"": ""},
    {"z": 1, "a": [1, 2, {"b": None}], "t": True, "f": False},
    {"float": 0.1, "whole": 1.0, "tiny": 5e-324, "minus": -0.5},
    {"large": 2**53 + 1, "larger": 2**70, "negative": -(2**63)},
    {"text": "é 日本 \U0001f600 \u0000 \n \" \\ '"},
    {"deep": [[[[[[[[[[]]]]]]]]]]},
    {"long": "x" * 100_000},
)
_NOT_JSON: tuple[dict[Any, Any], ...] = (
    {"x": float("nan")},
    {"x": [float("inf")]},
    {"x": {1, 2}},
    {"x": b"bytes"},
    {"x": NOON},
    {"x": object()},
    {1: "x"},
    {"x": {None: 1}},
    {"x": "\ud800"},
)


class CommitContract:
    """All or nothing, by version."""

    @pytest.mark.parametrize("body", _BODIES, ids=str)
    def test_a_row_comes_back_as_it_was_put(self, kernel: Kernel, body: dict[str, Any]) -> None:
        """Every field, to the microsecond."""
        row = a_record(body=body, wake_at=NOON + TICK, expires_at=NOON - TICK, kind="k", rank="r")
        keep(kernel, row)
        assert kernel.get("p", "a") == row

    def test_times_before_1970_and_in_other_zones_are_the_same_instants(self, kernel: Kernel) -> None:
        """An instant is kept, not a way to write it."""
        early = NOON.replace(year=1903, microsecond=999_999)
        local = NOON.astimezone(timezone(timedelta(hours=-5)))
        keep(kernel, a_record(wake_at=early, expires_at=local))
        found = kernel.get("p", "a")
        assert found is not None
        assert (found.wake_at, found.expires_at) == (early, NOON)
        assert found.expires_at is not None
        assert found.expires_at.utcoffset() == timedelta(0)

    def test_a_row_that_was_never_put_is_none(self, kernel: Kernel) -> None:
        """An absent row is no error."""
        keep(kernel, a_record("p", "a"))
        assert kernel.get("p", "b") is None
        assert kernel.get("q", "a") is None

    def test_creating_twice_keeps_the_first(self, kernel: Kernel) -> None:
        """Version 1 needs an absent row. BUG-05."""
        keep(kernel, a_record(body={"by": "first"}))
        assert kernel.commit("p", [Put(a_record(body={"by": "second"}))]) is False
        assert kernel.get("p", "a") == a_record(body={"by": "first"})

    @pytest.mark.parametrize("version", [1, 2, 4, 99])
    def test_a_put_needs_the_version_before_it(self, kernel: Kernel, version: int) -> None:
        """Not the same, not an older, not one further on."""
        keep(kernel, a_record())
        keep(kernel, a_record(version=2))
        assert kernel.commit("p", [Put(a_record(version=version, body={"by": "loser"}))]) is False
        assert kernel.get("p", "a") == a_record(version=2)
        assert kernel.commit("p", [Put(a_record(version=3))]) is True
        assert kernel.get("p", "a") == a_record(version=3)

    def test_replacing_a_missing_row_creates_nothing(self, kernel: Kernel) -> None:
        """LAT-43: no ghost row, in no list."""
        ghost = a_record(version=2, wake_at=NOON, kind="k", expires_at=NOON)
        assert kernel.commit("p", [Put(ghost)]) is False
        assert kernel.get("p", "a") is None
        assert everywhere(kernel) == [[], [], []]

    def test_a_write_judged_on_an_older_version_changes_nothing(self, kernel: Kernel) -> None:
        """BUG-151: somebody wrote between the look and the write."""
        keep(kernel, a_record("p", "run"))
        seen = kernel.get("p", "run")
        assert seen is not None
        keep(kernel, a_record("p", "run", 2, body={"status": "RUNNING"}))
        closing: list[Change] = [Put(replace(seen, version=seen.version + 1)), Put(a_record("p", "journal"))]
        assert kernel.commit("p", closing) is False
        assert kernel.get("p", "run") == a_record("p", "run", 2, body={"status": "RUNNING"})
        assert kernel.get("p", "journal") is None

    def test_a_change_of_the_body_keeps_what_was_carried_over(self, kernel: Kernel) -> None:
        """BUG-56: due time, expiry, kind and rank belong to the record and are replaced with it, never by defaults."""
        first = a_record(wake_at=NOON, expires_at=NOON + HOUR, kind="k", rank="7")
        keep(kernel, first)
        keep(kernel, replace(first, version=2, body={"status": "done"}))
        assert kernel.get("p", "a") == replace(first, version=2, body={"status": "done"})

    def test_a_field_left_out_of_the_next_version_is_gone(self, kernel: Kernel) -> None:
        """A put replaces the whole row."""
        keep(kernel, a_record(wake_at=NOON, expires_at=NOON, kind="k", rank="7"), a_record(sk="b"))
        keep(kernel, a_record(version=2))
        assert kernel.get("p", "a") == a_record(version=2)

    def test_a_delete_needs_the_version_it_expects(self, kernel: Kernel) -> None:
        """A wrong expectation removes nothing."""
        keep(kernel, a_record())
        keep(kernel, a_record(version=2))
        for wrong in (0, 1, 3):
            assert kernel.commit("p", [Delete("a", expected=wrong)]) is False
        assert kernel.get("p", "a") == a_record(version=2)
        assert kernel.commit("p", [Delete("a", expected=2)]) is True
        assert kernel.get("p", "a") is None

    def test_a_delete_without_expectation_removes_anything_or_nothing(self, kernel: Kernel) -> None:
        """Deleting what is gone is done already."""
        keep(kernel, a_record())
        assert kernel.commit("p", [Delete("a")]) is True
        assert kernel.get("p", "a") is None
        assert kernel.commit("p", [Delete("a")]) is True

    def test_a_delete_of_a_missing_row_can_expect_only_absence(self, kernel: Kernel) -> None:
        """Version 0 is absence."""
        assert kernel.commit("p", [Delete("a", expected=1)]) is False
        assert kernel.commit("p", [Delete("a", expected=0)]) is True

    def test_a_deleted_row_begins_again_at_version_one(self, kernel: Kernel) -> None:
        """What is removed is absent, and leaves no version behind."""
        keep(kernel, a_record())
        assert kernel.commit("p", [Delete("a", expected=1)]) is True
        assert kernel.commit("p", [Put(a_record(version=2))]) is False
        assert kernel.commit("p", [Put(a_record(body={"life": 2}))]) is True
        assert kernel.get("p", "a") == a_record(body={"life": 2})

    def test_a_check_requires_and_does_not_write(self, kernel: Kernel) -> None:
        """It holds at its version only, and version 0 is absence."""
        keep(kernel, a_record())
        assert kernel.commit("p", [Check("a", 1), Check("b", 0)]) is True
        for wrong in ([Check("a", 0)], [Check("a", 2)], [Check("b", 1)]):
            assert kernel.commit("p", wrong) is False
        assert kernel.get("p", "a") == a_record()
        assert kernel.get("p", "b") is None

    @pytest.mark.parametrize("loser", [Put(a_record(sk="x", version=2)), Delete("x", 1), Check("x", 1)], ids=repr)
    @pytest.mark.parametrize("place", [0, 1, 2, 3])
    def test_one_failed_comparison_undoes_the_whole_batch(self, kernel: Kernel, loser: Change, place: int) -> None:
        """Wherever in the batch it stands, and in every list. T-66."""
        first = a_record(sk="old", wake_at=NOON, kind="k")
        keep(kernel, first, a_record(sk="doomed"))
        before = everywhere(kernel)
        second = replace(first, version=2, wake_at=NOON + HOUR, rank="9", body={})
        batch: list[Change] = [Put(second), Put(a_record(sk="new", wake_at=NOON, kind="k")), Delete("doomed", 1)]
        batch.insert(place, loser)
        assert kernel.commit("p", batch) is False
        assert everywhere(kernel) == before
        batch.remove(loser)
        assert kernel.commit("p", batch) is True
        assert kernel.get("p", "old") == second

    def test_a_batch_may_be_as_long_as_the_limit(self, kernel: Kernel) -> None:
        """`MAX_BATCH` changes are one commit."""
        rows = [a_record(sk=f"{number:03}") for number in range(MAX_BATCH)]
        assert kernel.commit("p", [Put(row) for row in rows]) is True
        assert kernel.rows("p", "", Page()) == rows

    @pytest.mark.parametrize(
        "batch",
        [
            [],
            [Check(str(number), 0) for number in range(MAX_BATCH + 1)],
            [Put(a_record(sk="new")), Delete("new")],
            [Put(a_record(sk="new")), Put(a_record(sk="new", version=2))],
            [Put(a_record(sk="new")), Put(a_record(pk="q", sk="b"))],
            [Put(a_record(sk="new")), Put(a_record(sk="b", version=0))],
            [Put(a_record(sk="new")), Put(a_record(sk="nul\0"))],
            [Put(a_record(sk="new")), Put(a_record(sk="half \ud800"))],
            [Put(a_record(sk="new")), Put(a_record(sk="ö" * 501))],
            [Put(a_record(sk="new")), Put(a_record(sk="b", kind="k" * 1001))],
            [Put(a_record(sk="new")), Put(a_record(sk="s" * 800, rank="r" * 800))],
            [Put(a_record(sk="new")), Delete("d" * 1001)],
            [Put(a_record(sk="new")), Put(a_record(sk="b", wake_at=NOON.replace(tzinfo=None)))],
            [Put(a_record(sk="new")), Put(a_record(sk="b", expires_at=NOON.replace(tzinfo=None)))],
        ],
        ids=lambda batch: f"{len(batch)} changes",
    )
    def test_a_malformed_batch_is_refused_and_nothing_is_written(self, kernel: Kernel, batch: Sequence[Change]) -> None:
        """A mistake of the caller is a `ValueError`, not a lost race."""
        with pytest.raises(ValueError):  # noqa: PT011  (each kernel may word it)
            kernel.commit("p", batch)
        assert everywhere(kernel) == [[], [], []]

    @pytest.mark.parametrize(
        "body", _NOT_JSON, ids=lambda body: next(iter(map(ascii, body.items()))).split(" object at")[0]
    )
    def test_a_body_that_is_not_json_is_refused(self, kernel: Kernel, body: dict[str, Any]) -> None:
        """It would come back as something else, or not at all."""
        with pytest.raises(ValueError):  # noqa: PT011  (each kernel may word it)
            kernel.commit("p", [Put(a_record(sk="good")), Put(a_record(body=body))])
        assert everywhere(kernel) == [[], [], []]

    def test_tuples_are_lists_in_json(self, kernel: Kernel) -> None:
        """The one conversion: a tuple is an array, and arrays come back as lists."""
        keep(kernel, a_record(body={"x": (1, (2, "a"), {"y": ()})}))
        found = kernel.get("p", "a")
        assert found is not None
        assert found.body == {"x": [1, [2, "a"], {"y": []}]}

    def test_nobody_can_change_a_stored_body_from_outside(self, kernel: Kernel) -> None:
        """Neither whoever put it nor whoever got it."""
        body: dict[str, Any] = {"inner": {"list": [1]}}
        keep(kernel, a_record(body=body))
        body["inner"]["list"].append(2)
        found = kernel.get("p", "a")
        assert found is not None
        assert found.body == {"inner": {"list": [1]}}
        found.body["inner"]["list"].append(3)
        assert kernel.rows("p", "", Page())[0].body == {"inner": {"list": [1]}}
