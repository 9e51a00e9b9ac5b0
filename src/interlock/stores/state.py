"""How a store itself stands: open, or closed to all who work because it is being filled, emptied into another, or left.

And in which format its records are. Fields that are added and may be missing do not change the format: older versions read
past them. What an older version would lose by writing a record again, or could not read, does: whoever writes it first puts
the new format into the store, and every older version refuses to work on it from then on. A store that says nothing is of
format 1.
"""

from __future__ import annotations

import enum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from interlock.codec import wire
from interlock.errors import Contention, StoreError, StoreTooNew
from interlock.stores import keys
from interlock.stores.kernel import Delete, Kernel, Page, Put, Record
from interlock.stores.repository import decoded

FORMAT: Final = 1
"""The format of records that this version reads and writes."""


class Standing(enum.StrEnum):
    """Why a store is closed."""

    IMPORTING = "importing"
    MOVING = "moving"
    MOVED = "moved"


class StoreState(Struct, frozen=True, kw_only=True):
    """Why a store is closed, since when, and what `other` it is filled from or moved to.

    `digest` is that of the contents: of what is imported, or of what was moved. `version` counts the changes.
    """

    standing: Standing
    other: str
    since: str
    digest: str = ""
    version: int = 1


class _Format(Struct, frozen=True, kw_only=True):
    format: int


_ADVICE: Final = {
    Standing.IMPORTING: "an import from {other} into it began at {since} and has not ended, so a part of it is missing. "
    "Run the same `interlock store import` or `interlock store migrate` again: it goes on where it was broken off",
    Standing.MOVING: "it is being moved to {other} since {since}. Wait until that has ended; if it was broken off, run "
    "`interlock store migrate --to` again, or give it up with `interlock store migrate --abandon`",
    Standing.MOVED: "it was moved to {other} at {since}, and what has happened since is there. Put the new provider into "
    "the project file; how to go back is told in the guide on moving to another store",
}


def state_of(kernel: Kernel) -> StoreState | None:
    """Return why a store is closed; None when it is open."""
    record = kernel.get(keys.STORE_PK, keys.STATE_SK)
    return None if record is None else decoded(record, StoreState)


def refuse_closed(kernel: Kernel) -> None:
    """Refuse to work on a store, or to believe what is in it, while it is closed, or holds records of a later format.

    Raises:
        StoreError: it is closed; the message says what to do.
        StoreTooNew: a later version of Interlock has written into it.
    """
    for record in kernel.rows(keys.STORE_PK, "", Page()):
        if record.sk == keys.FORMAT_SK and (found := decoded(record, _Format).format) > FORMAT:
            raise StoreTooNew(
                f"this store holds records of format {found}, and this version of Interlock knows format {FORMAT}: going on "
                "would lose what it cannot read. Nothing was written. Use the version that wrote it, or a later one"
            )
        if record.sk == keys.STATE_SK:
            raise StoreError(closed(decoded(record, StoreState)))


def closed(state: StoreState) -> str:
    """Say why a store cannot be used, and what to do."""
    words = _ADVICE[state.standing].format(other=state.other, since=state.since)
    return f"this store cannot be used: {words}"


def put_state(kernel: Kernel, state: StoreState, before: StoreState | None = None) -> StoreState:
    """Close a store, or change why it is closed; return what is kept now.

    Raises:
        Contention: somebody else did so at the same time.
    """
    after = replace(state, version=1 if before is None else before.version + 1)
    body = wire.to_builtins(after)
    row = Record(pk=keys.STORE_PK, sk=keys.STATE_SK, version=after.version, body=body)
    if not kernel.commit(keys.STORE_PK, [Put(row)]):
        raise _lost()
    return after


def reopen(kernel: Kernel, before: StoreState) -> None:
    """Open a store again.

    Raises:
        Contention: somebody else has changed why it is closed.
    """
    if not kernel.commit(keys.STORE_PK, [Delete(keys.STATE_SK, before.version)]):
        raise _lost()


def require_still(kernel: Kernel, state: StoreState) -> None:
    """Refuse to go on when a store is not closed any more as it was.

    Raises:
        Contention: somebody else has opened it since, or closed it anew.
    """
    if state_of(kernel) != state:
        raise _lost()


def _lost() -> Contention:
    return Contention(
        "the store is being imported into or moved by somebody else at the same time. Nothing more was written: see that "
        "only one does, and run it again"
    )
