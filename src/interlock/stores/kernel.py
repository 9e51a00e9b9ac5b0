"""The eight verbs every store implements, and the one record they speak of.

**The contract, in prose.** Rows live in partitions (`pk`), each under a row name (`sk`), and carry a version: 1 when
created, one more with every write. Row names order by code point.

1. `commit` is all or nothing: every change of the batch happens, or none does. It is atomic for readers too: nobody
   ever sees half a batch. (In a store that says so, `rows` may while the batch is being written: what it shows of it is
   committed, and the rest follows.) All its changes are in one partition.
2. `commit` compares versions. A `Put` of version n needs the stored row to be at n-1 (at 1: absent). A `Delete` or
   `Check` with an expected version needs exactly that; `Delete` without one removes whatever is there, also nothing.
   If any comparison fails nothing is written and the answer is False. Of two commits on one version exactly one
   returns True, whatever the number of threads, processes or hosts.
3. A commit that returned True is durable: it survives the death of the process and of the machine.
4. A commit that raised `StoreUnavailable` may or may not have happened. The caller reads again and decides again.
5. `get` and `rows` are never stale: they see every commit that returned True before they were called, by anybody.
6. `due` and `listing` are indexes: they may lag behind in stores that say so, so whoever acts on an entry reads the
   row again first. They list a row exactly when it has `wake_at`, or `kind`, and not otherwise. `due` tells places and
   reads no body: a row that cannot be decoded is due like any other, and hides none of them.
7. `expires_at` is garbage collection, not meaning: an expired row may be returned until `purge` removes it.
8. No store reads a clock. Time is an argument.
9. Keys are any text without NUL: no name can collide with another, no character has a meaning (`*`, `%`, `:` …). In
   UTF-8 each key has at most `MAX_KEY` bytes, and `rank`, `pk` and `sk` of a row together `MAX_PLACE`: what indexes keep.
10. A row that cannot be decoded raises `UnreadableRecord`, naming it. It is never skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from interlock.errors import StoreError, StoreUnavailable

MAX_BATCH: Final = 100
MAX_PAGE: Final = 1000
MAX_KEY: Final = 1000
MAX_PLACE: Final = 1500

Body: TypeAlias = Mapping[str, Any]


class Record(Struct, frozen=True, kw_only=True):
    """One row. `body` is a JSON object; times are aware and in UTC, kept to the microsecond.

    `wake_at` puts the row in the due index; `kind` puts it in the listing of that kind, at the place `rank` gives it
    (text order; rows of equal rank follow by `pk` and `sk`).
    """

    pk: str
    sk: str
    version: int
    body: Body
    wake_at: datetime | None = None
    expires_at: datetime | None = None
    kind: str | None = None
    rank: str = ""


class Place(NamedTuple):
    """Where a row is that is due, and since when. The row itself is read by whoever acts on it."""

    pk: str
    sk: str
    wake_at: datetime


class Put(Struct, frozen=True):
    """Create the row (version 1) or replace the one at the version before."""

    record: Record


class Delete(Struct, frozen=True):
    """Remove a row at a version, or at any version when `expected` is None."""

    sk: str
    expected: int | None = None


class Check(Struct, frozen=True):
    """Require that a row is at a version (0: absent) without writing it."""

    sk: str
    expected: int


Change: TypeAlias = Put | Delete | Check


class Page(Struct, frozen=True, kw_only=True):
    """How much of an ordered list to return: at most `limit`, strictly after the cursor `after`, or from the far end.

    `after` is a row name for `rows`, and the text of `cursor_of` for `listing`. With `backwards` the order is reversed
    and `after` means strictly before.
    """

    limit: int = MAX_PAGE
    after: str | None = None
    backwards: bool = False


def cursor_of(record: Record) -> str:
    """Return the place of a record in its listing: what `Page.after` takes to go on behind it."""
    return f"{record.rank}\0{record.pk}\0{record.sk}"


class Kernel(Protocol):
    """A place to keep rows, by the contract at the top of this module. Safe to call from many threads."""

    def get(self, pk: str, sk: str) -> Record | None:
        """Return one row as it is now, or None."""
        ...

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes to one partition, or none of them.

        Raises:
            ValueError: the batch is empty, longer than `MAX_BATCH`, names a row twice or a record of another partition, or
                a key is longer than `MAX_KEY`.
            StoreUnavailable: it may or may not have happened.
        """
        ...

    def rows(self, pk: str, prefix: str, page: Page) -> list[Record]:
        """Return rows of a partition whose names begin with a prefix, ordered by name."""
        ...

    def due(self, before: datetime, limit: int) -> list[Place]:
        """Return the places of rows whose `wake_at` is at or before an instant, earliest first; ties by `pk`, then `sk`."""
        ...

    def listing(self, kind: str, page: Page) -> list[Record]:
        """Return rows of a kind, ordered by `rank`, then `pk`, then `sk`."""
        ...

    def purge(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` rows whose `expires_at` is at or before an instant; return how many."""
        ...

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the store can be read, and written if it is not opened for reading only."""
        ...

    def close(self) -> None:
        """Let go of everything. Commits already accepted are finished first; later calls raise `StoreUnavailable`."""
        ...


class StoreContext(Struct, frozen=True, kw_only=True):
    """What a store of a plug-in's is given besides its configuration: `root` is the project's directory, absolute."""

    root: Path


class StorePlugin(Protocol):
    """A store that outsiders bring: a class with a `Config`, made of that and a `StoreContext`.

    Making one touches nothing. It is made to be named, too: then texts of its configuration hold `${env:NAME}` as they were
    written, and no values.
    """

    def open(self, *, read_only: bool) -> Kernel:
        """Open the store, and make it when it is missing, unless it is opened for reading only.

        Raises:
            StoreEmpty: it is opened for reading only, and nothing has been written yet. Nothing is made then.
            StoreTooNew: a later version wrote it; it is left untouched.
            StoreUnavailable: trying again can help.
            StoreError: it cannot be opened; the message says why and what to do.
        """
        ...

    def named(self) -> str:
        """Say where the store is, for people, without any secret."""
        ...


@runtime_checkable
class Chime(Protocol):
    """What a kernel has whose server can wake others: whoever waits, on whatever machine, looks at once and not in a second.

    It is a courtesy and no promise: a ring may be lost, and may come without reason. Nothing here ever raises.
    """

    def ring(self) -> None:
        """Wake everybody who listens to this store. Returns soon, also when the server does not answer."""
        ...

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard` after every ring, from a thread of its own, until the function that is returned is called.

        It goes on after a lost connection by itself, and calls `heard` then, since a ring may have been missed.
        """
        ...


@runtime_checkable
class Advised(Protocol):
    """What a kernel has whose server can be set up so that the contract does not hold."""

    def advice(self) -> tuple[str, ...]:
        """Look at the server, and return each thing that should be set up otherwise: what it means, and what to do.

        Raises:
            StoreUnavailable: it does not answer.
        """
        ...


class Damaged(NamedTuple):
    """A row that is there and cannot be decoded: where it is, and what is wrong with it."""

    pk: str
    sk: str
    trouble: str


class Walk(NamedTuple):
    """Some of all rows, and where to go on: `cursor` is None when nothing is left. It may be empty and not the last."""

    found: tuple[Record | Damaged, ...]
    cursor: str | None


@runtime_checkable
class Walkable(Protocol):
    """What a kernel has whose store can be moved as a whole. Nothing that decides may use it: `interlock store` does."""

    def walk(self, after: str | None, limit: int) -> Walk:
        """Return about `limit` rows behind a cursor; from the beginning when it is None.

        One partition after another, in an order that is always the same for the same store, and the rows of each by name. A
        row that is there from the first step to the last is told exactly once; one that comes or goes meanwhile may be. A
        row that cannot be decoded is told as `Damaged`, and hides no other.

        Raises:
            ValueError: the cursor is none of this store's.
            StoreUnavailable: it does not answer.
        """
        ...

    def restore(self, records: Sequence[Record]) -> None:
        """Write rows as they are, versions included, wherever there is none; one that is there stays as it is.

        For a store that nobody else uses. The rows may be of any partitions and any number; it is not atomic, but durable
        when it returns. Doing it again completes what was broken off.

        Raises:
            ValueError: a record is none that could be put; nothing was written.
            StoreUnavailable: some of them may have been written.
        """
        ...


@runtime_checkable
class Migratable(Protocol):
    """What a kernel has whose store is brought up to date in two steps: the second when no older version works on it."""

    def pending(self) -> tuple[str, ...]:
        """Return the names of what is left to do.

        Raises:
            StoreUnavailable: it does not answer.
        """
        ...

    def migrate(self) -> tuple[str, ...]:
        """Do what is left to do, and return the names of what was done here and now.

        Raises:
            StoreUnavailable: some of it may have been done; doing it again does the rest.
        """
        ...


@contextmanager
def as_ping() -> Iterator[None]:
    """Let every error of a store be the one that `ping` raises.

    Raises:
        StoreUnavailable: there was one.
    """
    try:
        yield
    except StoreUnavailable:
        raise
    except StoreError as exc:
        raise StoreUnavailable(str(exc)) from exc


def check_batch(pk: str, batch: Sequence[Change]) -> None:
    """Refuse a batch that breaks the contract's form, before any store sees it.

    Raises:
        ValueError: see `Kernel.commit`.
    """
    if not 0 < len(batch) <= MAX_BATCH:
        raise ValueError(f"a batch has 1 to {MAX_BATCH} changes, not {len(batch)}")
    seen: set[str] = set()
    for change in batch:
        if isinstance(change, Put):
            if change.record.pk != pk:
                raise ValueError(f"a batch for {pk!r} holds a record of {change.record.pk!r}")
            if change.record.version < 1:
                raise ValueError("a record is put at version 1 or later")
        name = change.record.sk if isinstance(change, Put) else change.sk
        _check_keys(change.record if isinstance(change, Put) else None, pk, name)
        if name in seen:
            raise ValueError(f"a batch names the row {name!r} twice")
        seen.add(name)
        if "\0" in pk or "\0" in name:
            raise ValueError("a key holds NUL")


def _check_keys(record: Record | None, pk: str, sk: str) -> None:
    rank, kind = ("", "") if record is None else (record.rank, record.kind or "")
    # In nearly all of them every character is one byte, and four bytes are the most that any of them can be.
    if 4 * (len(rank) + len(pk) + len(sk)) <= MAX_KEY and 4 * len(kind) <= MAX_KEY:
        return
    for what, text in (("a partition", pk), ("a row", sk), ("a rank", rank), ("a kind", kind)):
        if _length(text) > MAX_KEY:
            raise ValueError(f"the name of {what} has {_length(text)} bytes, and can have {MAX_KEY}: {text[:60]!r}…")
    if _length(rank + pk + sk) > MAX_PLACE:
        raise ValueError(
            f"rank, partition and name of a row have {_length(rank + pk + sk)} bytes together, and can have {MAX_PLACE}: "
            f"{pk[:60]!r}…"
        )


def _length(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
