"""A living system whose commits are marked, and an archive of it that is looked at from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tests.lessons.living import Living
from tests.servers.postgres import PostgresServer

from interlock.archive.archiver import Archiver
from interlock.archive.database import Archive
from interlock.archive.tables import TABLES
from interlock.clients.postgres import Database
from interlock.core.pipelines import PipelineSpec
from interlock.stores import keys
from interlock.stores.kernel import Kernel, Page, Put, Record
from interlock.stores.marks import MarkingKernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE
from interlock.testing.faults import FaultyKernel


class Marked(Living):
    """A living system: `real` keeps everything, `faulty` fails when it is told to, and `kernel` marks."""

    def __init__(self, *specs: PipelineSpec, real: Kernel | None = None, **rest: Any) -> None:
        super().__init__(*specs, **rest)
        self.real = real or MemoryKernel()
        self.faulty = FaultyKernel(self.real)
        self.marking = MarkingKernel(self.faulty, self.clock.now)
        self.store = Repository(self.marking)
        self.hands = self._equip()
        self._lease = self._a_lease()

    def lines(self) -> list[Record]:
        """Every stored line of every timeline."""
        return [row for row in everything(self.real) if (row.kind or "").startswith("timeline/")]


class Outside:
    """An archive in a schema of its own, and what is in it."""

    def __init__(self, server: PostgresServer, schema: str = "") -> None:
        self.server = server
        self.schema = schema or server.fresh_schema()
        self.database = Database(server.dsn, pool_size=4)
        self.archive = Archive(self.database, self.schema)

    def archiver(self, kernel: Kernel, **rest: Any) -> Archiver:
        return Archiver(kernel, self.archive, **rest)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query answers; `{}` in it is the schema."""
        with self.database.connection() as conn:
            cursor = conn.execute(query.replace("{}", self.schema).encode())
            return cursor.fetchall() if cursor.description else []

    def count(self, table: str) -> int:
        return int(self.ask(f"SELECT count(*) FROM {{}}.{table}")[0][0])

    def counts(self) -> dict[str, int]:
        return {table.name: self.count(table.name) for table in TABLES}


@contextmanager
def outside(server: PostgresServer) -> Iterator[Outside]:
    """Make an archive in a schema of its own."""
    made = Outside(server)
    try:
        yield made
    finally:
        made.archive.close()


def everything(kernel: Kernel) -> list[Record]:
    """Return every row of a store."""
    assert isinstance(kernel, MemoryKernel)
    walk = kernel.walk(None, 1_000_000)
    assert walk.cursor is None
    return [row for row in walk.found if isinstance(row, Record)]


def waiting(kernel: Kernel) -> int:
    """Return how many marks there are."""
    return sum(len(kernel.listing(kind, Page())) for kind in (keys.ARCHIVE_KIND, keys.ARCHIVE_LEFT_KIND))


def a_note(number: int, at: datetime, *, pipeline: str = "example", messages: int = 1, **rest: Any) -> Record:
    """Return a line of a pipeline's timeline."""
    records = [
        {
            "kind": "MARKER_RECEIVED",
            "at": (at + number * MINUTE / 60).isoformat(),
            "message": f"line {number}.{each}",
            **rest,
        }
        for each in range(messages)
    ]
    return Record(
        pk=keys.pipeline_pk(pipeline),
        sk=keys.note_sk(at, f"{number:08d}"),
        version=1,
        body={"records": records},
        kind=keys.timeline_kind(pipeline),
        rank=keys.moment(at),
    )


def note(kernel: Kernel, *notes: Record) -> None:
    """Tell a timeline something, in one commit."""
    assert kernel.commit(notes[0].pk, [Put(each) for each in notes])
