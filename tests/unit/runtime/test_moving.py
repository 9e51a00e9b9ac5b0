"""Moving a store to another: wholly, once, and never so that anybody could work on both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from interlock.errors import Conflict, Contention, StoreError, StoreUnavailable, UnreadableRecord
from interlock.runtime.closing import LOOK, OpenKernel
from interlock.runtime.moving import Plan, abandon, contents, move
from interlock.stores.kernel import Change, Delete, Page, Put, Record, Walk
from interlock.stores.memory import MemoryKernel
from interlock.stores.state import Standing, StoreState, put_state, state_of
from interlock.testing.conformance.kernel_values import HOUR, NOON, a_record

ROWS = [a_record(pk, f"{number:04}", number % 7 + 1, kind="k") for pk in "abc" for number in range(400)]


class Breaking(MemoryKernel):
    """A store that fails at one of its commits or restores, before doing it or after."""

    def __init__(
        self, *, at: int = 0, after: bool = False, error: Callable[[], BaseException] = KeyboardInterrupt
    ) -> None:
        super().__init__()
        self.at, self.after, self.error, self.count = at, after, error, 0

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        return self._breaking(lambda: super(Breaking, self).commit(pk, batch))

    def restore(self, records: Sequence[Record]) -> None:
        def restored() -> bool:
            super(Breaking, self).restore(records)
            return True

        self._breaking(restored)

    def _breaking(self, act: Callable[[], bool]) -> bool:
        self.count += 1
        if self.count == self.at and not self.after:
            raise self.error()
        done = act()
        if self.count == self.at:
            raise self.error()
        return done


def filled(kernel: MemoryKernel | None = None) -> MemoryKernel:
    kernel = kernel or MemoryKernel()
    MemoryKernel.restore(kernel, ROWS)
    return kernel


def a_plan(settle: Callable[[], object] = lambda: None) -> Plan:
    return Plan("sqlite", "redis", NOON, settle)


def standing(kernel: MemoryKernel) -> Standing | None:
    state = state_of(kernel)
    return None if state is None else state.standing


def is_whole(kernel: MemoryKernel) -> bool:
    return contents(kernel, NOON) == contents(filled(), NOON)


def test_a_move_takes_every_row_and_leaves_the_source_closed_for_good() -> None:
    source, target = filled(), MemoryKernel()
    done = move(source, target, a_plan())
    assert done.count == len(ROWS)
    assert is_whole(source)
    assert is_whole(target)
    assert (standing(source), standing(target)) == (Standing.MOVED, None)
    with pytest.raises(Conflict, match="was moved to redis"):
        move(source, target, a_plan())


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("which", ["source", "target"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, lambda: StoreUnavailable("gone")])
def test_wherever_a_move_breaks_off_nobody_can_work_on_both_and_doing_it_again_ends_it(
    which: str,
    at: int,
    after: bool,
    error: Callable[[], BaseException],
) -> None:
    """G2. Of a store whose process dies only what is written is left: no clean-up can be counted on."""
    broken = Breaking(at=at, after=after, error=error)
    source = filled(broken) if which == "source" else filled()
    target = broken if which == "target" else MemoryKernel()
    for _ in range(2):
        try:
            move(source, target, a_plan())
            break
        except (KeyboardInterrupt, StoreUnavailable):
            source_open, target_open = standing(source) is None, standing(target) is None
            assert not (source_open and target_open and contents(target, NOON).count), "both could be worked on"
            assert is_whole(source)
        except Conflict:  # the last step was done, and only its answer was lost
            break
    assert (standing(source), standing(target)) == (Standing.MOVED, None)
    assert is_whole(target)


def test_what_somebody_still_writes_ends_the_move_and_work_goes_on_where_it_was() -> None:
    source, target = filled(), MemoryKernel()
    late = iter([lambda: None])

    class Late(MemoryKernel):
        def restore(self, records: Sequence[Record]) -> None:
            super().restore(records)
            if next(late, None) is not None:
                assert source.commit("a", [Put(a_record("a", "late"))])

    target = Late()
    with pytest.raises(Contention, match="somebody works on it who does not see that it is closed"):
        move(source, target, a_plan())
    assert standing(source) is None
    assert source.get("a", "late") is not None
    assert standing(target) is Standing.IMPORTING
    assert source.commit("a", [Delete("0000")])
    with pytest.raises(StoreError, match=r"It stays closed\. Empty it first"):
        move(source, target, a_plan())
    assert standing(source) is None


def test_everybody_has_the_time_to_see_that_the_source_is_closed() -> None:
    source, target, seen = filled(), MemoryKernel(), list[object]()
    move(
        source, target, a_plan(lambda: seen.append((standing(source), standing(target), contents(target, NOON).count)))
    )
    assert seen == [(Standing.MOVING, Standing.IMPORTING, 0)]


def test_a_target_that_holds_anything_is_refused_and_nothing_is_closed() -> None:
    source, target = filled(), MemoryKernel()
    target.restore([a_record()])
    with pytest.raises(Conflict, match="not empty"):
        move(source, target, a_plan())
    assert (standing(source), standing(target)) == (None, None)


def test_a_row_that_cannot_be_read_is_not_moved_and_not_left_behind() -> None:
    """T-118."""
    source, target = filled(), MemoryKernel()
    source._rows["b"]["0007"] = source._rows["b"]["0007"]._replace(body=b"{")
    with pytest.raises(UnreadableRecord, match=r"'0007' of 'b'.*not moved"):
        move(source, target, a_plan())
    assert standing(source) is None


def test_what_has_expired_stays_behind() -> None:
    source, target = filled(), MemoryKernel()
    source.restore([a_record("x", expires_at=NOON), a_record("y", expires_at=NOON + HOUR)])
    assert move(source, target, a_plan()).count == len(ROWS) + 1
    assert target.get("x", "a") is None


def test_a_move_that_was_abandoned_leaves_the_store_open_and_the_copy_closed() -> None:
    source, target = filled(), MemoryKernel()
    put_state(source, StoreState(standing=Standing.MOVING, other="redis", since="then"))
    put_state(target, StoreState(standing=Standing.IMPORTING, other="the provider sqlite", since="then"))
    assert abandon(source).other == "redis"
    assert (standing(source), standing(target)) == (None, Standing.IMPORTING)
    with pytest.raises(Conflict, match="nothing to abandon"):
        abandon(source)
    with pytest.raises(Conflict, match="Only a move that has not ended"):
        abandon(target)


def test_a_move_that_was_abandoned_and_begun_again_in_its_midst_ends_nothing() -> None:
    """Whoever closed the store is no longer closing it: what was written in between is not in its copy."""
    source = filled()

    class Meddled(MemoryKernel):
        def walk(self, after: str | None, limit: int) -> Walk:
            state = state_of(source)
            if self.rows("a", "", Page(limit=1)) and state is not None and state.since == NOON.isoformat():
                abandon(source)
                assert source.commit("a", [Put(a_record("a", "between"))])
                put_state(source, StoreState(standing=Standing.MOVING, other="redis", since="later"))
            return super().walk(after, limit)

    target = Meddled()
    with pytest.raises(Contention, match="somebody else at the same time"):
        move(source, target, a_plan())
    assert (standing(source), standing(target)) == (Standing.MOVING, Standing.IMPORTING)


class TestOpenKernel:
    """Who opened a store before it was closed must not go on."""

    def test_a_closed_store_cannot_be_opened_to_work_on(self) -> None:
        kernel = MemoryKernel()
        move(kernel, MemoryKernel(), a_plan())
        with pytest.raises(StoreError, match="was moved to redis"):
            OpenKernel(kernel)

    def test_nothing_is_written_any_more_soon_after_a_store_is_closed(self) -> None:
        real, time = filled(), [0.0]
        kernel = OpenKernel(real, clock=lambda: time[0])
        assert kernel.commit("a", [Put(a_record("a", "1st"))])
        move(real, MemoryKernel(), a_plan())
        time[0] += LOOK.total_seconds() * 1.01
        with pytest.raises(StoreError, match="was moved to redis"):
            kernel.commit("a", [Put(a_record("a", "2nd"))])
        with pytest.raises(StoreError, match="was moved to redis"):
            kernel.purge(NOON, 10)
        assert real.get("a", "2nd") is None
        assert kernel.rows("a", "1st", Page()) == [a_record("a", "1st")]

    def test_it_is_not_looked_at_before_every_commit(self) -> None:
        looks = list[str]()

        class Counting(MemoryKernel):
            def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
                looks.append(pk)
                return super().rows(pk, prefix, page)

        time = [0.0]
        kernel = OpenKernel(Counting(), clock=lambda: time[0])
        for number in range(100):
            time[0] += LOOK.total_seconds() / 50
            assert kernel.commit("a", [Put(a_record("a", str(number)))])
        assert 2 <= len(looks) <= 3
        assert timedelta(seconds=time[0]) > LOOK

    def test_what_took_so_long_that_the_store_was_closed_meanwhile_is_not_called_done(self) -> None:
        """G2: a process that stood still within a commit would start by a claim of which the new store knows nothing."""
        time, moves = [0.0], [True]
        target = MemoryKernel()

        class Slow(MemoryKernel):
            def commit(self, pk: str, batch: Sequence[Change]) -> bool:
                if pk == "a" and moves.pop():
                    moves.append(False)
                    move(self, target, a_plan())
                    time[0] += LOOK.total_seconds() * 1.01
                return super().commit(pk, batch)

        kernel = OpenKernel(filled(Slow()), clock=lambda: time[0])
        with pytest.raises(StoreUnavailable, match=r"may or may not have happened.*was moved to redis"):
            kernel.commit("a", [Put(a_record("a", "claim"))])
        assert target.get("a", "claim") is None

    def test_what_took_long_is_done_where_the_store_is_still_open(self) -> None:
        time = [0.0]

        class Slow(MemoryKernel):
            def commit(self, pk: str, batch: Sequence[Change]) -> bool:
                time[0] += 7.0
                return super().commit(pk, batch)

        kernel = OpenKernel(Slow(), clock=lambda: time[0])
        assert kernel.commit("a", [Put(a_record("a", "1st"))]) is True
        assert kernel.commit("a", [Put(a_record("a", "1st"))]) is False
