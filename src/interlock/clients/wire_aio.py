"""The socket under one asynchronous HTTP exchange: it is let go of, however the exchange ended."""

from __future__ import annotations

from collections.abc import Iterable

import httpcore2


class AsyncWire(httpcore2.AnyIOBackend):
    """The backend of one exchange.

    httpcore2 forgets a connection whose TLS is still being agreed on when its caller gives up; this one does not.
    """

    def __init__(self) -> None:
        self._stream: httpcore2.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore2's own signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a host."""
        self._stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        return self._stream

    async def close(self) -> None:
        """Let go of the socket. May be called when that was done already."""
        if self._stream is not None:
            await self._stream.aclose()
