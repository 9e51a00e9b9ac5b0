"""A kernel through which nothing is written any more once its store is closed: while it is being moved, and ever after.

Who opened the store before it was closed must not go on. So whoever commits looks whether it still is open, if the last look
is a while ago; whoever closes a store waits for longer than that before believing that it stands still. A commit that took
longer itself is looked after: a process may stand still in the middle of it, and a database may take its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.kernel import Change, Kernel
from interlock.stores.passing import PassingKernel
from interlock.stores.state import refuse_closed

LOOK: Final = timedelta(seconds=0.5)
"""How old the last look may be."""


class OpenKernel(PassingKernel):
    """Another kernel, for as long as its store is open.

    Raises:
        StoreError: by its constructor, `commit` and `purge`, when the store is closed; nothing is written then.
        StoreUnavailable: by `commit`, when the store was closed meanwhile: what was written may not have been taken along.
    """

    def __init__(self, real: Kernel, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(real)
        self._clock = clock
        self._looked_at = 0.0
        self._look()

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
        self._look_again()
        done = self.real.commit(pk, batch)
        if done:
            self._look_after()
        return done

    def purge(self, now: datetime, limit: int) -> int:
        """Remove expired rows."""
        self._look_again()
        return self.real.purge(now, limit)

    def _look_again(self) -> None:
        if self._clock() - self._looked_at > LOOK.total_seconds():
            self._look()

    def _look_after(self) -> None:
        try:
            self._look_again()
        except StoreUnavailable:
            raise
        except StoreError as exc:
            raise StoreUnavailable(f"what was to be written may or may not have happened: {exc}") from exc

    def _look(self) -> None:
        began = self._clock()  # not after it: the answer is as old as the question
        refuse_closed(self.real)
        self._looked_at = began


if TYPE_CHECKING:

    def _is_a_kernel(it: OpenKernel) -> Kernel:
        return it
