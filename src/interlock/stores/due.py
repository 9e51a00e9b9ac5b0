"""What a place in the due index is about."""

from __future__ import annotations

import re
from typing import Final

from interlock.core.ids import PipelineName, RunKey, ScheduleName, is_name, parse_run_id
from interlock.ports.stores import DueKind, DueWork
from interlock.stores import keys
from interlock.stores.kernel import Place

_OF_RUN: Final = re.compile(r"(RUN|OUT)#([0-9]+)(?:#[0-9]+#[0-9]+)?")


def work_of(place: Place) -> DueWork:
    """Say what is due at a place. What is none of ours is UNKNOWN, never an error: it must not stop what is beside it."""
    pk, sk, wake_at = place
    family, _, owner = pk.partition("/")
    if family == "slot":
        key = _run_key(owner, sk)
        if key is not None:
            return DueWork(DueKind.RUN if sk == keys.run_sk(key.number) else DueKind.WISH, key, wake_at)
    elif family == "pipeline":
        schedule = sk.removeprefix(keys.AGENDA_PREFIX)
        if sk.startswith(keys.AGENDA_PREFIX) and is_name(owner) and is_name(schedule):
            return DueWork(DueKind.AGENDA, (PipelineName(owner), ScheduleName(schedule)), wake_at)
    elif pk.startswith(keys.DISPATCH_PREFIX) and sk == keys.DISPATCH_SK:
        return DueWork(DueKind.DISPATCH, owner, wake_at)
    return DueWork(DueKind.UNKNOWN, f"{pk}/{sk}", wake_at)


def active_key(pk: str, sk: str) -> RunKey:
    """Return the run that a row of the active ones lists.

    Raises:
        ValueError: it is no such row.
    """
    return parse_run_id(f"{pk.removeprefix('slot/')}:{int(sk.removeprefix(keys.ACTIVE_PREFIX))}")


def _run_key(slot: str, sk: str) -> RunKey | None:
    match = _OF_RUN.fullmatch(sk)
    if match is None:
        return None
    try:
        key = parse_run_id(f"{slot}:{int(match[2])}")
    except ValueError:
        return None
    # Only what we would write ourselves: a name that merely resembles one is somebody else's row.
    return key if sk == keys.run_sk(key.number) or sk.startswith(keys.outbox_prefix(key)) else None
