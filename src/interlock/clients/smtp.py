"""One door to mail servers: a dialogue that ends by its deadline, however slowly the server speaks.

smtplib's own timeout bounds each read and each write, so a server that says a letter now and then holds it for ever. Here
every operation gets what is left of the whole, and so do the name and the connection.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Sequence
from time import monotonic
from typing import Final

from interlock.clients.addresses import resolve

_MOST_SAID: Final = 1 << 17
_SOON: Final = 0.001


class SmtpDialogue(smtplib.SMTP):
    """A dialogue with one server, connected and greeted.

    `tls` is used from the first byte; for STARTTLS call `starttls`. Each call of `say` adds what a server said to at most
    128 KiB: one that never stops talking is broken off.

    Raises:
        OSError: there is no such host, it refuses, it did not answer in time, or it does not speak SMTP
            (`smtplib.SMTPException` is an OSError).
    """

    def __init__(self, host: str, port: int, *, deadline: float, tls: ssl.SSLContext | None = None) -> None:
        self._deadline = deadline
        self._wrapping = tls
        super().__init__(host, port, local_hostname=_own_name(), timeout=max(deadline - monotonic(), _SOON))

    def getreply(self) -> tuple[int, bytes]:
        """Return the server's next answer."""
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock, self._deadline)
        reply = super().getreply()
        if self.sock is not None:
            # What comes next may be the agreement on TLS, which takes its time from here.
            self.sock.settimeout(max(self._deadline - monotonic(), _SOON))
        return reply

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # (typeshed admits every buffer; smtplib gives these)
        """Send a piece of the dialogue."""
        if self.sock is not None:
            self.sock.settimeout(_left(self._deadline))
        super().send(s)

    def leave(self) -> None:
        """Say goodbye if that is quickly done, and hang up."""
        with contextlib.suppress(OSError, ValueError):
            self.docmd("QUIT")
        self.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002  (the deadline rules)
        plain = _connected(resolve(host, port, timeout=_left(self._deadline)), port, self._deadline)
        if self._wrapping is None:
            return plain
        plain.settimeout(_left(self._deadline))
        try:
            return self._wrapping.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


class _Lines:
    """The reading side of a socket: lines, by a deadline, and not for ever more of them."""

    def __init__(self, plugged: socket.socket, deadline: float) -> None:
        self._socket = plugged
        self._deadline = deadline
        self._buffer = b""
        self._said = 0

    def readline(self, limit: int) -> bytes:
        while b"\n" not in self._buffer and len(self._buffer) < limit:
            self._socket.settimeout(_left(self._deadline))
            chunk = self._socket.recv(4096)
            self._said += len(chunk)
            if not chunk:
                break
            if self._said > _MOST_SAID:
                raise ConnectionAbortedError("it does not stop talking")
            self._buffer += chunk
        end = min(self._buffer.find(b"\n") + 1 or len(self._buffer), limit)
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        return line

    def close(self) -> None:
        """Nothing to do: the socket is closed by its owner."""


def _connected(addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
    trouble: OSError = ConnectionError("it has no address")
    for index, address in enumerate(addresses):
        share = _left(deadline) / (len(addresses) - index)
        try:
            return socket.create_connection((address, port), timeout=share)
        except OSError as exc:
            trouble = exc
    raise trouble


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left


def _own_name() -> str:
    # smtplib would ask the name service, which may take its time.
    name = socket.gethostname()
    return name if "." in name and name.isascii() and " " not in name else "[127.0.0.1]"
