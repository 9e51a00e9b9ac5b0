"""Which network addresses may be reached, and which addresses a name stands for.

A URL in a pipeline file is a wish of its author; the request is made by Interlock, from inside the network. So private,
loopback, link-local (where clouds keep credentials), multicast and unspecified addresses are refused unless the operator
allows them. The check is made on the address that is connected to, never on the name: a name may resolve to one thing
when it is checked and to another when it is used.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE: Final = IPv6Network("::/96")
_SPECIAL: Final = tuple(
    ip_network(text) for text in ("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "64:ff9b:1::/48")
)


class AddressPolicy:
    """Says whether a host may be reached at an address.

    `allow` holds host names, addresses and CIDR blocks. An address or block opens exactly itself. A name opens the
    private and loopback addresses it resolves to, but not link-local, multicast or unspecified ones: nobody who lists the
    name of a server means the metadata service of a cloud.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._names: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in allow:
            try:
                self._networks.append(ip_network(entry.strip().strip("[]"), strict=False))
            except ValueError:
                self._names.add(_plain(entry))

    def permits(self, host: str, address: str) -> bool:
        """Say whether `host` may be reached at `address`, the text of an IPv4 or IPv6 address."""
        found = _innermost(ip_address(address))
        if any(found in network for network in self._networks):
            return True
        if _is_public(found):
            return True
        never = found.is_link_local or found.is_multicast or found.is_unspecified
        return _plain(host) in self._names and not never


def _plain(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").lower()


def _innermost(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address wraps, if it does: a wrapper must not hide what it wraps."""
    if isinstance(address, IPv4Address):
        return address
    teredo = address.teredo
    wrapped = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
    if wrapped is None and (address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 0xFFFF)):
        wrapped = IPv4Address(int(address) & 0xFFFFFFFF)
    return wrapped or address


def _is_public(address: Address) -> bool:
    if address.is_multicast or any(address in network for network in _SPECIAL):
        return False
    return address.is_global


def resolve(host: str, port: int, *, timeout: float) -> tuple[str, ...]:
    """Return the addresses of a host, in the system's order, each once.

    Raises:
        TimeoutError: no answer within `timeout` seconds. The system call cannot be stopped; its thread is left behind.
        OSError: there is no such host.
    """
    try:
        return _lookup(host, port, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        pass
    found: list[tuple[str, ...]] = []
    trouble: list[OSError] = []

    def ask() -> None:
        try:
            found.append(_lookup(host, port, 0))
        except OSError as exc:
            trouble.append(exc)
        except UnicodeError:
            trouble.append(OSError("not a host name"))

    worker = threading.Thread(target=ask, name="interlock-resolve", daemon=True)
    worker.start()
    worker.join(timeout)
    if trouble:
        raise trouble[0]
    if not found:
        raise TimeoutError("the name was not resolved in time")
    return found[0]


def _lookup(host: str, port: int, flags: int) -> tuple[str, ...]:
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))
