"""Append alerts and lifecycle events to a file, one JSON object a line."""

from __future__ import annotations

import fcntl
import os
from datetime import timedelta
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from interlock.codec.alerts import lifecycle_json, notice_json
from interlock.core.alerts import LifecycleEvent, Notice
from interlock.errors import SinkError
from interlock.sinks.context import SinkContext

_STEP: Final = 0.005


class FileConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where to write."""

    path: Annotated[str, Meta(min_length=1, description="The file, relative to the project. Its folder must exist.")]


class FileSink:
    """Appends each notice, or each lifecycle event, in one write, and makes it durable.

    The file is opened anew each time, so that it may be rotated at any time.
    """

    Config = FileConfig

    def __init__(self, config: FileConfig, context: SinkContext) -> None:
        self._path = context.root / config.path

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Append the notice; two processes that append at once do not mix their lines.

        Raises:
            SinkError: the file cannot be written, is held by somebody else, or took only a part of the line.
        """
        self._write(notice_json(notice), "alert", timeout)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Append the event; two processes that append at once do not mix their lines.

        Raises:
            SinkError: as for `deliver`.
        """
        self._write(lifecycle_json(event), "event", timeout)

    def _write(self, text: bytes, what: str, timeout: timedelta) -> None:
        try:
            self._append(text + b"\n", monotonic() + timeout.total_seconds())
        except (OSError, ValueError) as exc:  # a path with a NUL in it is a ValueError
            reason = (exc.strerror if isinstance(exc, OSError) else "") or exc
            raise SinkError(f"the {what} could not be written to {self._path}: {reason}") from exc

    def _append(self, line: bytes, deadline: float) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # Held while it is looked at and written: a line that another process is just writing looks like one cut short.
            _hold(file, deadline)
            if not _ends_a_line(file):
                # A disk that was full cut the last line short; this one must not be glued to it.
                line = b"\n" + line
            written = os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)
        if written < len(line):
            raise SinkError(f"a line was written to {self._path} only in part: is the disk full?")


def _hold(file: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if monotonic() >= deadline:
                raise SinkError("the file is held by another process") from exc
        Event().wait(_STEP)


def _ends_a_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return size == 0 or os.pread(file, 1, size - 1) == b"\n"


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink, Subscriber

    def _is_both(it: FileSink) -> tuple[Sink, Subscriber]:
        return it, it
