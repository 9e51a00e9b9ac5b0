"""What the YAML files said the last time, so that a command need not parse thousands of them again.

Only the first half of loading is remembered, which is a pure function of one file's bytes: text to file struct. Which files
there are, what refers to what and whether evaluators exist is found out afresh every time, so a file that was added,
removed or renamed needs no thought here.

An entry counts only while size, both times and inode of its file are the same; and only if the file had not been touched
in the two seconds before the cache was written, since a second edit in the same tick of the file system's clock would look
the same. A cache that cannot be read is as good as none, and one that cannot be written is not written.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from interlock import reading
from interlock.config.schema import ArchetypeFile, CalendarFile, PipelineFile
from interlock.config.schema_project import ProjectFile
from interlock.config.source import Stamp
from interlock.version import __version__

KINDS: Final[dict[str, type[Any]]] = {
    "project": ProjectFile,
    "archetype": ArchetypeFile,
    "calendar": CalendarFile,
    "pipeline": PipelineFile,
}
PLACE: Final = Path(".interlock", "cache", "config.bin")

_RULES: Final = 2  # to be raised when the same text comes to mean another value
_SETTLED_NS: Final = 2_000_000_000

Entry = tuple[str, int, int, int, int, bytes]


class _Disk(msgspec.Struct, frozen=True, array_like=True):
    digest: str
    entries: dict[str, Entry]


_DISK: Final = msgspec.msgpack.Decoder(reading.learnt(_Disk))
_DECODERS: Final = {kind: msgspec.msgpack.Decoder(reading.learnt(shape)) for kind, shape in KINDS.items()}
_ENCODER: Final = msgspec.msgpack.Encoder()


class Cache:
    """The remembered file structs of one project. `at` is None for a cache that remembers nothing."""

    def __init__(self, at: Path | None) -> None:
        self._at = at
        self._known: dict[str, Entry] = {}
        self._used: dict[str, Entry] = {}
        self._changed = False
        self._settled_before = 0
        if at is not None:
            self._read(at)

    def _read(self, at: Path) -> None:
        # Whatever is wrong with it, the files themselves are there to be read.
        with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError, RecursionError), at.open("rb") as file:
            self._settled_before = os.fstat(file.fileno()).st_mtime_ns - _SETTLED_NS
            disk = _DISK.decode(file.read())
            if disk.digest == digest():
                self._known = disk.entries

    def get(self, name: str, kind: str, stamp: Stamp) -> Any:
        """Return what a file said, or None when that is not known for certain."""
        entry = self._known.get(name)
        if entry is None or entry[0] != kind or entry[1:5] != stamp:
            return None
        if stamp.mtime_ns >= self._settled_before or stamp.ctime_ns >= self._settled_before:
            return None
        try:
            found = _DECODERS[kind].decode(entry[5])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        self._used[name] = entry
        return found

    def put(self, name: str, kind: str, stamp: Stamp, said: msgspec.Struct) -> None:
        """Remember what a file says."""
        if self._at is not None:
            with contextlib.suppress(msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
                self._used[name] = (kind, *stamp, _ENCODER.encode(said))
                self._changed = True

    def save(self) -> None:
        """Write down what was used this time, if anything differs from what is written already."""
        if self._at is None or not (self._changed or self._used.keys() != self._known.keys()):
            return
        waiting = self._at.with_name(f".{self._at.name}.{os.getpid()}")
        with contextlib.suppress(OSError, ValueError):
            self._at.parent.mkdir(parents=True, exist_ok=True)
            # Only its owner may read it: an API key of the project file is in it.
            handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(_ENCODER.encode(_Disk(digest(), self._used)))
            waiting.replace(self._at)


def digest() -> str:
    """Return a text that changes whenever an old cache could be misread: with the version, the rules or a struct."""
    seen = blake2b(f"{__version__}/{_RULES}".encode(), digest_size=16)
    waiting = list(KINDS.values())
    done: set[type[Any]] = set()
    while waiting:
        shape = waiting.pop()
        if shape in done:
            continue
        done.add(shape)
        seen.update(f"{shape.__qualname__}{shape.__struct_encode_fields__}{shape.__annotations__}".encode())
        for value in shape.__struct_defaults__:
            seen.update(repr(value).encode())
            if isinstance(value, msgspec.Struct):
                waiting.append(type(value))
    return seen.hexdigest()
