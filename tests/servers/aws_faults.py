"""Faults that a test scripts for the AWS stub, by the operation they strike."""

from __future__ import annotations

import enum
import threading
from types import TracebackType
from typing import Final, Self, TypeAlias

from tests.servers.aws_errors import AwsError, broken, expired, forbidden, skewed, throttled, unknown_client


class Fault(enum.Enum):
    """What goes wrong with a call."""

    THROTTLED = "too many requests, in the service's own words"
    EXPIRED = "the session token is too old"
    UNKNOWN_CLIENT = "nobody knows the access key"
    FORBIDDEN = "the caller may not do this"
    SKEWED = "the client's clock is wrong"
    BROKEN = "500, with an error body of the protocol"
    UNAVAILABLE = "503, with a page of some load balancer instead of an answer"
    LOST_REQUEST = "the connection closes before anything is done"
    LOST_ANSWER = "it is done, and then the connection closes without an answer"
    FROZEN = "no answer until the fault is released"
    DRIP = "the answer comes byte by byte"
    TORN = "the connection closes in the middle of the answer"
    GARBAGE = "200, with bytes that are no text"
    NONSENSE = "200, with a page of some proxy instead of the answer"
    HOLLOW = "200, with nothing in the answer"


Scripted: TypeAlias = Fault | AwsError
# There is no true answer to drip, or to tear, where nothing was done.
_BOUND: Final = frozenset({Fault.DRIP, Fault.TORN})
# What is done although the client hears otherwise, unless the test says differently.
_ACTING: Final = frozenset({Fault.LOST_ANSWER, Fault.DRIP, Fault.TORN, Fault.GARBAGE, Fault.NONSENSE, Fault.HOLLOW})


def said(fault: Scripted, service: str, operation: str) -> AwsError | None:
    """Return the error answer of a fault, or None if it is a fault of the wire."""
    match fault:
        case AwsError():
            return fault
        case Fault.THROTTLED:
            return throttled(service)
        case Fault.EXPIRED:
            return expired(service)
        case Fault.UNKNOWN_CLIENT:
            return unknown_client(service)
        case Fault.FORBIDDEN:
            return forbidden(service, operation)
        case Fault.SKEWED:
            return skewed(service)
        case Fault.BROKEN:
            return broken(service)
        case _:
            return None


class Script:
    """One fault as it was asked for. Leaving its `with` takes it back, and drops the calls it still holds.

    `arrived` is set when it has struck for the first time (after the act, if it acts); `struck` counts.
    """

    def __init__(
        self, operation: str, fault: Scripted, *, service: str | None, times: int | None, after: int, acts: bool | None
    ) -> None:
        if acts is False and fault in _BOUND:
            raise ValueError(f"{fault} is the answer to a call that was carried out")
        self.operation = operation
        self.fault = fault
        self.service = service
        self.acts = fault in _ACTING if acts is None else acts
        self.arrived = threading.Event()
        self.struck = 0
        self._left = times
        self._skip = after
        self._moved = threading.Event()
        self._dropped = False
        self._over = False

    def strikes(self, service: str, operation: str) -> bool:
        """Tell whether this call is struck, and count it."""
        fits = self.operation in (operation, "*") and self.service in (service, None)
        if not fits or self._over or self._left == 0:
            return False
        if self._skip:
            self._skip -= 1
            return False
        if self._left is not None:
            self._left -= 1
        self.struck += 1
        return True

    def wait(self, seconds: float | None = None) -> bool:
        """Hold the calling thread until the fault is released or taken back; tell whether it is to go on."""
        self._moved.wait(seconds)
        return not self._dropped

    def release(self) -> None:
        """Let the calls that are held go on to their answer, and strike no more."""
        self._over = True
        self._moved.set()

    def take_back(self) -> None:
        """Strike no more; calls that are held lose their connection."""
        if not self._moved.is_set():
            self._dropped = True
        self._over = True
        self._moved.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.take_back()
