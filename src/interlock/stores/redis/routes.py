"""Which server keeps a shard: always the same one, or the member of a cluster that has its slot at the moment."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Final, Protocol

from redis import exceptions as said
from redis.crc import key_slot

from interlock.errors import StoreError
from interlock.stores.redis.errors import translated
from interlock.stores.redis.layout import SHARDS, keys_of
from interlock.stores.redis.lines import Lines
from interlock.stores.redis.options import Access, Address

_SLOTS: Final = 16_384


class Routes(Protocol):
    """Where to ask for the rows of a shard."""

    def to(self, shard: int) -> Lines:
        """Return the connections to whoever keeps a shard, as far as is known."""
        ...

    def redirected(self, shard: int, exc: said.AskError, asked: Lines) -> Lines | None:
        """Return where a server sends us on to, or None when we go nowhere else."""
        ...

    def lost(self, lines: Lines) -> None:
        """Learn that a server cannot be reached: another may keep its shards now. Never raises."""
        ...

    def all(self) -> Sequence[Lines]:
        """Return every server that keeps a shard, each once."""
        ...

    def close(self, patience: float) -> None:
        """Close all connections when they are not used any more."""
        ...


def routes_of(access: Access, prefix: str, *, cluster: bool) -> Routes:
    """Return the routes to a store, which for a cluster asks it.

    Raises:
        StoreError: no member of the cluster could be asked.
    """
    return ClusterMembers(access, prefix) if cluster else OneServer(access)


class OneServer:
    """All shards on one server."""

    def __init__(self, access: Access) -> None:
        self._lines = Lines(access, access.address)

    def to(self, shard: int) -> Lines:  # noqa: ARG002  (it keeps them all)
        """Return the connections to the server."""
        return self._lines

    def redirected(self, shard: int, exc: said.AskError, asked: Lines) -> None:  # noqa: ARG002  (we know of no other)
        """Go nowhere else: it is a cluster, and was not said to be one."""
        return

    def lost(self, lines: Lines) -> None:
        """Let go of what may lead to a server that is none any more: behind its name there may be another now."""
        lines.drop()

    def all(self) -> Sequence[Lines]:
        """Return the server."""
        return (self._lines,)

    def close(self, patience: float) -> None:
        """Close all connections."""
        self._lines.close(patience)


class ClusterMembers:
    """Each shard at the member that has its slot.

    A member that is asked for a slot it has not says who has it, which is believed. When one cannot be reached the
    others are asked who has its slots now.
    """

    def __init__(self, access: Access, prefix: str) -> None:
        self._access = access
        self._slots = [key_slot(keys_of(prefix, shard).rows) for shard in range(SHARDS)]
        self._lock = Lock()
        self._asking = Lock()
        self._known: dict[Address, Lines] = {}
        self._homes: list[Lines] = [self._at(access.address)] * SHARDS
        self._learn(self._homes[0])

    def to(self, shard: int) -> Lines:
        """Return the connections to whoever has the slot of a shard."""
        return self._homes[shard]

    def redirected(self, shard: int, exc: said.AskError, asked: Lines) -> Lines:
        """Go where the member says: for this once (ASK), or from now on."""
        # A member that does not know its own name says nothing before the colon: then it is where we asked.
        lines = self._at(Address(exc.host or asked.address.host, exc.port))
        if isinstance(exc, said.MovedError):
            self._homes[shard] = lines
        return lines

    def lost(self, lines: Lines) -> None:
        """Ask the others who has the slots of a member that cannot be reached."""
        lines.drop()
        if not self._asking.acquire(blocking=False):
            return  # somebody is asking already
        try:
            others = [each for each in self._members() if each is not lines]
            any(self._learned(each) for each in (*others, lines))
        finally:
            self._asking.release()

    def all(self) -> Sequence[Lines]:
        """Return the members that have a shard."""
        return tuple(dict.fromkeys(self._homes))

    def close(self, patience: float) -> None:
        """Close all connections."""
        for lines in self._members():
            lines.close(patience)

    def _learn(self, member: Lines) -> None:
        with member.line() as line:
            try:
                ranges: list[list[Any]] = line.ask("CLUSTER", "SLOTS")
            except said.RedisError as exc:
                raise translated(exc, member.label, "open") from exc
        owners = [-1] * _SLOTS
        for number, (first, last, *_) in enumerate(ranges):
            owners[first : last + 1] = [number] * (last + 1 - first)
        for shard, slot in enumerate(self._slots):
            if owners[slot] >= 0:
                host, port = ranges[owners[slot]][2][:2]
                self._homes[shard] = self._at(_address(host, port, member.address))

    def _learned(self, member: Lines) -> bool:
        try:
            self._learn(member)
        except StoreError:
            return False
        return True

    def _members(self) -> Sequence[Lines]:
        with self._lock:
            return tuple(self._known.values())

    def _at(self, address: Address) -> Lines:
        with self._lock:
            if address not in self._known:
                self._known[address] = Lines(self._access, address)
            return self._known[address]


def _address(host: bytes | None, port: int, asked: Address) -> Address:
    # One that is not told its name yet, or hides it, says nothing or "?".
    name = (host or b"").decode()
    return Address(asked.host if name in ("", "?") else name, port)
