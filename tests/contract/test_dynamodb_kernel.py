"""The store in DynamoDB keeps the contract, on an emulator of today's service and on Amazon's own of 2020."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

import pytest
from tests.contract.dynamodb_stores import OneTable, options_of
from tests.servers.dynamodb import DynamoDBLocalServer, MiniStackServer

from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.kernel import Change, Kernel
from interlock.stores.rows import steps_of
from interlock.testing.conformance.kernel_commits import CommitContract
from interlock.testing.conformance.kernel_damage import DamageContract, Spoil
from interlock.testing.conformance.kernel_lists import DueContract, ListingContract, PurgeContract
from interlock.testing.conformance.kernels import DurableKernelContract, KernelContract

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def ours(ministack_server: MiniStackServer) -> Iterator[OneTable]:
    with closing(OneTable(ministack_server)) as table:
        yield table


@pytest.fixture(scope="module")
def amazons(dynamodb_local_server: DynamoDBLocalServer) -> Iterator[OneTable]:
    with closing(OneTable(dynamodb_local_server)) as table:
        yield table


class TestDynamoKernel(KernelContract):
    histories = 6

    @pytest.fixture
    def kernel(self, ours: OneTable) -> Iterator[Kernel]:
        kernel = ours.opened()
        yield kernel
        kernel.close()

    @pytest.fixture
    def spoil(self, ours: OneTable) -> Spoil:
        return ours.spoil


class KernelOfTens(DynamoKernel):
    """Splits what the DynamoDB of 2020 does not take as one transaction: for filling stores, not for races."""

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        steps_of(pk, batch)
        return all(super(KernelOfTens, self).commit(pk, batch[at : at + 10]) for at in range(0, len(batch), 10))


class TestDynamoKernelOnAmazonsOwn(CommitContract, DueContract, ListingContract, PurgeContract, DamageContract):
    """Conditions, transactions and indexes as Amazon itself wrote them. It is slow, so the rest is told by the other."""

    @pytest.fixture
    def kernel(self, amazons: OneTable) -> Iterator[Kernel]:
        kernel = amazons.opened(KernelOfTens)
        yield kernel
        kernel.close()

    @pytest.fixture
    def spoil(self, amazons: OneTable) -> Spoil:
        return amazons.spoil


class TestDurableDynamoKernel(DurableKernelContract):
    """The emulator keeps its rows in memory, so it is the clients that die here."""

    @pytest.fixture
    def open_kernel(self, ministack_server: MiniStackServer) -> Callable[[], Kernel]:
        return partial(DynamoKernel, options_of(ministack_server))

    @pytest.mark.parametrize("seed", range(3))
    def test_a_kill_in_the_middle_loses_nothing_acknowledged_and_leaves_no_half(
        self, open_kernel: Callable[[], Kernel], seed: int
    ) -> None:
        super().test_a_kill_in_the_middle_loses_nothing_acknowledged_and_leaves_no_half(open_kernel, seed)
