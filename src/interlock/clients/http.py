"""One HTTP client for everything that speaks HTTP: by a deadline, to permitted addresses, with bounded answers.

What it promises, beyond sending a request:

- `timeout` bounds the whole exchange: name, connection, TLS, request and answer. A server that drips one byte a second
  does not hold it longer.
- The address connected to is checked (see `interlock.clients.addresses`); the name is resolved once.
- Redirects are not followed: the answer is returned as it is. Proxies of the environment are not used.
- Every request has its own connection. A kept connection may turn out to be closed just when a job is to be started, and
  then nobody can tell whether the request was read.
- No error text holds more of the URL than scheme, host and port: paths and queries carry tokens.
"""

from __future__ import annotations

import ssl
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from interlock.clients.addresses import AddressPolicy
from interlock.clients.trouble import (
    HttpBroken,
    HttpForbidden,
    HttpTimeout,
    HttpTooLarge,
    HttpTrouble,
    HttpUnreachable,
)
from interlock.errors import MissingExtra

if TYPE_CHECKING:
    import httpcore2
    import httpx2

    from interlock.clients.wire import Wire

__all__ = [
    "HttpBroken",
    "HttpClient",
    "HttpForbidden",
    "HttpReply",
    "HttpSender",
    "HttpStream",
    "HttpTimeout",
    "HttpTooLarge",
    "HttpTrouble",
    "HttpUnreachable",
]

_NO_HEADERS: Final[Mapping[str, str]] = {}
_SCHEMES: Final = {"http": 80, "https": 443}


class HttpReply(Struct, frozen=True):
    """An answer. Header names are in lower case and keep their order; the body is what was sent, not decompressed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of a name, or nothing."""
        return next((value for key, value in self.headers if key == name.lower()), "")


class HttpStream(Struct, frozen=True):
    """An answer that is still coming; `chunks` waits for the rest of it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: Iterable[bytes]


class HttpSender(Protocol):
    """What users of the client need of it, for those who bring their own."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = ...,
        body: bytes | None = None,
        timeout: timedelta,
    ) -> HttpReply:
        """Send one request and return its answer, whatever its status."""
        ...


class HttpClient:
    """Sends requests, by the promises at the top of this module. Safe to call from many threads.

    `allow` names hosts, addresses and CIDR blocks that may be reached although they are private or loopback. A body
    longer than `max_body` bytes is trouble. `connect_within` bounds how long a host may take to accept a connection, where
    an exchange as a whole may take longer. `tls` replaces the system's certificates.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        max_body: int = 1 << 20,
        connect_within: timedelta | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        try:
            import httpcore2
            import httpx2
        except ImportError as exc:
            raise MissingExtra("the HTTP client", "http") from exc
        self._httpx2 = httpx2
        self._httpcore2 = httpcore2
        self._policy = AddressPolicy(allow)
        self._max_body = max_body
        self._lock = threading.Lock()
        self._open: set[Wire] = set()
        self._closed = False
        self._connect_within = connect_within.total_seconds() if connect_within else None
        self._tls = tls

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | None = None,
        timeout: timedelta,
    ) -> HttpReply:
        """Send one request and return its answer, whatever its status.

        Raises:
            HttpForbidden: the address is not permitted, or the URL, the method or a header is not usable.
            HttpUnreachable: certainly nothing was sent.
            HttpTimeout: the time was up.
            HttpBroken: it was sent, and no complete answer came.
            HttpTooLarge: the answer is longer than permitted.
        """
        from interlock.clients.wire import Wire

        deadline = monotonic() + timeout.total_seconds()
        request = request_of(method, url, headers, body)
        target = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        wire = Wire(policy=self._policy, deadline=deadline, target=target, connect_within=self._connect_within)
        self._admit(wire)
        try:
            return self._exchange(request, wire)
        finally:
            with self._lock:
                self._open.discard(wire)
            wire.close()

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        open_within: timedelta,
        idle: timedelta,
    ) -> Iterator[HttpStream]:
        """Send one request without a body, and read its answer while it comes, however long it is.

        `open_within` bounds the time until the answer begins, `idle` each wait for more of it.

        Raises:
            HttpTrouble: as for `send`; also from the chunks.
        """
        from interlock.clients.wire import Wire

        request = request_of(method, url, headers, None)
        deadline = monotonic() + open_within.total_seconds()
        target = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        wire = Wire(policy=self._policy, deadline=deadline, target=target, connect_within=self._connect_within)
        self._admit(wire)
        try:
            with self._answering(request, wire) as response:
                wire.wait_for_more(idle.total_seconds())
                yield HttpStream(response.status, decoded(response.headers), response.iter_stream())
        finally:
            with self._lock:
                self._open.discard(wire)
            wire.close()

    def close(self) -> None:
        """Break off every exchange under way, and refuse later ones. May be called twice."""
        with self._lock:
            self._closed = True
            under_way = tuple(self._open)
        for wire in under_way:
            wire.abort()

    def _admit(self, wire: Wire) -> None:
        with self._lock:
            if self._closed:
                raise HttpUnreachable("the HTTP client is closed: Interlock is shutting down")
            self._open.add(wire)

    def _exchange(self, request: httpx2.Request, wire: Wire) -> HttpReply:
        with self._answering(request, wire) as response:
            body = self._read(response.iter_stream(), wire.target)
            return HttpReply(response.status, decoded(response.headers), body)

    @contextmanager
    def _answering(self, request: httpx2.Request, wire: Wire) -> Iterator[httpcore2.Response]:
        """Send a request, and translate whatever goes wrong until its answer has been read."""
        core = self._httpcore2
        scheme, host = request.url.raw_scheme, request.url.raw_host
        port = port_of(request.url)
        url = core.URL(scheme=scheme, host=host, port=port, target=request.url.raw_path)
        secure = request.url.scheme == "https"
        connection = core.HTTPConnection(
            origin=url.origin, ssl_context=self._context() if secure else None, network_backend=wire
        )
        status: int | None = None
        try:
            response = connection.handle_request(
                core.Request(request.method, url, headers=request.headers.raw, content=request.content or None)
            )
            status = response.status
            yield response
        except HttpTrouble as exc:
            exc.status = status
            raise
        except core.LocalProtocolError:
            raise HttpForbidden("the method or a header holds characters that HTTP does not permit") from None
        except (core.NetworkError, core.ProtocolError) as exc:
            raise HttpBroken(f"{wire.target} broke off: {_words(exc)}", sent=True, status=status) from exc
        finally:
            connection.close()

    def _read(self, chunks: Any, target: str) -> bytes:
        parts: list[bytes] = []
        total = 0
        for chunk in chunks:
            total += len(chunk)
            if total > self._max_body:
                raise HttpTooLarge(f"{target} answered with more than {self._max_body} bytes", sent=True)
            parts.append(chunk)
        return b"".join(parts)

    def _context(self) -> ssl.SSLContext:
        # Made once: reading the system's certificates takes longer than most requests.
        with self._lock:
            if self._tls is None:
                self._tls = self._httpx2.create_ssl_context()
            return self._tls


def request_of(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> httpx2.Request:
    """Write a request; shared with the asynchronous client.

    Raises:
        HttpForbidden: the URL, the method or a header is not usable.
    """
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError, ValueError):
        raise HttpForbidden("not a usable URL (it is not shown: it may hold a secret)") from None
    if parsed.scheme not in _SCHEMES or not parsed.host:
        raise HttpForbidden(f"only http:// and https:// URLs with a host are used, not {parsed.scheme[:20]!r}")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise HttpForbidden(f"there is no port {parsed.port}")
    fields = {"accept": "*/*", "accept-encoding": "identity", "connection": "close", "user-agent": "interlock"}
    if parsed.userinfo:
        fields["authorization"] = "Basic " + b64encode(_credentials(parsed)).decode("ascii")
    fields |= {name.lower(): value for name, value in headers.items()}
    if broken := [name for name, value in fields.items() if "\n" in value or "\r" in value]:
        raise HttpForbidden(f"the header {broken[0][:100]!r} holds a line break: remove it where its value is kept")
    try:
        return httpx2.Request(method, parsed, headers=fields, content=body)
    except (UnicodeError, TypeError, ValueError):
        raise HttpForbidden("the method or a header holds characters that HTTP does not permit") from None


def port_of(url: httpx2.URL) -> int:
    """Return the port of a URL that `request_of` has let through."""
    return url.port or _SCHEMES[url.scheme]


def decoded(headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer as text."""
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)


def _credentials(url: httpx2.URL) -> bytes:
    return f"{url.username}:{url.password}".encode()


def _words(exc: Exception) -> str:
    """Say what kind of breach it was; a protocol error quotes what the server sent, so its text is not repeated."""
    kinds = {"RemoteProtocolError": "it closed the connection early or did not speak HTTP"}
    return kinds.get(type(exc).__name__, "the connection was lost")


if TYPE_CHECKING:

    def _is_a_sender(it: HttpClient) -> HttpSender:
        return it
