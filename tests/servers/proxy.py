"""A bad network: a TCP proxy before any server, which does what it is told.

with Proxy(server) as proxy:
    kernel = make(proxy.through(server.url))
    proxy.lose_reply(to=b"EVALSHA")     # the server does it, and the client never hears of it
    ...
    assert proxy.lost == 1
    proxy.heal()
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias, TypeVar

from tests.servers.base import HOST, Server, free_port, until

T = TypeVar("T")
# Close at once and tell the other side so (a reset), whatever is still on its way.
_RESET: Final = struct.pack("ii", 1, 0)
_LONGEST: Final = 200


class _Loss(NamedTuple):
    """What is to be lost next."""

    what: Literal["request", "reply"]
    to: bytes
    hang: bool


class _Wire:
    """One connection of a client and the one behind it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)
        self.losing: _Loss | None = None
        self.tail = b""
        self.has_lost = False
        self.is_reset = False

    def reset(self) -> None:
        self.is_reset = True
        for end in self.ends:
            sock = end.get_extra_info("socket")
            if not end.transport.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


_Judge: TypeAlias = Callable[[_Wire, bytes], bool]


class Proxy:
    """A port that leads to a server, for better or worse. Every verb holds from the moment it returns."""

    def __init__(self, target: Server | tuple[str, int]) -> None:
        self._target = (target.host, target.port) if isinstance(target, Server) else target
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listener: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._losses: list[_Loss] = []
        self._flowing = asyncio.Event()
        self._delays = (0.0, 0.0)
        self.lost = 0
        self.accepted = 0

    # ------------------------------------------------------------ where it is

    @property
    def host(self) -> str:
        return HOST

    @property
    def address(self) -> str:
        """Its `host:port`."""
        return f"{HOST}:{self.port}"

    def through(self, url: str) -> str:
        """Return a URL of the server that leads through this proxy."""
        behind = f"{self._target[0]}:{self._target[1]}"
        assert behind in url, f"{url} does not lead to {behind}"
        return url.replace(behind, self.address)

    @property
    def open_connections(self) -> int:
        """How many connections go through it now."""
        return len(self._wires)

    # ------------------------------------------------------------ what it can be told

    def heal(self) -> None:
        """Pass everything on again, held bytes first, and forget the losses that have not happened."""
        self._do(self._healed())

    def delay(self, *, to_server: float = 0.0, to_client: float = 0.0) -> None:
        """Keep everything back for so many seconds on its way."""
        self._call(lambda: setattr(self, "_delays", (to_server, to_client)))

    def hang(self) -> None:
        """Pass nothing on in either direction; connections stay open, and new ones are accepted. `heal` releases the bytes."""
        self._call(self._flowing.clear)

    def cut(self) -> None:
        """Reset all connections that are open now. New ones are accepted."""
        self._call(self._reset_all)

    def refuse(self) -> None:
        """Reset all connections and refuse new ones, as if no server were there."""
        self._do(self._refused())

    def lose_reply(self, *, to: bytes = b"", hang: bool = False) -> None:
        """Lose one answer: the next request that holds `to` is done by the server, and its client gets a reset in reply.

        With `hang` it gets nothing at all, and the connection stays open. `lost` counts what has been lost.
        """
        self._call(lambda: self._losses.append(_Loss("reply", to, hang)))

    def lose_request(self, *, to: bytes = b"", hang: bool = False) -> None:
        """Lose one request: the next one that holds `to` never comes to the server. `hang` as with `lose_reply`."""
        self._call(lambda: self._losses.append(_Loss("request", to, hang)))

    def wait_for_loss(self, number: int = 1) -> None:
        """Wait until so many requests and replies have been lost."""
        until(lambda: self.lost >= number, f"only {self.lost} of {number} were lost")

    # ------------------------------------------------------------ how it works

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._do(self._healed())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Reset everything and leave the port."""
        self._do(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def _call(self, work: Callable[[], object]) -> None:
        async def called() -> None:
            work()

        self._do(called())

    async def _healed(self) -> None:
        self._delays = (0.0, 0.0)
        self._losses.clear()
        self._flowing.set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, HOST, self.port)

    async def _refused(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._reset_all()

    async def _closed(self) -> None:
        await self._refused()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for wire in list(self._wires):
            wire.reset()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        try:
            back, server = await asyncio.open_connection(*self._target)
        except OSError:
            client.transport.abort()
            self._tasks.discard(task)
            return
        wire = _Wire(client, server)
        self._wires.add(wire)
        flows = [
            asyncio.ensure_future(self._pass_on(wire, reader, server, self._request, 0)),
            asyncio.ensure_future(self._pass_on(wire, back, client, self._reply, 1)),
        ]
        try:
            # Whoever hangs up is followed by the other side, as on a wire.
            await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for flow in flows:
                flow.cancel()
            await asyncio.gather(*flows, return_exceptions=True)
            self._wires.discard(wire)
            for end in wire.ends:
                end.close()
            self._tasks.discard(task)

    async def _pass_on(
        self, wire: _Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, judge: _Judge, way: int
    ) -> None:
        try:
            while data := await reader.read(65_536):
                passes = judge(wire, data)
                if self._delays[way]:
                    await asyncio.sleep(self._delays[way])
                await self._flowing.wait()
                if passes:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        if not wire.is_reset:
            # Nor does the news that one side hung up get through.
            await self._flowing.wait()

    def _request(self, wire: _Wire, data: bytes) -> bool:
        """Judge what a client says; False keeps it from the server."""
        if wire.losing is None:
            seen = wire.tail + data
            # The words may lie across two reads.
            wire.tail = seen[-_LONGEST:]
            wire.losing = next((loss for loss in self._losses if loss.to in seen), None)
            if wire.losing is not None:
                self._losses.remove(wire.losing)
        if wire.losing is None or wire.losing.what == "reply":
            return True
        return self._lose(wire, wire.losing)

    def _reply(self, wire: _Wire, data: bytes) -> bool:
        """Judge what the server says; False keeps it from the client."""
        return True if wire.losing is None else self._lose(wire, wire.losing)

    def _lose(self, wire: _Wire, loss: _Loss) -> bool:
        if not wire.has_lost:
            wire.has_lost = True
            self.lost += 1
        if not loss.hang:
            wire.reset()
        return False
