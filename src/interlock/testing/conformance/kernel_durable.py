"""What holds between processes, and after `kill -9`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from random import Random
from threading import Event, Timer

import pytest

from interlock.errors import StoreUnavailable
from interlock.stores.kernel import Kernel, Page, Put
from interlock.testing.conformance.kernel_child import ROWS_IN_BATCH, arguments
from interlock.testing.conformance.kernel_values import HOUR, NOON, TICK, a_record, at_once, increment, keep, places

_PATIENCE = 60.0

Open = Callable[[], Kernel]


class Child:
    """A process that holds the store open and waits for the word. Ends itself or is killed, at the latest in a minute."""

    def __init__(self, open_kernel: Open, act: str, *rest: str) -> None:
        self.process = subprocess.Popen(
            arguments(open_kernel, act, *rest),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            text=True,
        )
        self.said: list[str] = []
        self._end = Timer(_PATIENCE, self.process.kill)
        self._end.start()

    def line(self) -> str:
        """Return the next thing the child says."""
        assert self.process.stdout is not None
        self.said.append(self.process.stdout.readline().rstrip("\n"))
        return self.said[-1]

    def start(self) -> None:
        """Give the word."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.said.clear()

    def all(self) -> list[str]:
        """Wait for the end and return all that was said after the word was given."""
        # Not `communicate`: it would miss the lines that `readline` has read ahead.
        assert self.process.stdout is not None
        self.said += self.process.stdout.read().splitlines()
        self.process.wait(_PATIENCE)
        return self.said

    def end(self) -> None:
        """Leave nothing behind."""
        self._end.cancel()
        self.process.kill()
        self.process.communicate()


@contextmanager
def children(*found: Child) -> Iterator[list[Child]]:
    """Wait until all have opened the store, and leave none behind."""
    try:
        assert [child.line() for child in found] == ["ready"] * len(found)
        yield list(found)
    finally:
        for child in found:
            child.end()


def _race(*found: Child) -> list[list[str]]:
    with children(*found) as racers:
        for child in racers:
            child.start()
        said = [child.all() for child in racers]
        assert [child.process.returncode for child in racers] == [0] * len(racers)
    return said


class ProcessContract:
    """Several processes, one store."""

    def test_what_was_committed_is_there_after_reopening(self, open_kernel: Open) -> None:
        """Every field, in every list, at its version."""
        rows = [a_record(sk=str(n), wake_at=NOON + n * TICK, expires_at=NOON + HOUR, kind="k") for n in range(5)]
        with closing(open_kernel()) as kernel:
            keep(kernel, *rows)
        with closing(open_kernel()) as kernel:
            assert kernel.rows("p", "", Page()) == rows
            assert kernel.due(NOON + HOUR, 10) == places(rows)
            assert kernel.listing("k", Page()) == rows
            assert kernel.commit("p", [Put(a_record(sk="0"))]) is False

    def test_two_openings_of_a_store_see_each_other_at_once(self, open_kernel: Open) -> None:
        """No opening keeps a picture of the past."""
        with closing(open_kernel()) as one, closing(open_kernel()) as other:
            for version in range(1, 30):
                keep(one, a_record(version=version))
                assert other.get("p", "a") == a_record(version=version)
                assert other.rows("p", "", Page()) == [a_record(version=version)]
                one, other = other, one  # noqa: PLW2901  (they take turns; both are closed)

    def test_a_process_that_vanishes_after_a_commit_leaves_it(self, open_kernel: Open) -> None:
        """An answer is durable: it needs no goodbye."""
        with closing(open_kernel()) as kernel:
            assert _race(Child(open_kernel, "vanish", "first")) == [["True"]]
            assert kernel.get("p", "first") == a_record(sk="first", body={"found": 0})
        assert _race(Child(open_kernel, "vanish", "second")) == [["True"]]
        with closing(open_kernel()) as kernel:
            assert kernel.get("p", "second") == a_record(sk="second", body={"found": 1})

    def test_no_increment_of_any_process_is_lost(self, open_kernel: Open) -> None:
        """LAT-29: three processes and this one count together; no number is reached twice."""
        with children(*(Child(open_kernel, "increment", "40") for _ in range(3))) as racers:
            for child in racers:
                child.start()
            with closing(open_kernel()) as kernel:
                ours = [increment(kernel, "p", "counter") for _ in range(40)]
            theirs = [int(line) for child in racers for line in child.all()]
        assert sorted(ours + theirs) == list(range(1, 161))

    def test_of_many_processes_on_one_version_exactly_one_wins(self, open_kernel: Open) -> None:
        """BUG-130: fifty rows, four processes, and each row is its winner's."""
        with closing(open_kernel()) as kernel:
            keep(kernel, *(a_record(sk=f"{number:03}") for number in range(50)))
            said = _race(*(Child(open_kernel, "claim", str(me)) for me in range(4)))
            winners = [[str(me) for me in range(4) if said[me][number].endswith(" 1")] for number in range(50)]
            assert [[row.body["by"]] for row in kernel.rows("p", "", Page())] == winners

    def test_every_commit_accepted_before_close_is_kept(self, open_kernel: Open) -> None:
        """And every other one was refused: none is answered True and lost, none is left waiting."""
        kernel = open_kernel()
        half = Event()

        def act(me: int) -> int:
            if me == 0:
                assert half.wait(_PATIENCE)
                kernel.close()
                return 0
            for number in range(1000):
                if number == 20:
                    half.set()
                try:
                    keep(kernel, a_record(str(me), f"{number:04}"))
                except StoreUnavailable:
                    return number
            return 1000

        kept = at_once(5, act)
        with closing(open_kernel()) as again:
            for me in range(1, 5):
                # One more may have gone in than was answered: "may or may not have happened".
                assert len(again.rows(str(me), "", Page())) in (kept[me], kept[me] + 1)


class CrashContract:
    """`kill -9` at any moment."""

    @pytest.mark.parametrize("seed", range(12))
    def test_a_kill_in_the_middle_loses_nothing_acknowledged_and_leaves_no_half(
        self, open_kernel: Open, seed: int
    ) -> None:
        """Two writers are killed at a random point; the store is whole, and can be written at once."""
        dice = Random(seed)
        told: dict[str, int] = {}
        with ExitStack() as stack:
            writers = stack.enter_context(children(*(Child(open_kernel, "batches", me) for me in ("x", "y"))))
            for child in writers:
                child.start()
            for _ in range(dice.randrange(60)):
                writers[0].line()
            Event().wait(dice.random() / 200)  # not on a boundary between two lines
            for child in writers:
                child.process.kill()
            for me, child in zip(("x", "y"), writers, strict=True):
                told[me] = _last_number(child.all())
        with closing(open_kernel()) as kernel:
            for me, last in told.items():
                _expect_whole_batches(kernel, me, last)
            keep(kernel, a_record("after", "crash"))
            kernel.ping()

    def test_a_store_survives_a_series_of_kills(self, open_kernel: Open) -> None:
        """Each child goes on where the last one fell."""
        for number in range(5):
            with children(Child(open_kernel, "batches", f"w{number}")) as (child,):
                child.start()
                for _ in range(number * 7 + 1):
                    assert child.line().isdigit()
                child.process.kill()
                acknowledged = _last_number(child.all())
            with closing(open_kernel()) as kernel:
                _expect_whole_batches(kernel, f"w{number}", acknowledged)


def _last_number(said: list[str]) -> int:
    """Return the last batch acknowledged; a line cut short by the kill was not said."""
    return max(map(int, filter(str.isdigit, said)), default=-1)


def _expect_whole_batches(kernel: Kernel, pk: str, acknowledged: int) -> None:
    """Batches run from 0 to the last acknowledged, or one further if the kill came between commit and word."""
    found = [record.sk for record in kernel.rows(pk, "", Page(limit=1_000_000))]
    last = int(found[-1][:6]) if found else -1
    assert acknowledged <= last <= acknowledged + 1
    expected = [
        f"{number:06}/{row}"
        for number in range(last + 1)
        for row in range(ROWS_IN_BATCH)
        if row > 0 or number > last - 2
    ]
    assert found == expected
    listed = [record.sk for record in kernel.listing("batch", Page(limit=1_000_000)) if record.pk == pk]
    assert sorted(listed) == expected
