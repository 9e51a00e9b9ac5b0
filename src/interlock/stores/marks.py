"""What waits for being archived: a mark in the commit that writes a fact, so that no fact is without one.

A mark is a row beside the fact, in the listing `archive`, and names the rows that were written. Whoever has copied them
removes it. The order of marks means nothing: each is there until it is removed, so no clock and no late commit can make
a fact slip through behind a cursor.

What an alert was is overwritten by what becomes of it, and is in no other row; so its mark holds it as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from interlock.errors import UnreadableRecord
from interlock.stores import keys
from interlock.stores.kernel import MAX_BATCH, Body, Change, Delete, Kernel, Page, Put, Record
from interlock.stores.passing import PassingKernel

FACTS: Final = (
    keys.RUN_PREFIX,
    keys.JOURNAL_PREFIX,
    keys.NOTE_PREFIX,
    keys.EXPECTED_NOTE_PREFIX,
    keys.DISPATCH_SK,
)
"""How the names of rows begin that hold facts."""


class MarkingKernel(PassingKernel):
    """Another kernel, that marks in every commit which facts it writes. A batch may have one change less.

    `now` tells the time: a mark says since when it has been there.
    """

    def __init__(self, real: Kernel, now: Callable[[], datetime]) -> None:
        super().__init__(real)
        self._now = now

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Do all the changes, or none, and mark the facts among them.

        Raises:
            ValueError: as every kernel; also when there is no room for the mark.
        """
        facts = [change.record for change in batch if isinstance(change, Put) and is_fact(change.record)]
        if not facts:
            return self.real.commit(pk, batch)
        if len(batch) >= MAX_BATCH:
            raise ValueError(f"a batch with facts has at most {MAX_BATCH - 1} changes: one is the mark for the archive")
        return self.real.commit(pk, [*batch, Put(_mark(pk, facts, self._now()))])


class Mark(Struct, frozen=True, kw_only=True):
    """Facts of one commit that nobody has archived: the rows `names` of the partition `pk`, since `at`.

    `copies` are those of them that the next commit overwrites, as they were; `version` is the mark's own.
    """

    pk: str
    sk: str
    version: int
    at: datetime
    names: tuple[str, ...]
    copies: Mapping[str, Body]


def is_fact(record: Record) -> bool:
    """Say whether a row holds a fact. Lifecycle events on their way are none: they repeat what a journal says."""
    return record.sk.startswith(FACTS) and (record.sk != keys.DISPATCH_SK or record.kind == keys.ALERTS_KIND)


def mark_of(record: Record) -> Mark:
    """Read a mark.

    Raises:
        UnreadableRecord: it was damaged.
    """
    names, copies, at = record.body.get("names"), record.body.get("copies", {}), _since(record.rank)
    sound = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not (sound and isinstance(copies, dict) and all(isinstance(copy, dict) for copy in copies.values()) and at):
        raise UnreadableRecord(
            f"the row {record.sk!r} of {record.pk!r} cannot be read: it does not say what is to be archived. "
            "It was damaged, or written by a later Interlock"
        )
    return Mark(pk=record.pk, sk=record.sk, version=record.version, at=at, names=tuple(names or ()), copies=copies)


def archive_position(kernel: Kernel) -> datetime | None:
    """Return since when the oldest mark has been there: what came before is archived. None when nothing waits.

    Raises:
        StoreError: it cannot be known.
    """
    oldest = [_oldest(kernel, kind) for kind in (keys.ARCHIVE_KIND, keys.ARCHIVE_LEFT_KIND)]
    return min((at for at in oldest if at is not None), default=None)


def waiting_since(kernel: Kernel) -> datetime | None:
    """Return since when the oldest mark has waited that was not set aside; None when there is none.

    Raises:
        StoreError: it cannot be known.
    """
    return _oldest(kernel, keys.ARCHIVE_KIND)


def everything_archived(kernel: Kernel) -> bool:
    """Say whether what was written before there were marks is archived too: an archiver says so once it is.

    Raises:
        StoreError: it cannot be known.
    """
    return kernel.get(keys.ARCHIVE_PK, keys.WHOLE_SK) is not None


def say_everything(kernel: Kernel, *, archived: bool) -> None:
    """Keep whether everything is archived, for those who remove history.

    Raises:
        StoreUnavailable: it may or may not have happened, and can be done again.
    """
    pk, sk = keys.ARCHIVE_PK, keys.WHOLE_SK
    if archived != everything_archived(kernel):
        kernel.commit(pk, [Put(Record(pk=pk, sk=sk, version=1, body={})) if archived else Delete(sk)])


def strike(kernel: Kernel, pk: str, names: Sequence[str]) -> None:
    """Remove marks of one partition. Those that are gone already are no matter.

    Raises:
        StoreUnavailable: some may be left; what they name is copied once more, which changes nothing.
    """
    for start in range(0, len(names), MAX_BATCH):
        kernel.commit(pk, [Delete(sk) for sk in names[start : start + MAX_BATCH]])


def set_aside(kernel: Kernel, mark: Mark) -> None:
    """Put a mark out of the way of the others: what it names cannot be archived as it stands. It is a mark all the same.

    Raises:
        StoreUnavailable: it may or may not have happened; nothing is lost either way.
    """
    record = kernel.get(mark.pk, mark.sk)
    if record is not None and record.kind == keys.ARCHIVE_KIND:
        aside = replace(record, version=record.version + 1, kind=keys.ARCHIVE_LEFT_KIND)
        kernel.commit(mark.pk, [Put(aside)])  # False: somebody else has struck it, or set it aside


def _mark(pk: str, facts: Sequence[Record], now: datetime) -> Record:
    # A fact's name and version are written at most once while its mark is there, so no two commits make the same mark.
    first = facts[0]
    body: dict[str, object] = {"names": [record.sk for record in facts]}
    copies = {record.sk: dict(record.body) for record in facts if record.sk == keys.DISPATCH_SK}
    if copies:
        body["copies"] = copies
    return Record(
        pk=pk,
        sk=keys.mark_sk(first.sk, first.version),
        version=1,
        body=body,
        kind=keys.ARCHIVE_KIND,
        rank=keys.moment(now),
    )


def _oldest(kernel: Kernel, kind: str) -> datetime | None:
    try:
        found = kernel.listing(kind, Page(limit=1))
    except UnreadableRecord as exc:
        if not exc.cursor:
            raise
        return _since(exc.cursor.partition("\0")[0]) or datetime.min.replace(tzinfo=UTC)
    if not found:
        return None
    return _since(found[0].rank) or datetime.min.replace(tzinfo=UTC)


def _since(rank: str) -> datetime | None:
    try:
        return keys.instant_of(rank)
    except ValueError:
        return None


if TYPE_CHECKING:

    def _is_a_kernel(it: MarkingKernel) -> Kernel:
        return it
