"""Kernels that stand before others: what they have in common, and what is behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from interlock.stores.kernel import Advised, Change, Kernel, Page, Place, Record

T = TypeVar("T")


class PassingKernel:
    """Another kernel, to which everything is passed on. Whoever adds to a verb overrides that one."""

    def __init__(self, real: Kernel) -> None:
        self.real = real

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row."""
        return self.real.get(pk, sk)

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none."""
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
        return self.real.purge(now, limit)

    def ping(self) -> None:
        """Say whether the store is there."""
        self.real.ping()

    def close(self) -> None:
        """Close the real one."""
        self.real.close()


def behind(kernel: Kernel, kind: type[T]) -> T | None:
    """Return the kernel as what some kernels are besides, or the one behind it that is; None when none of them is."""
    found: object | None = kernel
    while found is not None:
        if isinstance(found, kind):
            return found
        found = getattr(found, "real", None)
    return None


def advice_of(kernel: Kernel) -> tuple[str, ...]:
    """Return what should be set up otherwise at the server of a kernel; nothing where nobody can tell.

    Raises:
        StoreUnavailable: the server does not answer.
    """
    advised = behind(kernel, Advised)  # type: ignore[type-abstract]  # a protocol, asked for at run time
    return () if advised is None else advised.advice()


if TYPE_CHECKING:

    def _is_a_kernel(it: PassingKernel) -> Kernel:
        return it
