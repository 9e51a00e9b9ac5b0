"""The listings of the runs that have not ended, and of those that have."""

from __future__ import annotations

from interlock.ports.stores import Commit
from interlock.stores import keys
from interlock.stores.kernel import Change, Delete, Put, Record


def listed_activity(change: Commit) -> list[Change]:
    """Put a run that is opened among the active ones, and among the ended ones in the commit in which it ends."""
    after, before = change.after, change.before
    if before is not None and after.ended == before.ended:
        return []
    pk, active, ended = keys.slot_pk(after.key.slot), keys.active_sk(after.key.number), keys.ended_sk(after.key.number)
    kind, rank = (keys.ENDED_KIND, after.updated_at) if after.ended else (keys.ACTIVE_KIND, after.opened_at)
    sk, other = (ended, active) if after.ended else (active, ended)
    pointer = Put(Record(pk=pk, sk=sk, version=1, body={}, kind=kind, rank=keys.moment(rank)))
    # The other at any version, or absent: runs of older versions were never put there.
    return [pointer] if before is None else [pointer, Delete(other)]
