"""Waking the watchers of this machine at once: a socket of each in the project's state directory, and a byte to each.

It is a courtesy: a watcher that is not woken finds what is due within a second by looking. So nothing here is ever in the
way of what rings: no socket, a full one, a dead one or no place to put one, are all as good as nobody being there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import tempfile
from datetime import timedelta
from hashlib import blake2b
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PLACE: Final = "bells"
_LONGEST: Final = 100
"""What the address of a socket may be long at most, everywhere."""

_NUMBERS: Final = count()
_GONE: Final = frozenset({errno.ECONNREFUSED, errno.ENOENT, errno.ENOTSOCK, errno.EPROTOTYPE})


class Bell:
    """Hears the rings of other processes, and the pokes of this one. Use it in a `with` statement.

    Without a `place`, or where no socket can be made, only pokes are heard.
    """

    def __init__(self, place: Path | None = None) -> None:
        self._heard, self._poking = socket.socketpair()
        self._outer: socket.socket | None = None
        self._path: Path | None = None
        for each in (self._heard, self._poking):
            each.settimeout(0)
        if place is not None:
            with contextlib.suppress(OSError):
                self._listen(place)

    def _listen(self, place: Path) -> None:
        path = place / f"{os.getpid()}-{next(_NUMBERS)}.sock"
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        outer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            outer.settimeout(0)
            path.unlink(missing_ok=True)  # of a process that had this number before
            outer.bind(str(path))
        except OSError:
            outer.close()
            raise
        self._outer, self._path = outer, path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hear nothing any more."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
        for each in (self._outer, self._heard, self._poking):
            if each is not None:
                each.close()

    def poke(self) -> None:
        """End the present wait, or the next one. Safe from any thread and from a signal's handler."""
        with contextlib.suppress(OSError):
            self._poking.send(b"!")

    def wait(self, span: timedelta) -> bool:
        """Wait for a span, or until somebody rings or pokes; say whether somebody did."""
        ears = [each for each in (self._heard, self._outer) if each is not None]
        ready, _, _ = select.select(ears, [], [], max(span.total_seconds(), 0.0))
        for each in ready:
            with contextlib.suppress(OSError):
                while each.recv(64):  # however many rang meanwhile, once is enough
                    pass
        return bool(ready)


def place_of(state_dir: Path) -> Path:
    """Return where the sockets of a project are: beside its state, or where addresses are short when that is too long."""
    usual = state_dir / PLACE
    if len(os.fsencode(usual)) + len("/4194304-999999.sock") <= _LONGEST:
        return usual
    name = blake2b(os.fsencode(usual), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"interlock-{os.getuid()}-{name}"


def ring(place: Path) -> int:
    """Wake every watcher that listens here; return how many were reached. Never waits, never fails."""
    try:
        if place.stat().st_uid != os.getuid() or place.stat().st_mode & stat.S_IWOTH:
            return 0  # somebody else's directory in a place that all may write to
        names = [name for name in os.listdir(place) if name.endswith(".sock")]  # noqa: PTH208  (no object for each)
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if names else None
    except OSError:
        return 0
    if caller is None:
        return 0
    with caller:
        caller.settimeout(0)
        return sum(_rung(caller, place / name) for name in names)


def _rung(caller: socket.socket, path: Path) -> bool:
    try:
        caller.sendto(b"!", str(path))
    except OSError as exc:
        if exc.errno in _GONE:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        return exc.errno in (errno.EAGAIN, errno.ENOBUFS)  # it has been rung so often that it is awake
    return True
