"""What an exit code means, and which one every kind of trouble has: the one table."""

from __future__ import annotations

import enum
from typing import Final

from interlock.errors import (
    Busy,
    ConfigError,
    Conflict,
    Contention,
    InterlockError,
    Invalid,
    NotAllowed,
    NotFound,
    NotReady,
    Refused,
    ServerUnavailable,
    StoreUnavailable,
    TriggerError,
    Unauthorized,
)


class Exit(enum.IntEnum):
    """The exit codes, after grep's example: 0 yes, 1 no, the rest says why there is no answer."""

    DONE = 0
    NOT_READY = 1
    USAGE = 2
    UNDECIDED = 3
    JOB_FAILED = 4
    TIMED_OUT = 6
    CONFLICT = 7
    NOT_FOUND = 8
    REFUSED = 9
    MISSED = 10
    TRY_LATER = 75
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: Final[dict[Exit, str]] = {
    Exit.DONE: "READY, or done",
    Exit.NOT_READY: "decided, and the answer is no",
    Exit.USAGE: "the command line or the configuration cannot be used",
    Exit.UNDECIDED: "no decision: an evaluator or the store failed",
    Exit.JOB_FAILED: "the job failed",
    Exit.TIMED_OUT: "the time to wait was over",
    Exit.CONFLICT: "already running, already done, or told otherwise before",
    Exit.NOT_FOUND: "no such pipeline, run or file",
    Exit.REFUSED: "refused: before its window, after it, excluded or paused",
    Exit.MISSED: "a deadline is missed",
    Exit.TRY_LATER: "try again later",
    Exit.INTERRUPTED: "interrupted",
    Exit.TERMINATED: "terminated",
}

_TROUBLE: Final[tuple[tuple[type[Exception], Exit], ...]] = (
    (ConfigError, Exit.USAGE),
    (Invalid, Exit.USAGE),
    (Unauthorized, Exit.USAGE),
    (NotAllowed, Exit.REFUSED),
    (Conflict, Exit.CONFLICT),
    (Refused, Exit.REFUSED),
    (Busy, Exit.TRY_LATER),
    (ServerUnavailable, Exit.TRY_LATER),
    (NotFound, Exit.NOT_FOUND),
    (StoreUnavailable, Exit.TRY_LATER),
    (Contention, Exit.TRY_LATER),
    (TriggerError, Exit.JOB_FAILED),
    (InterlockError, Exit.UNDECIDED),
    (OSError, Exit.UNDECIDED),
)


class Leave(Exception):
    """Leave the command with a code. A message, if any, goes to stderr."""

    def __init__(self, code: Exit, message: str = "") -> None:
        self.code = code
        super().__init__(message)


def exit_of(error: Exception) -> Exit:
    """Return the code for an exception; one that nobody foresaw is an undecided answer, never a yes."""
    if isinstance(error, NotReady):
        return Exit.UNDECIDED if error.details.get("undecided") else Exit.NOT_READY
    return next((code for kind, code in _TROUBLE if isinstance(error, kind)), Exit.UNDECIDED)


def parse_exit_map(text: str) -> dict[int, int]:
    """Read `not_ready=99,undecided=1` into a mapping of codes.

    Raises:
        ValueError: a name or a number in it is unknown.
    """
    chosen: dict[int, int] = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        known = {code.name.lower(): code for code in Exit}
        if name not in known:
            raise ValueError(f"no exit code is called {name!r}: there are {', '.join(known)}")
        if not number.isascii() or not number.isdigit() or int(number) > 255:
            raise ValueError(f"an exit code is a number between 0 and 255, not {number!r}")
        if int(number) == 0 and known[name] is not Exit.DONE:
            raise ValueError(f"{name} cannot be mapped to 0: a caller would take it for READY")
        chosen[known[name]] = int(number)
    return chosen
