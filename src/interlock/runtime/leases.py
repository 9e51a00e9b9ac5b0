"""Who of several watchers does what: a lease each in the store, and a share of the work by rendezvous hashing.

Nothing's safety rests on it: two that hold the same thing for theirs do it once, by compare-and-swap and claims. It is there
so that they need not get in each other's way, and so that the work of one that has died is taken over.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from interlock.errors import UnreadableRecord
from interlock.ports.members import Member, Members

WATCHER: Final = "watcher"
LENGTH: Final = timedelta(seconds=10)
LOOK: Final = timedelta(seconds=1)
"""How often the others are looked at."""

_NUMBERS: Final = count(1)


class Process(NamedTuple):
    """One process of one machine. `started` tells it from another that gets the same number later; empty where unknown."""

    host: str
    pid: int
    started: str


def this_process() -> Process:
    """Return the process that asks."""
    return Process(socket.gethostname(), os.getpid(), started_at(os.getpid()))


def started_at(pid: int) -> str:
    """Return when a process of this machine was started, as the kernel counts; empty when that cannot be known."""
    with contextlib.suppress(OSError, IndexError, UnicodeDecodeError):
        # The name, in brackets, may hold anything; what follows the last bracket is numbers.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    return ""


def is_gone(member: Member, host: str) -> bool:
    """Say whether it is certain that a member's process no longer exists. Of other machines nothing is ever certain."""
    if member.host != host:
        return False
    try:
        os.kill(member.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    now = started_at(member.pid)
    return bool(now and member.started and now != member.started)


class Lease:
    """One watcher's place among all of a store. Used by one thread."""

    def __init__(
        self,
        members: Members,
        *,
        role: str = WATCHER,
        process: Process | None = None,
        gone: Callable[[Member, str], bool] = is_gone,
        name: str = "",
    ) -> None:
        self._members = members
        self._process = process or this_process()
        self._gone = gone
        self._role = role
        self._name = name or f"{self._process.host}-{self._process.pid}-{self._process.started}-{next(_NUMBERS)}"
        self._own: Member | None = None
        self._looked_at: datetime | None = None
        self._living: tuple[str, ...] = ()
        self.living: tuple[Member, ...] = ()

    @property
    def name(self) -> str:
        """What this member is called."""
        return self._name

    def hold(self, now: datetime, progress_at: datetime | None = None) -> bool:
        """Join, or renew what is a third over; look after the others now and then. False: nothing may be done now.

        One that was held up for longer than its lease does nothing before it has renewed it.
        """
        own = self._own
        overdue = own is None or now >= own.until - LENGTH * 2 / 3 or own.until > now + LENGTH
        if overdue and not self._renew(now, progress_at):
            return False
        if self._looked_at is None or overdue or abs(now - self._looked_at) >= LOOK:
            self._look(now)
        return True

    def _renew(self, now: datetime, progress_at: datetime | None) -> bool:
        own = self._own
        if own is not None:
            renewed = replace(own, until=now + LENGTH, progress_at=progress_at, epoch=own.epoch + 1)
            if self._members.put_member(renewed):
                self._own = renewed
                return True
        # Somebody took it for dead meanwhile, or a renewal went through whose answer was lost.
        mine = next((each for each in self._all() if each.name == self._name), None)
        self._own = mine
        fresh = mine or Member(
            role=self._role,
            name=self._name,
            host=self._process.host,
            pid=self._process.pid,
            started=self._process.started,
            joined_at=now,
            until=now,
            epoch=0,
        )
        joined = replace(fresh, until=now + LENGTH, progress_at=progress_at, epoch=fresh.epoch + 1)
        if not self._members.put_member(joined):
            return False
        self._own = joined
        return True

    def _look(self, now: datetime) -> None:
        living: list[Member] = []
        for member in self._all():
            over = now >= member.until or self._gone(member, self._process.host)
            if member.name == self._name or not over:
                living.append(member)
            else:
                self._members.drop_member(member)  # False: it has renewed, or somebody else removed it
        self._looked_at = now
        self.living = tuple(living)
        self._living = tuple(member.name for member in living)

    def _all(self) -> tuple[Member, ...]:
        try:
            return self._members.members(self._role)
        except UnreadableRecord:
            return ()  # nobody can say who is there: doing all of it is safe, and doing nothing is not

    def mine(self, subject: str) -> bool:
        """Say whether something is this member's to do: the same answer for all who see the same members."""
        if len(self._living) <= 1:
            return True
        return max(self._living, key=lambda name: (_weight(subject, name), name)) == self._name

    def is_first(self) -> bool:
        """Say whether this member does what one alone should do for all."""
        return not self._living or min(self._living) == self._name

    def leave(self) -> None:
        """Hand the share over at once."""
        if self._own is not None:
            self._members.drop_member(self._own)
            self._own = None


def _weight(subject: str, name: str) -> bytes:
    return blake2b(f"{subject}|{name}".encode(), digest_size=8).digest()
