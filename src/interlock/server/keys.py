"""Who asks: API keys, known by the hashes of their tokens."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from interlock.api.contract import IMPLIED, Role
from interlock.config.build_server import API_KEY, SHORTEST, digest_of, load_keys
from interlock.config.project import KeySpec, ServerSpec
from interlock.errors import ConfigError, NotAllowed

VARIABLE: Final = "INTERLOCK_SERVE_API_KEY"
"""The environment variable that may hold a key for everything, as `apiKey` does."""

PREFIX: Final = "ilk_"
_MADE: Final = re.compile(PREFIX.encode() + rb"[A-Za-z0-9_-]{43}")

_log: Final = logging.getLogger("interlock.server")


class Caller(NamedTuple):
    """Who asks, and what of. Without `pipelines` it is all of them."""

    name: str
    roles: frozenset[Role]
    pipelines: tuple[str, ...] = ()

    @property
    def actor(self) -> str:
        """The name for the record."""
        return f"api:{self.name}"

    def require(self, role: Role) -> None:
        """Raise unless the caller has a role.

        Raises:
            NotAllowed: it has not.
        """
        if role not in self.roles:
            held = ", ".join(sorted(self.roles))
            raise NotAllowed(f"this takes a key with the role {role}; the key {self.name!r} has {held}")

    def require_pipeline(self, pipeline: str | None) -> None:
        """Raise unless the caller may touch a pipeline; None stands for what is about more than one.

        Raises:
            NotAllowed: it may not.
        """
        if not self.pipelines:
            return
        if pipeline is None:
            raise NotAllowed(f"this is about the whole fleet; the key {self.name!r} is good for some pipelines only")
        if not any(fnmatchcase(pipeline, glob) for glob in self.pipelines):
            raise NotAllowed(f"the key {self.name!r} is not good for the pipeline {pipeline!r}")


LOCAL: Final = Caller("local", frozenset(Role))
"""Everybody, where there are no keys: the server listens on loopback alone, or somebody wrote that it is to be open."""


class NewKey(NamedTuple):
    """A key just made: the token is nowhere else."""

    token: str
    hash: str


def new_key() -> NewKey:
    """Make a token of 256 random bits, and what is kept of it."""
    token = PREFIX + secrets.token_urlsafe(32)
    return NewKey(token, f"sha256:{digest_of(token)}")


def cannot_be_guessed(token: bytes) -> bool:
    """Say whether a token looks as `new_key` makes them: trying those out leads nowhere, however many are tried."""
    return _MADE.fullmatch(token) is not None


class KeyRing:
    """All the keys. The file of keys is read again when it has changed, so that a key can be taken away at once."""

    def __init__(self, fixed: Sequence[KeySpec], file: Path | None = None) -> None:
        self._fixed = tuple(fixed)
        self._file = file
        self._stamp = _stamp(file)
        self._keys = _checked((*self._fixed, *(load_keys(file) if file else ())))

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def needed(self) -> bool:
        """Whether callers need a key. A file that holds none lets nobody in, rather than everybody."""
        return bool(self._keys) or self._file is not None

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Everybody who holds a key."""
        return tuple(caller for _, caller in self._keys)

    def find(self, token: bytes) -> Caller | None:
        """Return who holds a token. How long it takes says nothing about the keys."""
        asked = sha256(token).hexdigest()
        found = None
        for digest, caller in self._keys:
            if hmac.compare_digest(digest, asked):
                found = caller
        return found

    def look_again(self) -> None:
        """Read the file of keys if it has changed. One that cannot be used leaves the keys as they were, and is logged."""
        stamp = _stamp(self._file)
        if self._file is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _checked((*self._fixed, *load_keys(self._file)))
        except (ConfigError, OSError) as exc:
            _log.error("the file of keys has changed and cannot be used; the keys before are still good: %s", exc)
        else:
            _log.info("the file of keys has changed; there are %d keys now", len(self._keys))


def ring_of(spec: ServerSpec, env: Mapping[str, str]) -> KeyRing:
    """Collect the keys that are configured.

    Raises:
        ConfigError: one of them cannot be used.
    """
    found = list(spec.keys)
    for name in filter(None, (spec.key_variable, VARIABLE if env.get(VARIABLE) else "")):
        token = env.get(name, "")
        if len(token) < SHORTEST:
            what = f"has fewer than {SHORTEST} characters" if token else "is not set"
            raise ConfigError(f"the API key is to come from the environment variable {name}, which {what}")
        digest = digest_of(token)
        if all(digest != each.digest for each in found):
            label = API_KEY if name == spec.key_variable else VARIABLE
            found.append(KeySpec(name=label, digest=digest, roles=(Role.ADMIN.value,)))
    return KeyRing(found, spec.keys_file)


def require_guarded(spec: ServerSpec, ring: KeyRing) -> None:
    """Refuse to let everybody on the network in by mistake.

    Raises:
        ConfigError: it would listen beyond loopback without any key.
    """
    if is_loopback(spec.host) or ring.needed or spec.allow_public:
        return
    raise ConfigError(
        f"{spec.addr} can be reached from other machines, and there is no API key: anybody could start and stop jobs. "
        "Add a key (`interlock keys new`), listen on 127.0.0.1, or write server.allowPublic: true"
    )


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def _checked(keys: Sequence[KeySpec]) -> tuple[tuple[str, Caller], ...]:
    names: set[str] = set()
    digests: set[str] = set()
    for key in keys:
        if key.name in names:
            raise ConfigError(f"there are two API keys named {key.name!r}: give one another name")
        if key.digest in digests:
            raise ConfigError(f"the API key {key.name!r} has the token of another key: make a new one")
        names.add(key.name)
        digests.add(key.digest)
    return tuple((key.digest, _caller(key)) for key in keys)


def _caller(key: KeySpec) -> Caller:
    roles = frozenset[Role]().union(*(IMPLIED[Role(role)] for role in key.roles))
    return Caller(key.name, roles, key.pipelines)


def _stamp(file: Path | None) -> tuple[int, ...]:
    if file is None:
        return ()
    try:
        found = file.stat()
    except OSError:
        return (0,)
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
