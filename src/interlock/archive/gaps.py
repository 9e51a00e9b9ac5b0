"""What is missing in the archive: which row of the live store it was, and why it could not be copied."""

from __future__ import annotations

import enum
from typing import NamedTuple

from interlock.core.ids import RunKey, parse_run_id
from interlock.stores import keys


class GapReason(enum.StrEnum):
    """Why something could not be copied."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


class Gap(NamedTuple):
    """One row of the live store that is not in the archive. `run_id` is empty, and `version` None, where there is none."""

    stream_id: str
    reason: GapReason
    message: str
    pipeline: str = ""
    run_id: str = ""
    version: int | None = None

    @property
    def subject(self) -> str:
        """What people are told it is about: the run, or whatever else the row belongs to."""
        return self.run_id or self.stream_id.partition("|")[0]


def gap_of(pk: str, sk: str, reason: GapReason, message: str) -> Gap:
    """Name a gap after the row that is missing."""
    return Gap(stream_of(pk, sk), reason, message, _pipeline_of(pk), *_run_of(pk, sk))


def journal_gap(key: RunKey, version: int) -> Gap:
    """Return the gap where a run's change is neither in the archive nor in the live store."""
    pk, sk = keys.slot_pk(key.slot), keys.journal_sk(key, version)
    message = f"version {version} of {key} is neither in the archive nor in the live store any more"
    return gap_of(pk, sk, GapReason.MISSING, message)


def stream_of(pk: str, sk: str) -> str:
    """Name a row of the live store in one text."""
    return f"{pk}|{sk}"


def _pipeline_of(pk: str) -> str:
    kind, _, rest = pk.partition("/")
    return rest.partition(":")[0] if kind in ("slot", "pipeline") else ""


def _run_of(pk: str, sk: str) -> tuple[str, int | None]:
    prefix, _, rest = sk.partition("#")
    if not pk.startswith("slot/") or f"{prefix}#" not in (keys.RUN_PREFIX, keys.JOURNAL_PREFIX):
        return "", None
    number, _, version = rest.partition("#")
    try:
        key = parse_run_id(f"{pk.removeprefix('slot/')}:{int(number)}")
        return key.run_id, int(version) if version else None
    except ValueError:
        return "", None
