"""A kernel that remembers whether there is anything to ring the bell for, and tells what was committed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from interlock.runtime.committed import Committed
from interlock.stores.kernel import Advised, Change, Chime, Kernel, Page, Place, Put, Record
from interlock.stores.keys import REGISTERED_PK


class RingingKernel:
    """Another kernel, that remembers whether anything was written which may want somebody's attention.

    `committed` tells its listeners what every commit added to the timelines; `chime` wakes others, where the store can.
    """

    def __init__(self, real: Kernel) -> None:
        self.real = real
        self.committed = Committed()
        self.written = False
        self.chime = chime_of(real)

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row."""
        return self.real.get(pk, sk)

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
        done = self.real.commit(pk, batch)
        if done:
            if pk == REGISTERED_PK or any(
                isinstance(change, Put) and change.record.wake_at is not None for change in batch
            ):
                self.written = True
            self.committed.tell(batch)
        return done

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
        return self.real.purge(now, limit)

    def ping(self) -> None:
        """Say whether the store is there."""
        self.real.ping()

    def close(self) -> None:
        """Close the real one."""
        self.real.close()


def chime_of(kernel: Kernel) -> Chime | None:
    """Return what wakes others in a kernel, or in the one behind it; None where the store has no such thing."""
    return next((each for each in _layers(kernel) if isinstance(each, Chime)), None)


def advice_of(kernel: Kernel) -> tuple[str, ...]:
    """Return what should be set up otherwise at the server of a kernel; nothing where nobody can tell.

    Raises:
        StoreUnavailable: the server does not answer.
    """
    return next((each.advice() for each in _layers(kernel) if isinstance(each, Advised)), ())


def _layers(kernel: Kernel | None) -> Iterator[Kernel]:
    while kernel is not None:
        yield kernel
        kernel = getattr(kernel, "real", None)


if TYPE_CHECKING:

    def _is_a_kernel(it: RingingKernel) -> Kernel:
        return it
