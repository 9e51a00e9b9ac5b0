"""What a request must look like before anybody asks who sent it: its address, and the page it comes from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from interlock.config.project import ServerSpec
from interlock.errors import Invalid, NotAllowed
from interlock.server.answers import HttpProblem
from interlock.server.keys import is_loopback

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_LONGEST_PATH: Final = 4096
_LONGEST_QUERY: Final = 8192
_MOST_HEADERS: Final = 100
_LARGEST_HEADERS: Final = 32 * 1024
_HIDDEN: Final = re.compile(rb"%(2f|5c|00)", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\\]")
_ONE_TIME: Final = (b"host", b"x-api-key", b"authorization", b"origin", b"content-type", b"content-length")


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers, each by its name in small letters.

    Raises:
        Invalid: one of those that may stand there once stands there twice, and says two things.
        HttpProblem: they are too many or too long, or say in two ways how long the body is.
    """
    found: dict[bytes, bytes] = {}
    size = count = 0
    for name, value in raw:
        count += 1
        size += len(name) + len(value)
        if name in found and name in _ONE_TIME and found[name] != value:
            raise Invalid(f"the header {name.decode('latin-1')} is there twice, and says two things")
        found.setdefault(name, value)
    if b"transfer-encoding" in found and b"content-length" in found:
        # Whoever goes by the other of them takes what follows for another request.
        message = "Content-Length and Transfer-Encoding say in two ways how long the body is: send one of them"
        raise HttpProblem(HTTPStatus.BAD_REQUEST, message, close=True)
    if count > _MOST_HEADERS or size > _LARGEST_HEADERS:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        message = f"at most {_MOST_HEADERS} headers of {_LARGEST_HEADERS} bytes together are taken"
        raise HttpProblem(status, message, close=True)
    return found


def require_plain_address(raw_path: bytes, query: bytes) -> None:
    """Refuse addresses that two programs may read in two ways.

    Raises:
        Invalid: it has an empty or a dotted step, an escaped slash, a control character, or is no UTF-8.
        HttpProblem: it is too long.
    """
    if len(raw_path) > _LONGEST_PATH or len(query) > _LONGEST_QUERY:
        message = f"at most {_LONGEST_PATH} bytes of path and {_LONGEST_QUERY} of query are taken"
        raise HttpProblem(HTTPStatus.REQUEST_URI_TOO_LONG, message)
    if _HIDDEN.search(raw_path):
        raise Invalid("the path has an escaped slash, backslash or NUL: no name here holds one")
    try:
        path = unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        raise Invalid("the path is no text in UTF-8") from None
    if _CONTROL.search(path):
        raise Invalid("the path has a control character or a backslash")
    steps = path.split("/")[1:]
    if not path.startswith("/") or any(step in (".", "..") for step in steps) or "" in steps[:-1]:
        raise Invalid("the path has an empty step or a step of dots")


class HouseRules:
    """Keeps web pages of others from using a browser inside the network as their hand.

    A page can make a browser send requests here, though not with a key. So where no key is needed, the name by which the
    server was called must be one that nobody else can have pointed here (DNS rebinding): an address, `localhost`, or the
    server's own; beyond loopback also a name without a dot, as containers call each other. And whatever changes something
    must come from no other page.
    """

    def __init__(self, spec: ServerSpec, *, open_to_all: bool) -> None:
        self._open = open_to_all
        # Anybody in the local network can make up such names, and have them mean a browser's own machine.
        self._short_names = not is_loopback(spec.host)
        own = urlsplit(spec.public_url)
        self._names: Collection[str] = {name.lower() for name in (spec.host, own.hostname or "") if name}
        self._origin = f"{own.scheme}://{own.netloc}".lower() if own.netloc else ""

    def require(self, method: str, scheme: str, headers: Mapping[bytes, bytes]) -> None:
        """Judge one request.

        Raises:
            NotAllowed: it comes from elsewhere, or calls the server by a name that is not its own.
        """
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._open and not self._is_ours(host):
            raise NotAllowed(
                f"this server is open, and not known as {host[:100]!r}: call it by its address, or write "
                "server.publicUrl, or protect it with a key"
            )
        if method not in SAFE:
            self._require_own_page(f"{scheme}://{host}", headers)

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        if name in self._names or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            ip_address(name)
        except ValueError:
            return self._short_names and bool(name) and not set(name) & set(".:") and not host.startswith("[")
        return True

    def _require_own_page(self, called: str, headers: Mapping[bytes, bytes]) -> None:
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin and origin not in (called, self._origin):
            raise NotAllowed(f"a page of {origin[:100]!r} may not change anything here")
        if not origin and headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise NotAllowed("a page of another site may not change anything here")


def _name_of(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
