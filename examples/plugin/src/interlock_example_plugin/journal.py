"""A file of lines that many processes of one machine append to: each line whole and durable, one writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from interlock.errors import StoreError, StoreUnavailable

_STEP: Final = 0.002


class Journal:
    """Appends lines, and reads on from where it read last. Not safe for threads: whoever uses it takes turns.

    `patience` is how long to wait for other processes.
    """

    def __init__(self, path: Path, *, patience: timedelta, read_only: bool) -> None:
        self._path = path
        self._patience = patience.total_seconds()
        flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        self._end = 0  # behind the last whole line that was read

    @property
    def end(self) -> int:
        """Where the next line begins."""
        return self._end

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def is_current(self) -> bool:
        """Say whether everything in the file was read.

        Raises:
            StoreUnavailable: another file is in its place, or none.
        """
        here = os.fstat(self._file)
        try:
            same = os.path.samestat(here, self._path.stat())
        except FileNotFoundError:
            same = False
        if not same:
            raise StoreUnavailable(
                f"{self._path} was removed or replaced while it was open: stop everybody, put it back"
            )
        return here.st_size == self._end

    @contextmanager
    def held(self, *, to_write: bool) -> Iterator[None]:
        """Keep writers out, and everybody when it is to write.

        Raises:
            StoreUnavailable: somebody else holds the file for too long.
        """
        deadline = monotonic() + self._patience
        while not self._lock(fcntl.LOCK_EX if to_write else fcntl.LOCK_SH):
            if monotonic() >= deadline:
                raise StoreUnavailable(f"{self._path} is held by another process for more than {self._patience:g} s")
            Event().wait(_STEP)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def news(self) -> list[bytes]:
        """Return the whole lines that were not read yet. What a writer left behind when it died is no whole line."""
        data = bytearray()
        while more := os.pread(self._file, 1 << 20, self._end + len(data)):
            data += more
        whole = data[: data.rfind(b"\n") + 1]
        self._end += len(whole)
        return bytes(whole).split(b"\n")[:-1]

    def append(self, line: bytes) -> None:
        """Add a line, in place of what a dead writer may have begun. Everything must have been read, and be held.

        Raises:
            StoreUnavailable: it may be there or not.
        """
        try:
            os.ftruncate(self._file, self._end)
            written = os.write(self._file, line + b"\n")
            os.fsync(self._file)
        except OSError as exc:
            raise StoreUnavailable(f"{self._path} could not be written: {exc.strerror}") from exc
        if written <= len(line):
            raise StoreUnavailable(f"a line of {self._path} was written only in part: is the disk full?")
        self._end += written

    def begin(self) -> None:
        """Let the name of a new file be as durable as its content."""
        place = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(place)
        except OSError as exc:
            raise StoreError(f"{self._path.parent} cannot be written: {exc.strerror}") from exc
        finally:
            os.close(place)

    def _lock(self, how: int) -> bool:
        try:
            fcntl.flock(self._file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
