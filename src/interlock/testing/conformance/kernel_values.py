"""Rows to put and small ways to put them, for the kernel suites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, Final, TypeVar

from interlock.stores.kernel import MAX_BATCH, Kernel, Page, Place, Put, Record

Answer = TypeVar("Answer")

NOON: Final = datetime(2126, 3, 7, 12, 0, tzinfo=UTC)
"""Far ahead: a server that removes by its own clock what has expired must not take what a test still wants."""

TICK: Final = timedelta(microseconds=1)
HOUR: Final = timedelta(hours=1)

# Names in which some store or other sees a meaning, a separator, a wildcard, a bound or a fold of case.
AWKWARD: Final = (
    "", " ", "a", "A", "a ", " a", "ab", "a:b", "a:", ":a", "a*", "a?", "[a]", "a%", "a_", "a#b", "a/b", "a\\b", "a'b",
    'a"b', "a;b", "a\tb", "a\nb", "a{b}", "$a", "é", "e\u0301", "ß", "ss", "日本", "\ud7ff", "\ue000", "\uffff",
    "\U00010000", "\U0010ffff", "all", "None", "0", "x" * 700,
)  # fmt: skip


def a_record(pk: str = "p", sk: str = "a", version: int = 1, **fields: Any) -> Record:
    """Return a record with a small body; every field can be given."""
    return Record(**{"pk": pk, "sk": sk, "version": version, "body": {"n": version}, **fields})


def keep(kernel: Kernel, *records: Record) -> None:
    """Commit records one partition at a time, in full batches, and insist that each went in."""
    for pk in dict.fromkeys(record.pk for record in records):
        ours = [Put(record) for record in records if record.pk == pk]
        for start in range(0, len(ours), MAX_BATCH):
            assert kernel.commit(pk, ours[start : start + MAX_BATCH]), f"a row of {pk!r} was not taken"


def names(records: Sequence[Record]) -> list[str]:
    """Return the row names, in the order found."""
    return [record.sk for record in records]


def keys(found: Sequence[Record | Place]) -> list[tuple[str, str]]:
    """Return partition and row name of each, in the order found."""
    return [(each.pk, each.sk) for each in found]


def places(records: Sequence[Record]) -> list[Place]:
    """Return what the due index must say of records, in the order given."""
    return [Place(record.pk, record.sk, record.wake_at) for record in records if record.wake_at is not None]


def everywhere(kernel: Kernel, pk: str = "p", kind: str = "k") -> list[Sequence[Record | Place]]:
    """Return what every list shows of a store, so that "nothing was written" can be said of all at once."""
    return [kernel.rows(pk, "", Page()), kernel.due(NOON + 1000 * HOUR, 1000), kernel.listing(kind, Page())]


def walk(look: Callable[[Page], list[Record]], cursor: Callable[[Record], str], page: Page) -> list[Record]:
    """Follow a list from page to page, as a caller would, to its end."""
    found: list[Record] = []
    while True:
        after = cursor(found[-1]) if found else None
        step = look(Page(limit=page.limit, after=after, backwards=page.backwards))
        assert len(step) <= page.limit
        if not step:
            return found
        found += step


def at_once(count: int, act: Callable[[int], Answer]) -> list[Answer]:
    """Run an act in many threads which start together; return the answers in order of the threads' numbers."""
    barrier = Barrier(count, timeout=30)

    def started(number: int) -> Answer:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(started, range(count)))


def increment(kernel: Kernel, pk: str, sk: str) -> int:
    """Add one to a counter row by read, compare and swap, as often as it takes; return the number it reached."""
    while True:
        old = kernel.get(pk, sk)
        count = 1 if old is None else old.body["count"] + 1
        new = a_record(pk, sk, 1 if old is None else old.version + 1, body={"count": count})
        if kernel.commit(pk, [Put(new)]):
            return int(count)
