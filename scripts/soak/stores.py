"""The store that is soaked: a file, or a server of our own that writes to disk, is killed now and then, and comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Final

from tests.servers.base import Server
from tests.servers.dynamodb import MiniStackServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.runtime.stores import open_kernel
from interlock.stores.kernel import Kernel

KINDS: Final = ("sqlite", "redis", "valkey", "postgres", "dynamodb")
FORGETS: Final = "dynamodb"
"""The emulator keeps everything in memory: killed, it would forget, as the real one never does."""


class Store:
    """What the project file says about the store, and the server behind it."""

    def __init__(self, kind: str, lines: str, server: Server | None) -> None:
        self.kind = kind
        self.lines = lines
        self.kills = 0
        self._server = server
        self._next: float | None = None

    def trouble(self, every: float) -> None:
        """Now and then, kill the server and start it again on its data."""
        if not every or self._server is None or self.kind == FORGETS:
            return
        self._next = self._next or monotonic() + every
        if monotonic() >= self._next:
            self._server.kill()
            self._server.start()
            self.kills += 1
            self._next = monotonic() + every


@contextlib.contextmanager
def a_store(kind: str) -> Iterator[Store]:
    """Start a store of a kind; it is gone afterwards."""
    match kind:
        case "redis" | "valkey":
            with RedisServer(kind, appendonly="always") as redis:
                yield Store(kind, f'provider: redis\nredis: {{url: "{redis.url}"}}\n', redis)
        case "postgres":
            with PostgresServer("system", durable=True) as postgres:
                yield Store(kind, f'provider: postgres\npostgres: {{dsn: "{postgres.dsn}"}}\n', postgres)
        case "dynamodb":
            with MiniStackServer() as dynamo:
                table = f"tableName: soak, region: {dynamo.region}, endpoint: {dynamo.url}, createTable: true"
                yield Store(kind, f"provider: dynamodb\ndynamodb: {{{table}}}\n", dynamo)
        case _:
            yield Store(kind, "", None)


@contextlib.contextmanager
def looked_at(root: Path) -> Iterator[Kernel]:
    """Open a project's store for looking only."""
    kernel = open_kernel(load_project(root, settings=Settings(no_cache=True)), read_only=True)
    with contextlib.closing(kernel):
        yield kernel
