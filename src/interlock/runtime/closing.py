"""A kernel through which nothing is written any more once its store is closed: while it is being moved, and ever after.

Who opened the store before it was closed must not go on. So whoever commits looks whether it still is open, if the last look
is a while ago; whoever closes a store waits for longer than that before believing that it stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from interlock.stores.kernel import Change, Kernel, Page, Place, Record
from interlock.stores.state import refuse_closed

LOOK: Final = timedelta(seconds=0.5)
"""How old the last look may be."""


class OpenKernel:
    """Another kernel, for as long as its store is open.

    Raises:
        StoreError: by its constructor, `commit` and `purge`, when the store is closed; nothing is written then.
    """

    def __init__(self, real: Kernel, *, clock: Callable[[], float] = monotonic) -> None:
        self.real = real
        self._clock = clock
        self._looked_at = 0.0
        self._look()

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row."""
        return self.real.get(pk, sk)

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
        self._look_again()
        return self.real.commit(pk, batch)

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition."""
        return self.real.rows(pk, prefix, page)

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows that are due."""
        return self.real.due(before, limit)

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind."""
        return self.real.listing(kind, page)

    def purge(self, now: datetime, limit: int) -> int:
        """Remove expired rows."""
        self._look_again()
        return self.real.purge(now, limit)

    def ping(self) -> None:
        """Say whether the store is there."""
        self.real.ping()

    def close(self) -> None:
        """Close the real one."""
        self.real.close()

    def _look_again(self) -> None:
        if self._clock() - self._looked_at > LOOK.total_seconds():
            self._look()

    def _look(self) -> None:
        began = self._clock()  # not after it: the answer is as old as the question
        refuse_closed(self.real)
        self._looked_at = began


if TYPE_CHECKING:

    def _is_a_kernel(it: OpenKernel) -> Kernel:
        return it
