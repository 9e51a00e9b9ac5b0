"""A decision: the run as it shall be, and what is wished of the world."""

from __future__ import annotations

from msgspec import Struct

from interlock.core.commands import Command
from interlock.core.runs import Run


class Decision(Struct, frozen=True, kw_only=True):
    """What `decide` returns. Nothing in it has happened until it is committed."""

    run: Run
    commands: tuple[Command, ...] = ()


def stay(run: Run) -> Decision:
    """Change nothing and wish nothing: the answer to facts that are stale, repeated or none of the run's business."""
    return Decision(run=run)
