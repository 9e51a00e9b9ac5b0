"""Taking a whole store along: out into an export, in from one, and from one provider to another.

Nothing is ever believed half: what was written is counted and digested again before anybody may work on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import BinaryIO, Final, NamedTuple, Self

from interlock.app.watch_views import WATCHDOG, WATCHER
from interlock.errors import Conflict, Contention, InterlockError, Invalid, StoreError, UnreadableRecord
from interlock.ports.members import Member
from interlock.runtime.leases import is_gone
from interlock.stores.export import Digest, Header, Reading, Trailer, lasts, line_of, unreadable_row, written
from interlock.stores.kernel import Damaged, Kernel, Record, Walkable
from interlock.stores.members import MemberRows
from interlock.stores.state import Standing, StoreState, closed, put_state, reopen, require_still, state_of
from interlock.stores.walking import all_rows, walkable

BATCH: Final = 500

_EMPTY_IT: Final = (
    "Empty it first: remove the SQLite file with its -wal and -shm, drop the PostgreSQL schema, or name another file, "
    "schema, keyPrefix or tableName"
)


class Terms(NamedTuple):
    """What an import goes by. `origin` is the project that an export may be of; `missing` lets rows be missing."""

    project: str
    origin: str
    missing: bool
    at: datetime


class Plan(NamedTuple):
    """Which provider is moved to which, and when. `settle` waits until whoever works has seen that the store is closed."""

    source: str
    target: str
    at: datetime
    settle: Callable[[], object]


def at_work(kernel: Kernel, now: datetime, host: str) -> tuple[Member, ...]:
    """Return who works on a store: watchers anywhere, and watchdogs of this machine, whose processes are surely there."""
    members = MemberRows(kernel)
    there = [each for role in (WATCHER, WATCHDOG) for each in members.members(role) if now < each.until]
    return tuple(each for each in there if not is_gone(each, host) and (each.role == WATCHER or each.host == host))


def refuse_at_work(kernel: Kernel, now: datetime, host: str, doing: str) -> None:
    """Refuse what needs a store to stand still while somebody works on it.

    Raises:
        Conflict: somebody does.
    """
    there = at_work(kernel, now, host)
    if there:
        named = ", ".join(f"the {each.role} {each.name}" for each in there)
        raise Conflict(
            f"{doing}: somebody is at work on the store ({named}). Stop every `interlock watch`, `watchdog` and `serve`, on "
            "every machine, and try again; one that was killed elsewhere counts as gone after ten seconds"
        )


# ---------------------------------------------------------------------- out


def export_to(kernel: Kernel, sink: BinaryIO, header: Header, at: datetime, *, skip_unreadable: bool) -> Trailer:
    """Write every row that has not expired, and look again whether the store stood still, unless the header calls it live.

    Raises:
        UnreadableRecord: a row cannot be decoded, and none may be left out.
        Contention: something was written meanwhile.
    """
    rows = walkable(kernel)
    sink.write(written(header))
    lines, damaged = Digest(), list[Damaged]()
    for row in all_rows(rows):
        if isinstance(row, Damaged):
            _refuse_damaged(row, skip=skip_unreadable)
            damaged.append(row)
            continue
        if not lasts(row, at):
            continue
        line = line_of(row)
        lines.add(line)
        sink.write(line + b"\n")
    if not header.live and contents(rows, at, skip=skip_unreadable) != lines:
        raise Contention(
            "the store changed while it was exported, so the export fits together nowhere and has no end. Let nothing work "
            "on the store meanwhile, and export again"
        )
    trailer = Trailer(count=lines.count, digest=str(lines), unreadable=tuple(map(unreadable_row, damaged)))
    sink.write(written(trailer))
    return trailer


def contents(kernel: Walkable, at: datetime, *, skip: bool = False) -> Digest:
    """Return the digest of every row that has not expired at an instant.

    Raises:
        UnreadableRecord: one cannot be decoded, and none may be left out.
    """
    found = Digest()
    for row in all_rows(kernel):
        if isinstance(row, Damaged):
            _refuse_damaged(row, skip=skip)
        elif lasts(row, at):
            found.add(line_of(row))
    return found


def _refuse_damaged(row: Damaged, *, skip: bool) -> None:
    if not skip:
        raise UnreadableRecord(f"{row.trouble}. All of them: interlock store check")


# ---------------------------------------------------------------------- in


def import_from(kernel: Kernel, source: BinaryIO, name: str, terms: Terms) -> Digest:
    """Verify an export, fill an empty store with it, and verify that. One that was broken off is gone on with.

    Raises:
        Invalid: it is no whole export, or not one for this; nothing was written.
        Conflict: the store is not empty; nothing was written.
        StoreError: what is in the store afterwards is not what the export says; the store stays closed.
    """
    rows = walkable(kernel)
    whole = _verified(source, name, terms)
    state = _begun(kernel, StoreState(
        standing=Standing.IMPORTING, other=name, since=_told(terms.at), digest=_digest(whole)
    ))  # fmt: skip
    source.seek(0)
    _restore(rows, Reading(source, name, terms.at).records())
    _require_same(contents(rows, terms.at), whole.contents)
    reopen(kernel, state)
    return whole.contents


def _verified(source: BinaryIO, name: str, terms: Terms) -> Reading:
    reading = Reading(source, name, terms.at)
    header = reading.header
    if header.live:
        raise Invalid(
            f"{name} was exported while somebody was at work, so its rows need not fit together: it is good to look at, and "
            "is not imported. Stop what works on the store, and export again"
        )
    if header.project not in (terms.project, terms.origin):
        raise Invalid(
            f"{name} is an export of the project {header.project!r}, and this is {terms.project!r}. Nothing was written. If "
            f"that is meant: --from-project {header.project!r}"
        )
    with _Places() as places:
        for _ in reading.records(places.is_new):
            pass
    if reading.trailer is not None and reading.trailer.unreadable and not terms.missing:
        lost = reading.trailer.unreadable
        raise Invalid(
            f"{len(lost)} rows are missing in {name}, which could not be read when it was exported, the first of them "
            f"{lost[0].sk!r} of {lost[0].pk!r}. A fact that is forgotten can start a job twice. If that is known not to "
            "matter: --accept-missing"
        )
    return reading


def _digest(whole: Reading) -> str:
    return "" if whole.trailer is None else whole.trailer.digest


class _Places:
    """Which places were there before: in a file of its own where memory does not suffice. Use it in a `with` statement."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")
        self._db.execute("CREATE TABLE places (pk TEXT, sk TEXT, PRIMARY KEY (pk, sk)) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def is_new(self, record: Record) -> bool:
        try:
            done = self._db.execute("INSERT OR IGNORE INTO places VALUES (?, ?)", (record.pk, record.sk))
        except sqlite3.Error as exc:
            raise StoreError(
                f"there is no room to verify the export: {exc}. Nothing was written. Free some space where temporary files "
                "are kept, or set TMPDIR"
            ) from exc
        return done.rowcount == 1


def _begun(kernel: Kernel, wanted: StoreState) -> StoreState:
    """Close an empty store in order to fill it, or take up what was broken off."""
    state = state_of(kernel)
    if state is None:
        if next(all_rows(walkable(kernel)), None) is not None:
            raise Conflict(f"the store is not empty, and what is there is never written over. {_EMPTY_IT}")
        return put_state(kernel, wanted)
    if state.standing is not Standing.IMPORTING:
        raise Conflict(closed(state))
    # Of an export the contents count, by whatever name it is read; of a move, where it comes from.
    if state.digest != wanted.digest or not (wanted.digest or state.other == wanted.other):
        raise Conflict(
            f"an import from {state.other} into this store began at {state.since} and has not ended, and this is another. "
            f"End that one, or begin anew. {_EMPTY_IT}"
        )
    return state


def _restore(kernel: Walkable, records: Iterable[Record]) -> None:
    for batch in _batches(records):
        kernel.restore(batch)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    left = iter(records)
    while batch := list(islice(left, BATCH)):
        yield batch


def _require_same(found: Digest, wanted: Digest) -> None:
    if found != wanted:
        raise StoreError(
            f"the store holds {found.count} rows ({found}), and should hold {wanted.count} ({wanted}): it has rows of other "
            f"things, or keeps them otherwise. It stays closed. {_EMPTY_IT}, and try again"
        )


# ---------------------------------------------------------------------- from one to another


def move(source: Kernel, target: Kernel, plan: Plan) -> Digest:
    """Copy a store into an empty one of another provider, verify it, and leave the first closed for good.

    At no instant may anybody work on both. Broken off, it is gone on with by doing it again; what fails leaves the source
    open and as it was.

    Raises:
        Conflict: the target is not empty, or the source was moved before.
        Contention: something was written to the source meanwhile.
        StoreError: it cannot be done; the message says what to do.
    """
    before = state_of(source)
    if before is not None and before.standing is Standing.MOVED:
        return _ended(target, before, plan)
    if before is not None and (before.standing, before.other) != (Standing.MOVING, plan.target):
        raise Conflict(closed(before))
    filling = StoreState(standing=Standing.IMPORTING, other=f"the provider {plan.source}", since=_told(plan.at))
    into = _begun(target, filling)
    leaving = before
    try:
        if leaving is None:
            leaving = put_state(source, StoreState(standing=Standing.MOVING, other=plan.target, since=_told(plan.at)))
        plan.settle()
        moved = _copied(walkable(source), walkable(target), plan.at)
    except BaseException:
        if leaving is not None:
            with suppress(InterlockError):
                reopen(source, leaving)
        raise
    # Versions begin again at 1: by its number alone, somebody's later closing could be taken for ours.
    require_still(source, leaving)
    put_state(
        source,
        StoreState(standing=Standing.MOVED, other=plan.target, since=_told(plan.at), digest=str(moved)),
        leaving,
    )
    reopen(target, into)
    return moved


def abandon(kernel: Kernel) -> StoreState:
    """Open a store again whose move was broken off.

    Raises:
        Conflict: no move was broken off.
    """
    state = state_of(kernel)
    if state is None:
        raise Conflict("no move of this store was begun: there is nothing to abandon")
    if state.standing is not Standing.MOVING:
        raise Conflict(f"{closed(state)}. Only a move that has not ended can be abandoned")
    reopen(kernel, state)
    return state


def _copied(source: Walkable, target: Walkable, at: datetime) -> Digest:
    lines = Digest()
    _restore(target, _counted(source, lines, at))
    if contents(source, at) != lines:
        raise Contention(
            "the store changed while it was moved, so somebody works on it who does not see that it is closed. Nothing was "
            f"moved, and work goes on where it was. Find who it is and stop it. Of the target: {_EMPTY_IT}, and try again"
        )
    _require_same(contents(target, at), lines)
    return lines


def _counted(source: Walkable, lines: Digest, at: datetime) -> Iterator[Record]:
    for row in all_rows(source):
        if isinstance(row, Damaged):
            raise UnreadableRecord(
                f"{row.trouble}. A store that cannot be read is not moved. All of it: interlock store check"
            )
        if lasts(row, at):
            lines.add(line_of(row))
            yield row


def _ended(target: Kernel, left: StoreState, plan: Plan) -> Digest:
    """End a move that was broken off between its last two steps: the source is left, and the target not open yet."""
    there = state_of(target)
    if left.other != plan.target or there is None or there.standing is not Standing.IMPORTING:
        raise Conflict(closed(left))
    found = contents(walkable(target), datetime.fromisoformat(left.since))
    if str(found) != left.digest:
        raise StoreError(
            f"the target holds {found.count} rows ({found}), and {left.digest} was moved: somebody has changed it. It stays "
            "closed. Restore both from copies"
        )
    reopen(target, there)
    return found


def _told(at: datetime) -> str:
    return at.isoformat()
