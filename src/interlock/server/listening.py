"""Where the server listens: the sockets are there before anything else of the process begins."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from interlock.errors import Busy, ConfigError

BACKLOG: Final = 2048
_ANY: Final = frozenset({"", "*"})
_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class Address(NamedTuple):
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(text: str) -> Address:
    """Read `host:port`, `[::1]:port` or `:port`, which means loopback.

    Raises:
        ConfigError: it is none.
    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    numeric = port.isascii() and port.isdigit() and int(port[:6]) <= 65_535
    if not colon or not numeric or (":" in bare and bare == host) or set(bare) & set(" /@[]"):
        raise ConfigError(f"{text!r} is not an address: write host:port, such as 127.0.0.1:3000 or [::1]:3000")
    return Address(bare or "127.0.0.1", int(port))


def listen(address: Address) -> tuple[socket.socket, ...]:
    """Listen at every address that a host has, all on one port; port 0 takes a free one.

    Connections that come from now on wait until somebody serves them.

    Raises:
        Busy: the address is in use, or the name could not be looked up just now.
        ConfigError: there is no such host here, or this user may not listen there.
    """
    with ExitStack() as stack:
        found: list[socket.socket] = []
        refused: list[OSError] = []
        port = address.port
        for family, place in _places(address):
            try:
                each = stack.enter_context(_bound(family, (*place[:1], port, *place[2:])))
            except OSError as exc:
                if exc.errno not in _NOT_HERE:
                    raise _worded(address, exc) from exc
                refused.append(exc)
                continue
            found.append(each)
            port = each.getsockname()[1]
        if not found:
            raise _worded(address, refused[0])
        stack.pop_all()
    return tuple(found)


def url_of(sockets: Sequence[socket.socket], *, tls: bool) -> str:
    """Return where the server can be reached, for people."""
    host, port = sockets[0].getsockname()[:2]
    return f"{'https' if tls else 'http'}://{Address(host, port)}"


def _places(address: Address) -> Iterator[tuple[socket.AddressFamily, tuple[object, ...]]]:
    host = None if address.host in _ANY else address.host
    try:
        found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        if exc.errno == socket.EAI_AGAIN:
            raise Busy(f"cannot listen at {address}: the name {address.host!r} cannot be looked up just now") from exc
        raise ConfigError(f"cannot listen at {address}: no host is named {address.host!r} ({exc.strerror})") from exc
    except UnicodeError as exc:
        raise ConfigError(f"cannot listen at {address}: {address.host!r} is no name of a host") from exc
    yield from dict.fromkeys((family, place) for family, _, _, _, place in found)


def _bound(family: socket.AddressFamily, place: tuple[object, ...]) -> socket.socket:
    # Named: asyncio sends at once, without waiting for an acknowledgement, only where it knows that it is TCP.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A server that was just stopped leaves connections behind, which must not keep its successor out.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        # At once: until somebody listens, another may bind the same address.
        made.listen(BACKLOG)
        made.settimeout(0)
    except BaseException:
        made.close()
        raise
    return made


def _worded(address: Address, exc: OSError) -> Exception:
    match exc.errno:
        case errno.EADDRINUSE:
            return Busy(
                f"cannot listen at {address}: something else does already; nothing was started. "
                "Stop it, or choose another address with server.addr or --addr"
            )
        case errno.EACCES | errno.EPERM:
            return ConfigError(
                f"cannot listen at {address}: this user may not, as usual below port 1024; nothing was started. "
                "Choose a higher port, or give the service CAP_NET_BIND_SERVICE"
            )
        case _:
            words = os.strerror(exc.errno) if exc.errno else str(exc)
            return ConfigError(
                f"cannot listen at {address}: {words}; nothing was started. "
                "Name an address of this machine in server.addr or --addr"
            )


def close(sockets: Sequence[socket.socket]) -> None:
    """Listen no more."""
    for each in sockets:
        with contextlib.suppress(OSError):
            each.close()
