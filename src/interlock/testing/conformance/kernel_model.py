"""A dictionary which keeps the kernel contract, and a machine which compares any kernel with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from interlock.stores.kernel import Change, Check, Delete, Kernel, Page, Place, Put, Record, cursor_of
from interlock.testing.conformance.kernel_values import HOUR, NOON

_PKS: Final = st.sampled_from(["a", "a:b", "%"])
_SKS: Final = st.sampled_from(["", "r", "r#1", "r#2", "r*", "R"])
_KINDS: Final = st.sampled_from(["k", "k:"])
_MOMENTS: Final = st.sampled_from([NOON, NOON + HOUR, NOON + 2 * HOUR])
_PAGES: Final = st.builds(Page, limit=st.integers(1, 5), backwards=st.booleans())
_FIELDS: Final = st.fixed_dictionaries(
    {
        "body": st.dictionaries(st.text(max_size=2), st.none() | st.integers() | st.text(max_size=3), max_size=2),
        "wake_at": st.none() | _MOMENTS,
        "expires_at": st.none() | _MOMENTS,
        "kind": st.none() | _KINDS,
        "rank": st.sampled_from(["", "1", "2"]),
    }
)
# What to do to a row, and how wrong to be about its version: nearly always right, sometimes behind or ahead.
_ACTS: Final = st.tuples(
    st.sampled_from(["put", "put", "put", "delete", "remove", "check"]), st.sampled_from([0] * 12 + [-1, 1]), _FIELDS
)


class Model:
    """The contract of one thread, as plainly as it can be written."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Record] = {}

    def version(self, pk: str, sk: str) -> int:
        """Return the version of a row, 0 when it is absent."""
        return self.held[pk, sk].version if (pk, sk) in self.held else 0

    def commit(self, pk: str, batch: list[Change]) -> bool:
        """Compare all, then write all."""
        for change in batch:
            if isinstance(change, Put):
                holds = self.version(pk, change.record.sk) == change.record.version - 1
            else:
                holds = change.expected is None or self.version(pk, change.sk) == change.expected
            if not holds:
                return False
        for change in batch:
            if isinstance(change, Put):
                self.held[pk, change.record.sk] = change.record
            elif isinstance(change, Delete):
                self.held.pop((pk, change.sk), None)
        return True

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Sort, cut."""
        found = (row for row in self.held.values() if row.pk == pk and row.sk.startswith(prefix))
        return _cut(found, lambda row: row.sk, page)

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Sort, cut."""
        found = (row for row in self.held.values() if row.kind == kind)
        return _cut(found, lambda row: (row.rank, row.pk, row.sk), page)

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Sort, cut."""
        found = [(row.wake_at, row.pk, row.sk) for row in self.held.values() if row.wake_at and row.wake_at <= before]
        return [Place(pk, sk, wake_at) for wake_at, pk, sk in sorted(found)[:limit]]

    def purge(self, now: datetime) -> int:
        """Drop what has expired."""
        before = len(self.held)
        self.held = {key: row for key, row in self.held.items() if row.expires_at is None or row.expires_at > now}
        return before - len(self.held)


def _cut(found: Iterable[Record], key: Callable[[Record], Any], page: Page) -> list[Record]:
    ordered = sorted(found, key=key, reverse=page.backwards)
    if page.after is not None:
        place = next(index for index, row in enumerate(ordered) if page.after in (row.sk, cursor_of(row)))
        ordered = ordered[place + 1 :]
    return ordered[: page.limit]


class KernelMachine(RuleBasedStateMachine):
    """Does the same to a kernel and to the model, and looks for a difference."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.kernel = kernel
        self.model = Model()

    @rule(pk=_PKS, acts=st.dictionaries(_SKS, _ACTS, min_size=1, max_size=4))
    def commit(self, pk: str, acts: dict[str, tuple[str, int, dict[str, Any]]]) -> None:
        """Commit a batch, which mostly can succeed."""
        batch = [self._change(pk, sk, *act) for sk, act in acts.items()]
        assert self.kernel.commit(pk, batch) == self.model.commit(pk, batch)

    @rule(now=_MOMENTS)
    def purge(self, now: datetime) -> None:
        """Purge everything expired."""
        assert self.kernel.purge(now, 1000) == self.model.purge(now)

    @rule(pk=_PKS, prefix=st.sampled_from(["", "r", "r#", "r*", "x"]), page=_PAGES, skip=st.integers(0, 4))
    def rows(self, pk: str, prefix: str, page: Page, skip: int) -> None:
        """Look at a page of rows, from the start or from behind some row."""
        page = _behind([row.sk for row in self.model.rows(pk, prefix, Page())], page, skip)
        assert self.kernel.rows(pk, prefix, page) == self.model.rows(pk, prefix, page)

    @rule(kind=_KINDS, page=_PAGES, skip=st.integers(0, 4))
    def listing(self, kind: str, page: Page, skip: int) -> None:
        """Look at a page of a listing, from the start or from behind some row."""
        page = _behind([cursor_of(row) for row in self.model.listing(kind, Page())], page, skip)
        assert self.kernel.listing(kind, page) == self.model.listing(kind, page)

    @rule(before=_MOMENTS, limit=st.integers(1, 5))
    def due(self, before: datetime, limit: int) -> None:
        """Look at what is due."""
        assert self.kernel.due(before, limit) == self.model.due(before, limit)

    @invariant()
    def every_row_is_the_same(self) -> None:
        """By key, and in no other place."""
        for pk, sk in self.model.held:
            assert self.kernel.get(pk, sk) == self.model.held[pk, sk]
        for pk in ("a", "a:b", "%"):
            assert self.kernel.rows(pk, "", Page()) == self.model.rows(pk, "", Page())

    def teardown(self) -> None:
        """Leave the kernel empty for the next history."""
        for pk, sk in self.model.held:
            assert self.kernel.commit(pk, [Delete(sk)])

    def _change(self, pk: str, sk: str, act: str, wrong: int, fields: dict[str, Any]) -> Change:
        version = self.model.version(pk, sk)
        match act:
            case "put":
                return Put(Record(pk=pk, sk=sk, version=max(1, version + 1 + wrong), **fields))
            case "delete":
                return Delete(sk, max(0, version + wrong))
            case "remove":
                return Delete(sk)
            case _:
                return Check(sk, max(0, version + wrong))


def _behind(cursors: list[str], page: Page, skip: int) -> Page:
    if not cursors or skip == 0:
        return page
    return Page(limit=page.limit, after=cursors[skip % len(cursors)], backwards=page.backwards)


class ModelContract:
    """Whatever is done in whatever order, the kernel and the model agree. A slow store may be told fewer histories."""

    histories = 40

    def test_a_kernel_does_what_the_model_does(self, kernel: Kernel) -> None:
        """T-108: random histories of commits, purges and looks; hypothesis shrinks the first difference it finds."""

        class Machine(KernelMachine):
            def __init__(self) -> None:
                super().__init__(kernel)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=self.histories,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
