"""The store in PostgreSQL keeps the contract, on the oldest and the newest server there is, and through PgBouncer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.servers.fixtures import have
from tests.servers.postgres import PgBouncer, PostgresServer

from interlock.stores.kernel import Kernel
from interlock.stores.postgres.kernel import PostgresKernel
from interlock.stores.postgres.options import PostgresOptions
from interlock.testing.conformance.kernel_damage import Spoil
from interlock.testing.conformance.kernel_durable import ProcessContract
from interlock.testing.conformance.kernels import DurableKernelContract, KernelContract

pytestmark = pytest.mark.service


class _OnPostgres(KernelContract):
    """The suite in a schema of its own for each test."""

    @pytest.fixture
    def schema(self, server: PostgresServer) -> str:
        return server.fresh_schema()

    @pytest.fixture
    def dsn(self, server: PostgresServer) -> str:
        return server.dsn

    @pytest.fixture
    def kernel(self, dsn: str, schema: str) -> Iterator[Kernel]:
        kernel = PostgresKernel(PostgresOptions(dsn=dsn, schema=schema))
        yield kernel
        kernel.close()

    @pytest.fixture
    def spoil(self, server: PostgresServer, schema: str) -> Spoil:
        def spoiled(pk: str, sk: str) -> None:
            server.execute(f"UPDATE {schema}.records SET body = '{{' WHERE pk = '{pk}' AND sk = '{sk}'")

        return spoiled


class TestPostgresKernel(_OnPostgres):
    @pytest.fixture
    def server(self, postgres_server: PostgresServer) -> PostgresServer:
        return postgres_server


class TestNewestPostgresKernel(_OnPostgres):
    @pytest.fixture
    def server(self, postgres_newest_server: PostgresServer) -> PostgresServer:
        return postgres_newest_server


class TestPostgresKernelThroughPgBouncer(_OnPostgres):
    """In transaction mode, with fewer sessions than threads."""

    @pytest.fixture
    def server(self, postgres_server: PostgresServer) -> PostgresServer:
        return postgres_server

    @pytest.fixture
    def dsn(self, pgbouncer_server: PgBouncer) -> str:
        return pgbouncer_server.dsn


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    with have("postgres", lambda: PostgresServer("system", durable=True)) as server:
        yield server


@pytest.fixture(scope="module")
def newest_durable() -> Iterator[PostgresServer]:
    with have("postgres-newest", lambda: PostgresServer("newest", durable=True)) as server:
        yield server


class TestPostgresKernelOfManyProcesses(ProcessContract):
    """That a client's death leaves no half is seen with the newest server: it is the same in all of them."""

    @pytest.fixture
    def open_kernel(self, durable: PostgresServer) -> Callable[[], Kernel]:
        return opening(durable)


class TestDurableNewestPostgresKernel(DurableKernelContract):
    @pytest.fixture
    def open_kernel(self, newest_durable: PostgresServer) -> Callable[[], Kernel]:
        return opening(newest_durable)


def opening(server: PostgresServer) -> Callable[[], Kernel]:
    return partial(PostgresKernel, PostgresOptions(dsn=server.dsn, schema=server.fresh_schema()))
