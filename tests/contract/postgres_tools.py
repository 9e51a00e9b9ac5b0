"""Opening stores in PostgreSQL, and writing to them from many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any

from tests.servers.postgres import PostgresServer

from interlock.errors import StoreUnavailable
from interlock.stores.kernel import Change, Kernel, Page, Put, Record
from interlock.stores.postgres.kernel import PostgresKernel
from interlock.stores.postgres.options import PostgresOptions
from interlock.testing.conformance.kernel_values import a_record


def opened(
    server: PostgresServer, schema: str = "interlock", *, dsn: str = "", read_only: bool = False, **options: Any
) -> PostgresKernel:
    """Open a store on a server, by way of `dsn` if that is given."""
    options = {"connect_timeout": timedelta(seconds=2), **options}
    return PostgresKernel(PostgresOptions(dsn=dsn or server.dsn, schema=schema, **options), read_only=read_only)


def put(sk: str, version: int = 1, *, pk: str = "p", **fields: Any) -> list[Change]:
    """Return a batch that puts one row."""
    return [Put(a_record(pk, sk, version, **fields))]


def forever(kernel: Kernel, pk: str) -> list[Record]:
    """Return all rows of a partition."""
    return kernel.rows(pk, "", Page(limit=1_000_000))


def rung(kernel: PostgresKernel, heard: Event) -> bool:
    """Ring, and tell whether it was heard soon; a ring may be lost."""
    heard.clear()
    kernel.ring()
    return heard.wait(0.2)


class Writer(Thread):
    """Writes numbered rows to a partition of its own. Of an unknown outcome it learns by reading; it is never told False."""

    def __init__(self, kernel: Kernel, pk: str, end: Event) -> None:
        super().__init__(daemon=True)
        self.kernel, self.pk, self._end = kernel, pk, end
        self.acknowledged = 0
        self.unknown = 0
        self.trouble: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._end.is_set():
                self._write(self.acknowledged + 1)
        except BaseException as exc:
            self.trouble = exc

    def _write(self, number: int) -> None:
        name = f"{number:06}"
        try:
            assert self.kernel.commit(self.pk, put(name, pk=self.pk)), f"{name} was answered False"
        except StoreUnavailable:
            self.unknown += 1
            if not self._is_there(name):
                return
        self.acknowledged = number

    def _is_there(self, name: str) -> bool:
        while True:
            try:
                return self.kernel.get(self.pk, name) is not None
            except StoreUnavailable:
                if self._end.wait(0.02):
                    return False


@contextmanager
def writers(kernel: Kernel, count: int) -> Iterator[list[Writer]]:
    """Let some write until the end of the block."""
    end = Event()
    found = [Writer(kernel, f"w{number}", end) for number in range(count)]
    for writer in found:
        writer.start()
    try:
        yield found
    finally:
        end.set()
        for writer in found:
            writer.join(60)
