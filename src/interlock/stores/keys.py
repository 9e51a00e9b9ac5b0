"""Where each thing lives: the names of partitions, rows and listings.

A slot is a partition, so everything about its runs changes atomically. Names cannot hold `/` or `#`, so no two things share
a name. Numbers are padded, so that text order is number order.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from interlock.core.ids import CommandId, RunKey, Slot

SPEC_SK: Final = "SPEC"
RUN_PREFIX: Final = "RUN#"


def slot_pk(slot: Slot) -> str:
    """Return the partition of a slot."""
    return f"slot/{slot}"


def run_sk(number: int) -> str:
    """Return the row of a run in its slot."""
    return f"{RUN_PREFIX}{number:06d}"


def journal_prefix(key: RunKey) -> str:
    """Return the beginning of every journal row of a run."""
    return f"JOURNAL#{key.number:06d}#"


def journal_sk(key: RunKey, version: int) -> str:
    """Return the row of one journal line."""
    return f"{journal_prefix(key)}{version:08d}"


def outbox_prefix(key: RunKey) -> str:
    """Return the beginning of every outbox row of a run."""
    return f"OUT#{key.number:06d}#"


def outbox_sk(key: RunKey, command: CommandId) -> str:
    """Return the row of one wish: command ids end in `/version/index`."""
    _, version, index = command.rsplit("/", 2)
    return f"{outbox_prefix(key)}{int(version):08d}#{int(index):04d}"


def claim_sk(key: RunKey, attempt: int) -> str:
    """Return the row of the claim on an attempt."""
    return f"CLAIM#{key.number:06d}#{attempt:06d}"


def spec_pk(digest: str) -> str:
    """Return the partition of a spec."""
    return f"spec/{digest}"


def pipeline_pk(pipeline: str) -> str:
    """Return the partition of what belongs to a pipeline and to no run."""
    return f"pipeline/{pipeline}"


def evaluation_sk(slot: Slot) -> str:
    """Return the row of a slot's last evaluation."""
    return f"EVALUATION#{slot.schedule}#{slot.period}"


def push_prefix(trait: str) -> str:
    """Return the beginning of every pushed result of a trait."""
    return f"PUSH#{trait}#"


def push_sk(trait: str, schedule: str, period: str) -> str:
    """Return the row of a pushed result; `*` stands for every schedule or period."""
    return f"{push_prefix(trait)}{schedule or '*'}#{period or '*'}"


def note_sk(at: datetime, name: str) -> str:
    """Return the row of a timeline line that belongs to no run."""
    return f"NOTE#{moment(at)}#{name}"


def runs_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's runs."""
    return f"runs/{pipeline}"


def timeline_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's timeline."""
    return f"timeline/{pipeline}"


def evaluations_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's evaluations."""
    return f"evaluations/{pipeline}"


def moment(at: datetime) -> str:
    """Write an instant so that text order is time order."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
