"""The scripts that run inside the server. They are called by their digest; a server that has none of it is sent the text."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import Final, NamedTuple

_HERE: Final = Path(__file__).parent


class Script(NamedTuple):
    """A script and the digest by which a server knows it."""

    text: bytes
    digest: str


class Scripts(NamedTuple):
    """All of ours."""

    commit: Script
    purge: Script
    rows: Script


def load_scripts() -> Scripts:
    """Read the scripts that lie beside this module."""
    shared = _text("forget")
    return Scripts(_script(shared + _text("commit")), _script(shared + _text("purge")), _script(_text("rows")))


def _text(name: str) -> bytes:
    return (_HERE / f"{name}.lua").read_bytes()


def _script(text: bytes) -> Script:
    # SHA-1 is how Redis names scripts; nothing is kept secret or proved by it.
    return Script(text, sha1(text, usedforsecurity=False).hexdigest())
