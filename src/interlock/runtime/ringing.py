"""A kernel that remembers whether there is anything to ring the bell for, and tells what was committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from interlock.runtime.committed import Committed
from interlock.stores.kernel import Change, Chime, Kernel, Put
from interlock.stores.keys import REGISTERED_PK
from interlock.stores.passing import PassingKernel, behind


class RingingKernel(PassingKernel):
    """Another kernel, that remembers whether anything was written which may want somebody's attention.

    `committed` tells its listeners what every commit added to the timelines; `chime` wakes others, where the store can.
    """

    def __init__(self, real: Kernel) -> None:
        super().__init__(real)
        self.committed = Committed()
        self.written = False
        self.chime = behind(real, Chime)  # type: ignore[type-abstract]  # a protocol, asked for at run time

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


if TYPE_CHECKING:

    def _is_a_kernel(it: RingingKernel) -> Kernel:
        return it
