"""How to reach a Redis or Valkey, and what it is called in messages: never with its password."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from interlock.errors import StoreError

_SCHEMES: Final = ("redis", "rediss", "unix")
_PORT: Final = 6379
_HIDDEN: Final = "***"


class RedisOptions(Struct, frozen=True, kw_only=True):
    """Where the server is and how its keys begin.

    `url` is `redis://`, `rediss://` (with TLS) or `unix://`, and may carry user, password and database; `username`,
    `password` and `db` go before what it carries. `timeout` is how long to wait for a connection, and for an answer.
    With `wait_replicas` a commit counts only when so many replicas have it. `cluster` is for a Redis Cluster.
    """

    url: str = "redis://localhost:6379"
    username: str = ""
    password: str = ""
    db: int | None = None
    key_prefix: str = "interlock:"
    cluster: bool = False
    wait_replicas: int = 0
    timeout: timedelta = timedelta(seconds=5)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __repr__(self) -> str:
        return f"RedisOptions({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name the fields as they may be shown."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["password"] = self.password and _HIDDEN
        shown["url"] = _without_secrets(self.url)
        return list(shown.items())


class Address(NamedTuple):
    """One server: a path to its socket, or a host and a port."""

    host: str
    port: int
    path: str = ""


class Access(Struct, frozen=True, kw_only=True):
    """The options, read once: what a connection needs besides its address."""

    address: Address
    tls: bool
    username: str | None
    password: str | None
    db: int
    timeout: float
    files: tuple[str, str, str]

    @property
    def label(self) -> str:
        """What the store is called in messages."""
        return self.named(self.address)

    def named(self, address: Address) -> str:
        """Return what a server of this store is called in messages."""
        if address.path:
            return f"unix://{address.path}" + (f" database {self.db}" if self.db else "")
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"{'rediss' if self.tls else 'redis'}://{host}:{address.port}/{self.db}"

    def arguments(self, address: Address) -> dict[str, Any]:
        """Return what redis-py's connection to one server of this store is made with."""
        shared: dict[str, Any] = {
            "db": self.db,
            "username": self.username,
            "password": self.password,
            "socket_timeout": self.timeout,
            # RESP2 needs no handshake, and nothing arrives that was not asked for.
            "protocol": 2,
        }
        if address.path:
            return {**shared, "path": address.path}
        shared |= {
            "host": address.host,
            "port": address.port,
            "socket_connect_timeout": self.timeout,
            "socket_keepalive": True,
        }
        if self.tls:
            ca_file, cert_file, key_file = (file or None for file in self.files)
            shared |= {"ssl_ca_certs": ca_file, "ssl_certfile": cert_file, "ssl_keyfile": key_file}
        return shared


def access_of(options: RedisOptions) -> Access:
    """Read the options.

    Raises:
        StoreError: they contradict each other, or the URL is none of ours.
    """
    # What is wrong with a URL is told without quoting it: its password may stand at any place of it.
    parts = urlsplit(options.url)
    if parts.scheme not in _SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise _wrong(f"its URL begins with {parts.scheme + '://' if parts.scheme else 'no scheme'}, not with {known}")
    try:
        host, port = parts.hostname or "localhost", parts.port or _PORT
    except ValueError:
        raise _wrong("its URL has no number for a port. In a password, write / as %2F, # as %23 and @ as %40") from None
    if parts.fragment:
        raise _wrong("its URL has a # in it. In a password, write it as %23")
    path = unquote(parts.path) if parts.scheme == "unix" else ""
    if parts.scheme == "unix" and not path:
        raise _wrong("its URL names no socket: write unix:///path/to/redis.sock")
    access = Access(
        address=Address("", 0, path) if path else Address(unquote(host), port),
        tls=parts.scheme == "rediss",
        username=options.username or unquote(parts.username or "") or None,
        password=options.password or unquote(parts.password or "") or None,
        db=_database(options, parts.path if not path else "", parts.query),
        timeout=options.timeout.total_seconds(),
        files=(options.ca_file, options.cert_file, options.key_file),
    )
    _check(options, access)
    return access


def _database(options: RedisOptions, path: str, query: str) -> int:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    text = asked.pop("db", "") or path.strip("/")
    if asked:
        raise _wrong(f"its URL asks for {', '.join(sorted(asked))}; only db can be asked for there")
    if options.db is not None:
        return options.db
    if text and not (text.isascii() and text.isdecimal()):
        raise _wrong("what its URL has behind the last / is no number of a database")
    return int(text or 0)


def _check(options: RedisOptions, access: Access) -> None:
    faults = {
        "its timeout has to be more than nothing": access.timeout <= 0,
        "neither its database nor the number of replicas to wait for can be below 0": min(
            access.db, options.wait_replicas
        )
        < 0,
        "it has a user name and no password": access.username and not access.password,
        "its key prefix holds half a character (a lone surrogate)": any(
            "\ud800" <= c <= "\udfff" for c in options.key_prefix
        ),
        "it names files for TLS, and its URL is without TLS: write rediss://": any(access.files) and not access.tls,
        "it names a key without its certificate: give certFile too": access.files[2] and not access.files[1],
        **(_faults_of_a_cluster(options, access) if options.cluster else {}),
        **{f"there is no file {file}": not Path(file).is_file() for file in access.files if file},
    }
    for fault, found in faults.items():
        if found:
            raise _wrong(fault)


def _faults_of_a_cluster(options: RedisOptions, access: Access) -> dict[str, object]:
    opening = options.key_prefix.find("{")
    return {
        "the members of a cluster are not reached through a socket: give redis:// or rediss://": access.address.path,
        f"a cluster has database 0 only, not {access.db}: tell projects apart by keyPrefix": access.db,
        "its key prefix holds {} as its first braces, by which a cluster would tear its keys apart": (
            opening >= 0 and options.key_prefix[opening + 1 : opening + 2] == "}"
        ),
    }


def _wrong(what: str) -> StoreError:
    return StoreError(f"the settings of the Redis store cannot be used: {what}. Nothing was read or written")


def _without_secrets(url: str) -> str:
    before, at, after = url.rpartition("@")
    if not at:
        return url
    scheme, _, _ = before.partition("://")
    return f"{scheme}://{_HIDDEN}@{after}"
