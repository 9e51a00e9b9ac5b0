"""The suites a store must pass: ours do, and so can anybody's.

    class TestMyKernel(KernelContract):
        @pytest.fixture
        def kernel(self) -> Iterator[Kernel]:
            kernel = MyKernel(...)          # empty
            yield kernel
            kernel.close()

        @pytest.fixture
        def spoil(self, kernel: MyKernel) -> Spoil:
            return lambda pk, sk: ...       # make the body of that row undecodable, behind the kernel's back

A store that outlives its process passes `DurableKernelContract` too.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.stores.kernel import Kernel
from interlock.testing.conformance.kernel_commits import CommitContract
from interlock.testing.conformance.kernel_damage import DamageContract
from interlock.testing.conformance.kernel_durable import CrashContract, ProcessContract
from interlock.testing.conformance.kernel_lists import DueContract, ListingContract, PurgeContract, RowsContract
from interlock.testing.conformance.kernel_model import ModelContract
from interlock.testing.conformance.kernel_races import RaceContract
from interlock.testing.conformance.kernel_walks import WalkContract


class KernelContract(
    CommitContract,
    RowsContract,
    DueContract,
    ListingContract,
    PurgeContract,
    DamageContract,
    RaceContract,
    ModelContract,
    WalkContract,
):
    """Every sentence of the contract in `interlock.stores.kernel` that one process can see broken."""

    @pytest.fixture
    def kernel(self) -> Kernel:
        """Return an empty kernel, new for each test, and close it afterwards. Must be overridden."""
        raise LookupError(f"{type(self).__name__} must override the fixture `kernel` to give an empty kernel")


class DurableKernelContract(ProcessContract, CrashContract):
    """What holds between processes, and after the death of one. Starts real processes and kills them."""

    @pytest.fixture
    def open_kernel(self) -> Callable[[], Kernel]:
        """Return a function that opens the same store each time, empty at first. Must be overridden.

        It is called in child processes too, so it must survive pickle: a class or function of a module, or a
        `functools.partial` of one.
        """
        raise LookupError(
            f"{type(self).__name__} must override the fixture `open_kernel` to give a function that opens the store"
        )
