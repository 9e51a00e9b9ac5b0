"""The `server` block and files of keys, resolved. No token is kept: a key that is written out becomes its hash at once."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import UNSET

from interlock.config.build_shelf import shaped
from interlock.config.project import KeySpec, ServerSpec, TlsSpec
from interlock.config.schema_project import KeyEntry, KeysFile, ServerEntry, TlsEntry
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.errors import ConfigError, Problem

API_KEY: Final = "apiKey"
"""What the one key of the project file is called in events and logs."""

SHORTEST: Final = 8

_VARIABLE: Final = re.compile(r"\$\{env:([A-Za-z_]\w*)\}")
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,62}")
_GLOB: Final = re.compile(r"[a-z0-9._*?-]{1,255}")
_LOOPBACK: Final = "127.0.0.1"


def digest_of(token: str) -> str:
    """Return what is kept of a token. Tokens are random and long, so that a plain hash tells nothing of them."""
    from hashlib import sha256  # it loads OpenSSL, which most commands can do without

    return sha256(token.encode()).hexdigest()


def build_server(entry: ServerEntry, source: Source, root: Path) -> ServerSpec:
    """Resolve the `server` block. Problems are noted; what they spoil stands at its default."""
    host, port = _address(entry.addr, source)
    keys = list(build_keys(entry.keys, source, ("server", "keys")))
    variable = _VARIABLE.fullmatch(entry.api_key)
    if entry.api_key and not variable:
        if "${" in entry.api_key:
            source.fail(("server", "apiKey"), "apiKey: is no reference to a variable", "write ${env:NAME}")
        elif len(entry.api_key) < SHORTEST:
            hint = "`interlock keys new` makes a good one"
            source.fail(("server", "apiKey"), f"apiKey: has fewer than {SHORTEST} characters", hint)
        else:
            keys.append(KeySpec(name=API_KEY, digest=digest_of(entry.api_key), roles=("admin",)))
    return ServerSpec(
        host=host,
        port=port,
        keys=tuple(keys),
        keys_file=_file(entry.keys_file, root, ("server", "keysFile"), source),
        key_variable=variable[1] if variable else "",
        max_request_body=entry.max_request_body,
        rate=entry.rate_limit.requests_per_second,
        burst=entry.rate_limit.burst,
        tls=_tls(entry, root, source),
        allow_public=entry.allow_public,
        public_url=_public_url(entry.public_url, source),
        trusted_proxies=_proxies(entry.trusted_proxies, source),
    )


def build_keys(entries: Sequence[KeyEntry], source: Source, at: Steps) -> tuple[KeySpec, ...]:
    """Resolve a list of keys; those with problems are left out."""
    found: dict[str, KeySpec] = {}
    for index, entry in enumerate(entries):
        path = (*at, index)
        digest = _DIGEST.fullmatch(entry.hash)
        before = len(source.problems)
        if problem := _misnamed(entry.name):
            source.fail((*path, "name"), problem)
        elif entry.name in found:
            source.fail((*path, "name"), f"there are two keys named {entry.name!r}", "give one another name")
        if digest is None:
            # Not shown: it may be a token that somebody took for its hash.
            hint = "`interlock keys new` prints the token and its hash"
            source.fail((*path, "hash"), "hash: expected sha256: and 64 hexadecimal digits", hint)
        if not entry.roles:
            source.fail(path, f"the key {entry.name!r} has no roles", "roles: [read]", "missing-key", on_key=True)
        for number, glob in enumerate(entry.pipelines):
            if problem := _matchless(glob):
                source.fail((*path, "pipelines", number), problem, "such as orders-*")
        if digest is not None and len(source.problems) == before:
            roles = tuple(dict.fromkeys(entry.roles))
            found[entry.name] = KeySpec(name=entry.name, digest=digest[1], roles=roles, pipelines=entry.pipelines)
    return tuple(found.values())


def check_key(name: str, pipelines: Sequence[str]) -> tuple[str, ...]:
    """Return what is wrong with the name of a key, and with the pipelines it is to be good for."""
    return tuple(filter(None, (_misnamed(name), *(_matchless(glob) for glob in pipelines))))


def _misnamed(name: str) -> str:
    fine = _NAME.fullmatch(name) and name != API_KEY
    return "" if fine else f"{name!r} is no name of a key: write letters, digits and @ . _ -"


def _matchless(glob: str) -> str:
    return "" if _GLOB.fullmatch(glob) else f"{glob!r} can match no pipeline's name"


def load_keys(path: Path) -> tuple[KeySpec, ...]:
    """Read a file of keys.

    Its hashes tell nothing, so it may be read by everybody; whoever may write it can let anybody in.

    Raises:
        ConfigError: it is not there, anything is wrong with it, or others than its owner may write it.
    """
    source = Source(str(path), str(path))
    keys: tuple[KeySpec, ...] = ()
    if source.read() is not None and not source.findings():
        said = shaped(source, source.data, KeysFile)
        keys = () if said is None else build_keys(said.keys, source, ("keys",))
        if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            message = "may be written by others than its owner, who could let anybody in"
            source.problems.append(Problem(source.name, 0, 0, message, f"chmod go-w {path}", "file"))
    if source.problems:
        raise ConfigError(source.problems)
    return keys


def _address(text: str, source: Source) -> tuple[str, int]:
    from ipaddress import ip_address

    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in host:
        try:
            fine = bare != host and ip_address(bare).version == 6
        except ValueError:
            fine = False
    else:
        fine = bare == host and not re.search(r"[\s/\[\]@]", host)
    if not fine or not colon or not (port.isascii() and port.isdigit()) or not 0 <= int(port[:6]) <= 65_535:
        source.fail(("server", "addr"), f"{text!r} is not an address, expected host:port such as 127.0.0.1:3000")
        return ServerSpec().host, ServerSpec().port
    return bare or _LOOPBACK, int(port)


def _file(text: str, root: Path, at: Steps, source: Source) -> Path | None:
    if not text:
        return None
    if "\0" in text:
        source.fail(at, f"{text!r} is no name of a file")
        return None
    return Path(os.path.normpath(root / text))


def _tls(entry: ServerEntry, root: Path, source: Source) -> TlsSpec | None:
    tls = entry.tls
    if not isinstance(tls, TlsEntry):
        assert tls is UNSET  # noqa: S101  (for the type checker)
        return None
    cert = _file(tls.cert_file, root, ("server", "tls", "certFile"), source)
    key = _file(tls.key_file, root, ("server", "tls", "keyFile"), source)
    if cert is None or key is None:
        source.fail(("server", "tls"), "tls needs the names of two files", "certFile: and keyFile:", on_key=True)
        return None
    authority = _file(tls.client_ca_file, root, ("server", "tls", "clientCaFile"), source)
    return TlsSpec(cert_file=cert, key_file=key, client_ca_file=authority)


def _public_url(text: str, source: Source) -> str:
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        fine = fine and parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        fine = False
    if not fine:
        message = f"publicUrl: {text!r} is not the address of a server, expected such as https://interlock.example.com"
        source.fail(("server", "publicUrl"), message, "without a path")
        return ""
    return text.rstrip("/")


def _proxies(listed: tuple[str, ...], source: Source) -> tuple[str, ...]:
    from ipaddress import ip_network

    found = []
    for index, text in enumerate(listed):
        try:
            found.append(str(ip_network(text)))
        except ValueError:
            message = f"trustedProxies: {text!r} is no address and no network"
            source.fail(("server", "trustedProxies", index), message, "such as 10.0.0.5 or 10.0.0.0/24")
    return tuple(found)
