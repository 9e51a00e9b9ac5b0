"""The socket under one HTTP exchange: one deadline for all of it, one check of the address, one note of what was sent.

httpx2's own timeouts bound each read and each write, so a server that sends a byte now and then holds a request for
ever. Here every operation gets what is left of the whole.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable
from time import monotonic
from typing import Any

import httpcore2

from interlock.clients.addresses import AddressPolicy, resolve
from interlock.clients.trouble import HttpBroken, HttpForbidden, HttpTimeout, HttpUnreachable


class Wire(httpcore2.NetworkBackend, httpcore2.NetworkStream):
    """The backend and the stream of one exchange; used once.

    `sent` becomes True just before the first byte of the request is handed to the system.
    """

    def __init__(
        self, *, policy: AddressPolicy, deadline: float, target: str, connect_within: float | None = None
    ) -> None:
        self.target = target
        self.sent = False
        self._policy = policy
        self._deadline = deadline
        self._connect_within = connect_within
        self._idle: float | None = None
        self._socket: socket.socket | None = None
        self._aborted = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  (the deadline of the whole exchange rules)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """Connect to the first permitted address of a host that answers."""
        try:
            addresses = resolve(host, port, timeout=self._left_to_connect())
        except TimeoutError:
            raise HttpTimeout(f"{self.target}: the name was not resolved in time") from None
        except OSError as exc:
            raise HttpUnreachable(f"{self.target}: no such host ({exc.strerror or exc})") from exc
        permitted = [address for address in addresses if self._policy.permits(host, address)]
        if not permitted:
            raise HttpForbidden(
                f"{self.target} is at {addresses[0]}, an address that is not public: "
                "list the host or the address under `network.allow` if it is meant"
            )
        self._socket = self._connect(permitted, port)
        return self

    def _connect(self, addresses: list[str], port: int) -> socket.socket:
        trouble: OSError | None = None
        until = monotonic() + self._left_to_connect()
        for index, address in enumerate(addresses):
            share = min(self._left(), max(until - monotonic(), 0.001)) / (len(addresses) - index)
            try:
                found = socket.create_connection((address, port), timeout=share)
            except OSError as exc:
                trouble = exc
                continue
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return found
        if isinstance(trouble, TimeoutError):
            raise HttpTimeout(f"{self.target} did not accept a connection in time") from trouble
        raise HttpUnreachable(f"{self.target}: {_reason(trouble)}") from trouble

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """Agree on TLS with the host that was named, whatever its address. Nothing of the request is sent by this."""
        plain = self._plugged()
        plain.settimeout(self._left_to_connect())
        try:
            self._socket = ssl_context.wrap_socket(plain, server_hostname=server_hostname)
        except TimeoutError as exc:
            raise HttpTimeout(f"{self.target} did not agree on TLS in time") from exc
        except (OSError, ValueError) as exc:
            raise HttpUnreachable(f"{self.target}: TLS failed ({_reason(exc)})") from exc
        return self

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Return what the server sent, or nothing at its end."""
        plugged = self._plugged()
        plugged.settimeout(self._left())
        try:
            return plugged.recv(max_bytes)
        except TimeoutError as exc:
            raise self._late() from exc
        except OSError as exc:
            raise httpcore2.ReadError(_reason(exc)) from exc

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all of a buffer."""
        plugged = self._plugged()
        view = memoryview(buffer)
        while view:
            plugged.settimeout(self._left())
            self.sent = True
            try:
                view = view[plugged.send(view) :]
            except TimeoutError as exc:
                raise self._late() from exc
            except OSError as exc:
                raise httpcore2.WriteError(_reason(exc)) from exc

    def wait_for_more(self, idle: float) -> None:
        """From now on let no single wait be longer than `idle` seconds, and the whole take as long as it will."""
        self._idle = idle

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()

    def abort(self) -> None:
        """Break the exchange off from another thread: a wait for the server ends at once."""
        # Set first: a socket that is just being plugged in is then found aborted at its next step.
        self._aborted = True
        plugged = self._socket
        if plugged is not None:
            with contextlib.suppress(OSError):
                plugged.shutdown(socket.SHUT_RDWR)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore2 asks about a stream: of TLS, which it needs to choose the protocol."""
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return None

    def _plugged(self) -> socket.socket:
        if self._socket is None:
            raise httpcore2.ReadError("not connected")
        return self._socket

    def _left(self) -> float:
        if self._aborted:
            words = f"{self.target}: broken off, because Interlock is stopping"
            raise HttpBroken(words, sent=True) if self.sent else HttpUnreachable(words)
        left = self._deadline - monotonic() if self._idle is None else self._idle
        if left <= 0:
            raise self._late()
        return left

    def _left_to_connect(self) -> float:
        left = self._left()
        return left if self._connect_within is None else min(left, self._connect_within)

    def _late(self) -> HttpTimeout:
        what = "did not answer in time" if self.sent else "could not be reached in time"
        return HttpTimeout(f"{self.target} {what}", sent=self.sent)


def _reason(exc: BaseException | None) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"certificate: {exc.verify_message}"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return type(exc).__name__
