"""Connections to one server, each used by one thread at a time and kept for the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from redis import exceptions as said
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry

from interlock.errors import StoreUnavailable
from interlock.stores.redis.errors import translated
from interlock.stores.redis.options import Access, Address

if TYPE_CHECKING:
    from interlock.stores.redis.scripts import Script

_MAX_IDLE: Final = 64
_DOUBTFUL: Final = 30.0


class _Wire(Protocol):
    """What is used of redis-py's connection."""

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def can_read(self, timeout: float) -> bool: ...
    def pack_commands(self, commands: Sequence[Sequence[object]]) -> list[bytes]: ...
    def send_packed_command(self, command: object) -> None: ...
    def send_command(self, *words: object) -> None: ...
    def read_response(self) -> Any: ...


class Line:
    """One connection, and since when nobody has used it."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self.idle_since = monotonic()

    def ask(self, *words: object) -> Any:
        """Send a command and return the answer."""
        self._wire.send_command(*words)
        return self._wire.read_response()

    def ask_all(self, commands: Sequence[Sequence[object]]) -> list[Any]:
        """Send commands together and return the answers; what is refused is answered with its error."""
        self._wire.send_packed_command(self._wire.pack_commands(commands))
        return [self._next() for _ in commands]

    def run(self, script: Script, words: Sequence[object]) -> Any:
        """Run a script by its digest. Whoever has none of that digest has run nothing, and is sent the text."""
        try:
            return self.ask("EVALSHA", script.digest, *words)
        except said.NoScriptError:
            return self.ask("EVAL", script.text, *words)

    def listen(self, timeout: float) -> list[Any] | None:
        """Return what comes by itself, or None when nothing does in time."""
        return list(self._wire.read_response()) if self._wire.can_read(timeout) else None

    def send(self, *words: object) -> None:
        """Send a command whose answer comes through `listen`."""
        self._wire.send_command(*words)

    def usable(self) -> bool:
        """Look whether the server is still there, before anything is sent that must not be sent twice."""
        try:
            if self._wire.can_read(0):
                return False
            # A connection that a firewall dropped looks alive until something is sent.
            return monotonic() - self.idle_since < _DOUBTFUL or self.ask("PING") == b"PONG"
        except (said.RedisError, OSError):
            return False

    def hang_up(self) -> None:
        """Close the connection."""
        self._wire.disconnect()

    def _next(self) -> Any:
        try:
            return self._wire.read_response()
        except said.ResponseError as exc:
            return exc


class Lines:
    """The connections to one server: as many as there are threads at a time, none shared."""

    def __init__(self, access: Access, address: Address) -> None:
        self.address = address
        self.label = access.named(address)
        self._open = _opener(access, address)
        self._changed = Condition()
        self._idle: list[Line] = []
        self._busy = 0
        self._closed = False

    @contextmanager
    def line(self) -> Iterator[Line]:
        """Lend a connection that works, or say that there is none: then nothing was sent.

        Raises:
            StoreError: it cannot be reached, or does not let us in; what is raised inside is left as it is.
        """
        line = self._take()
        kept = False
        try:
            yield line
            kept = True
        except said.ResponseError:
            kept = True
            raise
        finally:
            self._give(line, kept=kept)

    def close(self, patience: float) -> None:
        """Wait for those who are using one, then close them all."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._busy == 0, patience)
        self.drop()

    def drop(self) -> None:
        """Close those that nobody uses: what they lead to has moved."""
        with self._changed:
            idle, self._idle = self._idle, []
        for line in idle:
            line.hang_up()

    def _take(self) -> Line:
        with self._changed:
            if self._closed:
                raise StoreUnavailable(f"the store {self.label} is closed: nothing can be read or written any more")
            self._busy += 1
            line = self._idle.pop() if self._idle else None
        try:
            if line and not line.usable():
                # What broke it broke the others too, and to ask each of them may take its time.
                line.hang_up()
                line = None
                self.drop()
            return line or self._open()
        except BaseException as exc:
            self._give(None, kept=False)
            if isinstance(exc, said.RedisError | OSError):
                raise translated(exc, self.label, "reach", "Nothing was read or written") from exc
            raise

    def _give(self, line: Line | None, *, kept: bool) -> None:
        if line:
            line.idle_since = monotonic()
        with self._changed:
            self._busy -= 1
            if line and kept and not self._closed and len(self._idle) < _MAX_IDLE:
                self._idle.append(line)
                line = None
            if self._closed:
                self._changed.notify_all()
        if line:
            line.hang_up()


def _opener(access: Access, address: Address) -> Callable[[], Line]:
    # Their types say that a connection to a socket of this machine cannot be made. It can.
    kinds = cast("tuple[Callable[..., _Wire], ...]", (UnixDomainSocketConnection, SSLConnection, Connection))
    kind = kinds[0 if address.path else 1 if access.tls else 2]
    arguments = access.arguments(address)

    def opened() -> Line:
        # redis-py would repeat by itself what we have to know of.
        wire = kind(**arguments, retry=Retry(NoBackoff(), 0))
        try:
            wire.connect()
        except BaseException:
            wire.disconnect()
            raise
        return Line(wire)

    return opened
