"""Who is at work on a store, and when each last finished a turn."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct


class Member(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One process at work: a lease. It counts as alive until `until`, unless it renews that first.

    `epoch` counts its renewals (compare-and-swap). `progress_at` is when it last finished a whole turn, which a process
    that is alive and stuck does not move. `host`, `pid` and `started` tell other processes of its machine when it is gone.
    """

    role: str
    name: str
    host: str
    pid: int
    started: str
    joined_at: datetime
    until: datetime
    progress_at: datetime | None = None
    note: str = ""
    epoch: int = 1


class Members(Protocol):
    """Keeps the leases."""

    def members(self, role: str) -> tuple[Member, ...]:
        """Return every member of a role, dead or alive, by name."""
        ...

    def put_member(self, member: Member) -> bool:
        """Join (epoch 1) or renew (epoch n replaces n-1); False when somebody reaped or replaced it."""
        ...

    def drop_member(self, member: Member) -> bool:
        """Remove a member at its epoch; False when it has renewed or is gone."""
        ...
