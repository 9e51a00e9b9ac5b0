"""The HTTP client of `interlock.clients.http` once more, for those who wait in an event loop.

It keeps the same promises, but for the check of addresses: it goes where its user chose to go. It belongs to no loop: each
exchange has its own connection, so that one client serves several loops, one after another.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from interlock.clients.http import HttpReply, decoded, port_of, request_of
from interlock.clients.trouble import HttpBroken, HttpForbidden, HttpTimeout, HttpTooLarge, HttpTrouble, HttpUnreachable
from interlock.errors import MissingExtra

if TYPE_CHECKING:
    import anyio
    import httpcore2
    import httpx2


class AsyncHttpStream(NamedTuple):
    """An answer that is still coming; `chunks` waits for the rest of it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: AsyncIterable[bytes]


class AsyncHttpClient:
    """Sends requests. To be used from one event loop at a time."""

    def __init__(self, *, max_body: int, connect_within: timedelta, tls: ssl.SSLContext | None = None) -> None:
        try:
            import anyio
            import httpcore2
            import httpx2
        except ImportError as exc:
            raise MissingExtra("the HTTP client", "http") from exc
        self._anyio = anyio
        self._core = httpcore2
        self._httpx2 = httpx2
        self._max_body = max_body
        self._connect_within = connect_within.total_seconds()
        self._tls = tls
        self._open: set[anyio.CancelScope] = set()
        self._closed = False

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, within: timedelta
    ) -> HttpReply:
        """Send one request and return its answer, whatever its status.

        Raises:
            HttpTrouble: as `HttpClient.send` does.
        """
        wire = _Wire(request_of(method, url, headers, body))
        with self._bounded(wire, within.total_seconds()):
            async with self._answering(wire) as response:
                parts: list[bytes] = []
                total = 0
                async for chunk in response.aiter_stream():
                    total += len(chunk)
                    if total > self._max_body:
                        raise HttpTooLarge(f"{wire.target} answered with more than {self._max_body} bytes", sent=True)
                    parts.append(chunk)
                return HttpReply(response.status, decoded(response.headers), b"".join(parts))
        raise wire.late()

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], open_within: timedelta, idle: timedelta
    ) -> AsyncIterator[AsyncHttpStream]:
        """Send one request without a body, and read its answer while it comes, however long it is.

        Raises:
            HttpTrouble: as `HttpClient.stream` does.
        """
        wire = _Wire(request_of(method, url, headers, None))
        answering = self._answering(wire)
        with self._bounded(wire, open_within.total_seconds()) as scope:
            response = await answering.__aenter__()
        if scope.cancelled_caught:
            raise wire.late()
        try:
            yield AsyncHttpStream(response.status, decoded(response.headers), self._chunks(response, wire, idle))
        finally:
            await answering.__aexit__(None, None, None)

    async def sleep(self, seconds: float) -> None:
        """Wait, unless the client is closed meanwhile.

        Raises:
            HttpTrouble: it was.
        """
        with self._kept(self._anyio.CancelScope()):
            await self._anyio.sleep(seconds)
        self._require_open(sent=False)

    async def close(self) -> None:
        """Break off every exchange under way, and refuse later ones. May be called twice."""
        self._closed = True
        for scope in tuple(self._open):
            scope.cancel()

    async def _chunks(self, response: httpcore2.Response, wire: _Wire, idle: timedelta) -> AsyncIterator[bytes]:
        parts = response.aiter_stream().__aiter__()
        while True:
            with self._bounded(wire, idle.total_seconds()) as scope, self._translated(wire):
                try:
                    chunk = await parts.__anext__()
                except StopAsyncIteration:
                    return
            if scope.cancelled_caught:
                raise wire.late()
            yield chunk

    @contextmanager
    def _bounded(self, wire: _Wire, seconds: float) -> Iterator[anyio.CancelScope]:
        self._require_open(sent=False)
        with self._kept(self._anyio.move_on_after(seconds)) as scope:
            yield scope
        if scope.cancelled_caught:
            self._require_open(sent=wire.sent)

    @contextmanager
    def _kept(self, scope: anyio.CancelScope) -> Iterator[anyio.CancelScope]:
        self._open.add(scope)
        try:
            with scope:
                yield scope
        finally:
            self._open.discard(scope)

    def _require_open(self, *, sent: bool) -> None:
        if self._closed:
            words = "the HTTP client is closed"
            raise HttpBroken(f"{words}, and the exchange was broken off", sent=True) if sent else HttpUnreachable(words)

    @asynccontextmanager
    async def _answering(self, wire: _Wire) -> AsyncIterator[httpcore2.Response]:
        from interlock.clients.wire_aio import AsyncWire

        core, url = self._core, wire.request.url
        target = core.URL(scheme=url.raw_scheme, host=url.raw_host, port=port_of(url), target=url.raw_path)
        backend = AsyncWire()
        connection = core.AsyncHTTPConnection(
            origin=target.origin,
            ssl_context=self._context() if url.scheme == "https" else None,
            network_backend=backend,
        )
        try:
            with self._translated(wire):
                response = await connection.handle_async_request(
                    core.Request(
                        wire.request.method,
                        target,
                        headers=wire.request.headers.raw,
                        content=wire.request.content or None,
                        extensions={"timeout": {"connect": self._connect_within}, "trace": wire.trace},
                    )
                )
                wire.status = response.status
                yield response
        finally:
            # Shielded: a caller that was cancelled still lets go of its socket.
            with self._anyio.CancelScope(shield=True):
                await connection.aclose()
                await backend.close()

    @contextmanager
    def _translated(self, wire: _Wire) -> Iterator[None]:
        core = self._core
        try:
            yield
        except HttpTrouble as trouble:
            trouble.status = wire.status
            raise
        except core.ConnectTimeout:
            raise HttpTimeout(f"{wire.target} did not accept a connection in time") from None
        except core.LocalProtocolError:
            raise HttpForbidden("the method or a header holds characters that HTTP does not permit") from None
        except (core.NetworkError, core.ProtocolError, core.TimeoutException, OSError, UnicodeError) as exc:
            if not wire.sent:
                raise HttpUnreachable(f"{wire.target}: {_reason(exc)}") from exc
            words = "it closed the connection early or did not speak HTTP"
            raise HttpBroken(f"{wire.target} broke off: {words}", sent=True, status=wire.status) from exc

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = self._httpx2.create_ssl_context()
        return self._tls


class _Wire:
    """What is known of one exchange. `sent` becomes True just before the first byte is handed to the system."""

    def __init__(self, request: httpx2.Request) -> None:
        self.request = request
        self.target = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        self.sent = False
        self.status: int | None = None

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """Be told what happens on the connection."""
        if event.endswith("send_request_headers.started"):
            self.sent = True

    def late(self) -> HttpTimeout:
        """Return the trouble that the time was up."""
        what = "did not answer in time" if self.sent else "could not be reached in time"
        return HttpTimeout(f"{self.target} {what}", sent=self.sent, status=self.status)


def _reason(exc: BaseException) -> str:
    # The words of the innermost cause: those around it only say that connecting failed.
    while (inner := exc.__cause__ or exc.__context__) is not None:
        exc = inner
    if isinstance(exc, BaseExceptionGroup):
        return _reason(exc.exceptions[0])
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"TLS failed (certificate: {exc.verify_message})"
    if isinstance(exc, OSError) and exc.strerror:
        # asyncio puts the address into the words; the number says the same without it.
        return os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
    return type(exc).__name__
