"""The listings of what was run again."""

from __future__ import annotations

from interlock.core.ids import RunKey, parse_run_id
from interlock.core.runs import AGAIN, Cause
from interlock.ports.stores import Commit
from interlock.stores import keys
from interlock.stores.kernel import Change, Put, Record


def listed_again(change: Commit) -> list[Change]:
    """List a run that is opened, if it runs something again: nobody could find it among all the others."""
    after = change.after
    if change.before is not None or after.cause not in AGAIN:
        return []
    pipeline, number = after.key.slot.pipeline, after.key.number
    listings = {"of": keys.reruns_kind(pipeline), "all": keys.reruns_kind(None)} if number > 1 else {}
    if after.cause is Cause.REPLAY:
        listings["replay"] = keys.replays_kind(pipeline)
    pk, rank = keys.slot_pk(after.key.slot), keys.moment(after.opened_at)
    return [
        Put(Record(pk=pk, sk=keys.again_sk(number, name), version=1, body={}, kind=kind, rank=rank))
        for name, kind in listings.items()
    ]


def again_key(pk: str, sk: str) -> RunKey:
    """Return the run that a row of what was run again lists.

    Raises:
        ValueError: it is no such row.
    """
    number = sk.removeprefix(keys.AGAIN_PREFIX).partition("#")[0]
    return parse_run_id(f"{pk.removeprefix('slot/')}:{int(number)}")
