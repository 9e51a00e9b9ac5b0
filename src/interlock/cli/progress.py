"""Saying what is being waited for, to people who have waited for a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from interlock.cli.output import faint, tell

PATIENCE = 1.0


class Waiting:
    """A line on stderr, told once when its time has come, unless something else was said before."""

    def __init__(self, words: str, *, quiet: bool = False) -> None:
        self._timer = Timer(PATIENCE, tell, (faint(words),))
        self._timer.daemon = True
        self._quiet = quiet

    def begin(self) -> None:
        """Let the time run."""
        if not self._quiet:
            self._timer.start()

    def end(self) -> None:
        """Say nothing any more."""
        self._timer.cancel()


@contextmanager
def patience(words: str, *, quiet: bool = False) -> Iterator[Waiting]:
    """Tell what is being waited for, once it takes longer than a second."""
    waiting = Waiting(words, quiet=quiet)
    waiting.begin()
    try:
        yield waiting
    finally:
        waiting.end()


def watched() -> bool:
    """Say whether anybody reads along. Cron mails whatever is printed, so that progress is for terminals alone."""
    return sys.stderr is not None and sys.stderr.isatty()
