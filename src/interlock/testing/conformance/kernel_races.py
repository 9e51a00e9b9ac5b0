"""What holds when many threads use one kernel."""

from __future__ import annotations

from itertools import pairwise
from threading import Event

from interlock.stores.kernel import Change, Delete, Kernel, Page, Put
from interlock.testing.conformance.kernel_values import NOON, a_record, at_once, increment, keep, places


class RaceContract:
    """Exactly one wins, nobody sees half, nothing is lost."""

    def test_of_many_creators_exactly_one_wins(self, kernel: Kernel) -> None:
        """BUG-05: the row is the winner's."""
        won = at_once(16, lambda me: kernel.commit("p", [Put(a_record(body={"by": me}))]))
        assert won.count(True) == 1
        assert kernel.get("p", "a") == a_record(body={"by": won.index(True)})

    def test_of_many_swaps_from_one_version_exactly_one_wins(self, kernel: Kernel) -> None:
        """Round after round, with deletes among the rivals. BUG-130."""
        for number in range(1, 11):
            keep(kernel, a_record(sk=str(number)))
            rivals: list[Change] = [Put(a_record(sk=str(number), version=2)), Delete(str(number), 1)]
            won = at_once(10, lambda me: kernel.commit("p", [rivals[me % 2]]))  # noqa: B023  (run at once)
            assert won.count(True) == 1
            assert (kernel.get("p", str(number)) is not None) == (won.index(True) % 2 == 0)

    def test_no_increment_is_lost_and_no_number_is_given_twice(self, kernel: Kernel) -> None:
        """LAT-29: read, compare and swap, again on a lost race, adds up exactly."""
        reached = at_once(8, lambda _: [increment(kernel, "p", "counter") for _ in range(25)])
        assert sorted(number for numbers in reached for number in numbers) == list(range(1, 201))
        assert all(earlier < later for numbers in reached for earlier, later in pairwise(numbers))
        last = kernel.get("p", "counter")
        assert last is not None
        assert (last.version, last.body) == (200, {"count": 200})

    def test_fifty_rows_written_at_once_are_fifty_rows(self, kernel: Kernel) -> None:
        """LAT-29, LAT-24: different rows never hinder each other."""
        rows = [a_record(f"p{number % 5}", str(number), kind="k", wake_at=NOON) for number in range(50)]
        assert at_once(50, lambda me: kernel.commit(rows[me].pk, [Put(rows[me])])) == [True] * 50
        expected = sorted(rows, key=lambda row: (row.pk, row.sk))
        assert kernel.listing("k", Page()) == expected
        assert kernel.due(NOON, 100) == places(expected)

    def test_a_reader_never_sees_half_a_batch_nor_the_past(self, kernel: Kernel) -> None:
        """Two rows always written together are always read together, and never go back."""
        keep(kernel, a_record(sk="a"), a_record(sk="b"))
        done = Event()

        def act(me: int) -> list[list[int]]:
            if me == 0:
                for version in range(2, 120):
                    keep(kernel, a_record(sk="a", version=version), a_record(sk="b", version=version))
                done.set()
                return []
            seen = []
            while not done.is_set():
                seen.append([record.version for record in kernel.rows("p", "", Page())])
            return seen

        for seen in at_once(4, act):
            assert all(first == second for first, second in seen)
            assert seen == sorted(seen)

    def test_whoever_asks_after_a_commit_returned_sees_it(self, kernel: Kernel) -> None:
        """Two threads hand a row to and fro, each going on only from what the other wrote."""
        keep(kernel, a_record())
        turns = [Event(), Event()]
        turns[0].set()

        def act(me: int) -> None:
            for turn in range(me, 60, 2):
                assert turns[me].wait(30)
                turns[me].clear()
                found = kernel.get("p", "a")
                assert found is not None
                assert found.version == turn + 1
                assert kernel.rows("p", "a", Page()) == [found]
                keep(kernel, a_record(version=turn + 2))
                turns[1 - me].set()

        at_once(2, act)

    def test_rivals_for_two_rows_never_end_with_one_row_each(self, kernel: Kernel) -> None:
        """Batches that name the same rows in different order neither lock each other out nor mix."""
        for number in range(10):
            ours = [f"{number}a", f"{number}b"]

            def act(me: int, ours: list[str] = ours) -> bool:
                rows = [Put(a_record(sk=sk, body={"by": me})) for sk in ours]
                return kernel.commit("p", rows if me % 2 else rows[::-1])

            won = at_once(6, act)
            assert won.count(True) == 1
            assert [row.body["by"] for row in kernel.rows("p", str(number), Page())] == [won.index(True)] * 2
