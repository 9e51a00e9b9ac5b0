"""Calls to DynamoDB, repeated where that is safe and useful, and never where it is not.

A call that was throttled or met another transaction did nothing and is tried again until its time is up. A call of unknown
outcome (its answer was lost, or the server broke down) is tried again only when it reads, or carries a token by which
DynamoDB knows it again: then both are one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import count
from threading import Condition, Event
from time import monotonic
from typing import Any, Final
from zlib import crc32

from botocore.exceptions import ClientError

from interlock.clients.aws_outcomes import FAILURES, Outcome
from interlock.clients.forks import Opener
from interlock.errors import StoreUnavailable
from interlock.stores.dynamodb.errors import translated
from interlock.stores.dynamodb.outcomes import outcome_of

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_LOST_TWICE: Final = 2  # so often an idle connection may turn out to be closed; more is no accident
_WRITES: Final = frozenset({"put_item", "delete_item", "transact_write_items", "batch_write_item"})
_TOKEN: Final = "ClientRequestToken"  # noqa: S105  (no secret: it names a request)


class Refused(Exception):
    """DynamoDB's own answer that something was not done: the caller knows what it means."""

    def __init__(self, why: ClientError, *, unknown: bool) -> None:
        self.why = why
        self.unknown = unknown
        super().__init__(str(why))


class Calls:
    """A client, the time it may take, and who may use it: this process, until it is closed."""

    def __init__(self, client: Any, address: str, timeout: float) -> None:
        self.client = client
        self.address = address
        self.timeout = timeout
        self._opener = Opener()
        self._changed = Condition()
        self._inside = 0
        self._open = True
        self._seed = secrets.token_hex(4)
        self._numbers = count()

    def read(self, operation: str, **request: Any) -> dict[str, Any]:
        """Make a call that changes nothing, again if need be.

        Raises:
            StoreUnavailable: it did not answer in time.
            StoreError: trying again would not help.
        """
        try:
            return self._ask(operation, request, repeatable=True)
        except Refused as exc:
            raise translated(exc.why, self.address, "read") from exc.why

    def write(self, operation: str, **request: Any) -> None:
        """Make a conditional call, once; again only if it is certain that nothing was done.

        Raises:
            Refused: DynamoDB's answer is no; nothing was done.
            StoreUnavailable: it may or may not have happened.
        """
        self._ask(operation, request, repeatable=False)

    def transact(self, **request: Any) -> None:
        """Make the writes of a transaction, however often it is asked for.

        Raises:
            Refused: DynamoDB's answer is no; nothing was done.
            StoreUnavailable: it may or may not have happened.
        """
        self._ask("transact_write_items", {**request, _TOKEN: _token()}, repeatable=True)

    def repeat(self, operation: str, **request: Any) -> dict[str, Any]:
        """Write what is the same however often it is written.

        Raises:
            StoreUnavailable: some of it may have been written.
            StoreError: trying again would not help.
        """
        try:
            return self._ask(operation, request, repeatable=True)
        except Refused as exc:
            raise translated(exc.why, self.address, "write", unknown=exc.unknown) from exc.why

    def once(self, operation: str, **request: Any) -> dict[str, Any]:
        """Make a call about the table itself.

        Raises:
            Refused: DynamoDB's answer is no.
            StoreUnavailable: it did not answer in time.
        """
        return self._ask(operation, request, repeatable=True)

    def turns(self) -> Iterator[None]:
        """Wait a little longer before each turn, and give up when the time is up.

        Raises:
            StoreUnavailable: it is.
        """
        deadline = monotonic() + self.timeout
        for attempt in count():
            if monotonic() > deadline:
                raise StoreUnavailable(
                    f"cannot read or write {self.address}: it is throttled. Try again later, or raise its capacity"
                )
            Event().wait(self._pause(attempt))
            yield

    def _ask(self, operation: str, request: dict[str, Any], *, repeatable: bool) -> dict[str, Any]:
        deadline = monotonic() + self.timeout
        unknown = False
        lost = 0
        for attempt in count():
            try:
                answer: dict[str, Any] = getattr(self.client, operation)(**request)
            except FAILURES as exc:
                outcome = outcome_of(exc)
                lost += outcome in (Outcome.UNKNOWN, Outcome.UNSENT) and not isinstance(exc, ClientError)
                pause = self._pause(attempt)
                again = (outcome is not Outcome.UNKNOWN or repeatable) and lost <= _LOST_TWICE
                if outcome is Outcome.FINAL or not again or monotonic() + pause > deadline:
                    if isinstance(exc, ClientError) and outcome is Outcome.FINAL:
                        raise Refused(exc, unknown=unknown) from exc
                    doing = "write" if operation in _WRITES else "read"
                    raise translated(exc, self.address, doing, unknown=unknown) from exc
                unknown |= outcome is Outcome.UNKNOWN
                if _TOKEN in request and not unknown:
                    # All of its tries did nothing for certain. A new name makes sure that none of them is remembered.
                    request[_TOKEN] = _token()
            else:
                return answer
            Event().wait(pause)
        raise AssertionError

    def _pause(self, attempt: int) -> float:
        """Return how long to wait before another try: half to all of a span that doubles, different for each who waits."""
        draw = crc32(f"{self._seed}/{next(self._numbers)}".encode()) / 2**32
        return min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE) * (1 + draw) / 2

    # ------------------------------------------------------------ who may call, and until when

    def __enter__(self) -> None:
        self._opener.refuse_fork(self.address)
        with self._changed:
            if not self._open:
                raise StoreUnavailable(f"{self.address} is closed: nothing can be read or written any more")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let in nobody any more, wait for those inside, and let go of the connections. In a fork it does nothing."""
        if not self._opener.is_here:
            return
        with self._changed:
            self._open = False
            self._changed.wait_for(lambda: self._inside == 0, timeout=3 * self.timeout)
        self.client.close()


def _token() -> str:
    # Not derived from the batch: two processes with the same batch are two commits, and one of them has to lose.
    return secrets.token_hex(16)
