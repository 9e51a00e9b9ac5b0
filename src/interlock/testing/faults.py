"""A kernel that fails at chosen calls, before the write or after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from interlock.errors import StoreUnavailable
from interlock.stores.kernel import Change, Kernel, Page, Place, Record

T = TypeVar("T")


class FaultyKernel:
    """Counts the calls to another kernel, and asks `before` and `after` around each: what they raise is raised.

    Raised by `after`, a call has happened and its answer is lost. `calls` names the calls so far.
    """

    def __init__(self, real: Kernel) -> None:
        self.real = real
        self.calls: list[str] = []
        self.before: Callable[[int], None] = _nothing
        self.after: Callable[[int], None] = _nothing

    def fail_at(self, number: int, *, after: bool) -> None:
        """Let one call be unavailable: the `number`-th from now, counted from 0."""
        chosen = len(self.calls) + number

        def fail(call: int) -> None:
            if call == chosen:
                raise StoreUnavailable(f"the store did not answer call {call}: {self.calls[call]}")

        self.before, self.after = (_nothing, fail) if after else (fail, _nothing)

    def heal(self) -> None:
        """Let nothing fail any more."""
        self.before = self.after = _nothing

    def _call(self, name: str, real: Callable[[], T]) -> T:
        call = len(self.calls)
        self.calls.append(name)
        self.before(call)
        answer = real()
        self.after(call)
        return answer

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row."""
        return self._call("get", lambda: self.real.get(pk, sk))

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
        return self._call("commit", lambda: self.real.commit(pk, batch))

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition."""
        return self._call("rows", lambda: self.real.rows(pk, prefix, page))

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows that are due."""
        return self._call("due", lambda: self.real.due(before, limit))

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind."""
        return self._call("listing", lambda: self.real.listing(kind, page))

    def purge(self, now: datetime, limit: int) -> int:
        """Remove expired rows."""
        return self._call("purge", lambda: self.real.purge(now, limit))

    def ping(self) -> None:
        """Say whether the store is there."""
        self._call("ping", self.real.ping)

    def close(self) -> None:
        """Close the real one."""
        self.real.close()


def _nothing(_call: int) -> None:
    return None


if TYPE_CHECKING:

    def _is_a_kernel(it: FaultyKernel) -> Kernel:
        return it
