"""Every exception Interlock raises on purpose.

    InterlockError
    ├── ConfigError            what a person wrote cannot be used; carries every problem found
    │   ├── UnknownPlugin      no such kind of store, evaluator, trigger or sink
    │   └── MissingExtra       the kind exists, its optional dependency is not installed
    ├── StoreError
    │   ├── StoreUnavailable   try again; the write may or may not have happened
    │   ├── StoreEmpty         nothing is in it yet, and it was opened for looking only
    │   ├── StoreTooNew        written by a later Interlock
    │   ├── NotDeployed        no project was deployed into the store that functions go by
    │   └── UnreadableRecord   a row that cannot be decoded
    ├── TriggerError           a job could not be started, looked at or stopped
    ├── SinkError              an alert was not delivered
    ├── SecretError            a secret that the project names cannot be had
    ├── Contention             lost the same race too often
    ├── UnsafeDecision         the core decided something a safety constraint forbids
    ├── NotFound
    ├── Invalid                what was asked cannot be understood
    │   └── Unregistrable      (a ConfigError too) such a pipeline cannot be registered; carries every problem found
    ├── Declined               what was asked is understood, and not done
    │   ├── NotReady           the traits say no, or could not tell
    │   ├── Conflict           already running, already done, or told otherwise before
    │   ├── Refused            before its window, after it, excluded, paused, used up
    │   ├── Unauthorized       nobody knows who asks
    │   ├── NotAllowed         who asks may not do this
    │   └── Busy               too much at once; later it may be done
    └── ServerUnavailable      a server did not answer; what was asked may or may not have been done

A failing evaluator is not an exception: it is a result with a category. A lost race is not an exception: it is ``False``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing wrong in one file. Lines and columns count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    rule: str = "config"

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column}"
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class InterlockError(Exception):
    """The root of the tree: catch this to catch everything Interlock raises on purpose."""


class ConfigError(InterlockError):
    """What a person wrote cannot be used. ``problems`` holds all of it, in file and line order."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = () if isinstance(problems, str) else tuple(problems)
        super().__init__(problems if isinstance(problems, str) else "\n".join(map(str, problems)))


class UnknownPlugin(ConfigError):
    """No store, evaluator, trigger or sink of that name exists."""


class MissingExtra(ConfigError):
    """The adapter exists, but what it stands on is not installed; the message says what to install."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs an optional dependency: pip install 'interlock[{extra}]'")


class StoreError(InterlockError):
    """The store could not do what was asked; the message names the operation and the key."""


class StoreUnavailable(StoreError):
    """The store did not answer. A write may have happened: read again before deciding again."""


class StoreEmpty(StoreError):
    """Nothing is in the store yet, and it was opened for looking only: whoever writes first makes it."""


class StoreTooNew(StoreError):
    """The store was written by a later version of Interlock, and is left untouched."""


class NotDeployed(StoreError):
    """No project was deployed into a store from which functions read theirs: nothing can be decided there."""


class UnreadableRecord(StoreError):
    """A stored row cannot be decoded. It is never skipped: a forgotten fact is an unsafe one.

    ``cursor`` is its place in its listing, where that is known: whoever copies everything goes on behind it.
    """

    def __init__(self, message: str, *, cursor: str = "") -> None:
        self.cursor = cursor
        super().__init__(message)


class TriggerError(InterlockError):
    """A job could not be started, looked at or stopped.

    ``category`` is the text of a `FailureCategory`; ``started`` is False when it is certain that nothing was
    started, True when it is certain that something was, and None when that cannot be known.
    """

    def __init__(self, message: str, *, category: str = "TRANSIENT", started: bool | None = None) -> None:
        self.category = category
        self.started = started
        super().__init__(message)


class SinkError(InterlockError):
    """An alert was not delivered.

    ``retryable`` is False where another try cannot help; ``retry_after`` is how long the receiver asks to be left alone.
    """

    def __init__(self, message: str, *, retryable: bool = True, retry_after: timedelta | None = None) -> None:
        self.retryable = retryable
        self.retry_after = retry_after
        super().__init__(message)


class SecretError(InterlockError):
    """A secret that the project names cannot be had; ``retryable`` is whether another try may get it."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)


class Contention(InterlockError):
    """Somebody else was faster every time; nothing was written."""


class UnsafeDecision(InterlockError):
    """A decision broke a safety constraint and was not committed. This is a bug in Interlock."""


class NotFound(InterlockError):
    """The named pipeline, run or file does not exist. `details` is for programs, as those of `Declined`."""

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        self.details: Mapping[str, object] = dict(details or {})
        super().__init__(message)


class Invalid(InterlockError):
    """What was asked cannot be understood: a value is missing, of the wrong type, or contradicts another."""


class Unregistrable(Invalid, ConfigError):
    """A pipeline that was handed in cannot be registered at all: its name, its archetype or its kind of trigger."""


class Declined(InterlockError):
    """What was asked is understood, and not done. Nothing was changed by it, but for what `details` says.

    `details` is for programs: a JSON object that goes into the answer beside the message.
    """

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        self.details: Mapping[str, object] = dict(details or {})
        super().__init__(message)


class NotReady(Declined):
    """The traits say no, or, with ``undecided`` in the details, could not tell. Nothing was started."""


class Conflict(Declined):
    """It is already running, already done, or was told otherwise before."""


class Refused(Declined):
    """Something speaks against it: it is before its window or after it, excluded, paused, or used up."""


class Unauthorized(Declined):
    """Nobody knows who asks: the key is missing or unknown."""


class NotAllowed(Declined):
    """Who asks is known, and may not do this."""


class Busy(Declined):
    """Too much is asked at once. ``retry_after`` is when it may be asked again."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class ServerUnavailable(InterlockError):
    """A server did not answer, or said that it cannot now. What was asked may or may not have been done."""
