"""One telling to one place: when it is due, whether it arrived, and when to stop trying."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from interlock.core.alerts import NoticeKind

FIRST_BACKOFF: Final = timedelta(seconds=5)
LONGEST_BACKOFF: Final = timedelta(minutes=10)
LONGEST_ASKED: Final = timedelta(hours=1)
_DOUBLINGS: Final = 7  # 5 s doubled so often is above the longest: the exponent need not grow without end


class DeliveryState(enum.StrEnum):
    """How one telling stands."""

    DUE = "due"
    TRYING = "trying"
    DONE = "done"
    SILENCED = "silenced"
    FOLDED = "folded"
    GIVEN_UP = "given_up"
    CANCELLED = "cancelled"


class Pace(Struct, frozen=True, kw_only=True):
    """How often open alerts are told again (zero: never), and for how long a delivery that fails is tried."""

    renotify: timedelta = timedelta(hours=4)
    deliver_for: timedelta = timedelta(days=1)


class Target(Struct, frozen=True, kw_only=True, order=True):
    """A place to tell. Tellings of one `group` (empty: none) may go together, for which they wait a while."""

    name: str
    group: str = ""
    wait: timedelta = timedelta()


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The latest telling to one target. An earlier one is over: it arrived, or this one took its place.

    `number` and `kind` are the notice's. `told` says that the target was last told that the fact holds: then, and only
    then, it wants to hear of the end. `next_at` is when it wants to be tried (None: not by itself); `failing_since` is
    the first of the failures in a row. `unsure`: somebody began it and never recorded what came of it, so it may have
    arrived, and only arriving for certain ends the doubt.
    """

    target: Target
    number: int
    kind: NoticeKind
    due_at: datetime
    state: DeliveryState = DeliveryState.DUE
    next_at: datetime | None = None
    tries: int = 0
    failing_since: datetime | None = None
    reason: str = ""
    done_at: datetime | None = None
    told: bool = False
    unsure: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether it may have arrived without anybody knowing."""
        return self.state is DeliveryState.TRYING or self.unsure

    @property
    def pending(self) -> bool:
        """Whether it is still meant to be made."""
        return self.state not in (DeliveryState.DONE, DeliveryState.GIVEN_UP, DeliveryState.CANCELLED)

    def ripe(self, at: datetime) -> bool:
        """Say whether it should be tried now, given that nobody else is trying it."""
        return self.state is DeliveryState.TRYING or (self.next_at is not None and self.next_at <= at)


def telling(target: Target, number: int, kind: NoticeKind, at: datetime, *, after: Delivery | None = None) -> Delivery:
    """Make a telling that is due at an instant, after the wait for company; `after` is the one whose place it takes."""
    told = after is not None and after.told
    unsure = after is not None and after.unsure
    return Delivery(
        target=target, number=number, kind=kind, due_at=at, next_at=at + target.wait, told=told, unsure=unsure
    )


def tried(delivery: Delivery) -> Delivery:
    """Somebody is about to make it: from here on it may have happened."""
    return replace(delivery, state=DeliveryState.TRYING, next_at=None, unsure=delivery.doubtful)


def done(delivery: Delivery, at: datetime) -> Delivery:
    """It has arrived."""
    return replace(
        delivery,
        state=DeliveryState.DONE,
        next_at=None,
        tries=delivery.tries + 1,
        failing_since=None,
        reason="",
        done_at=at,
        told=delivery.kind is not NoticeKind.RESOLVED,
        unsure=False,
    )


class Trouble(NamedTuple):
    """Why a telling did not arrive, whether trying again may help, and how long the receiver asked to be left alone."""

    reason: str
    retryable: bool = True
    after: timedelta | None = None


def failed(delivery: Delivery, trouble: Trouble, pace: Pace, at: datetime) -> Delivery:
    """It did not arrive: try again later and later, and give up when that has gone on for too long, or cannot help."""
    since = delivery.failing_since or at
    fallen = replace(delivery, tries=delivery.tries + 1, failing_since=since, reason=trouble.reason)
    next_at = at + max(backoff(fallen.tries), min(trouble.after or timedelta(), LONGEST_ASKED))
    if not trouble.retryable or next_at - since > pace.deliver_for:
        return replace(fallen, state=DeliveryState.GIVEN_UP, next_at=None)
    return replace(fallen, state=DeliveryState.DUE, next_at=next_at)


def backoff(failures: int) -> timedelta:
    """Return how long to wait after the n-th failure: 5 s, doubled each time, at most ten minutes."""
    doublings = min(failures - 1, _DOUBLINGS)
    return min(FIRST_BACKOFF * (1 << doublings), LONGEST_BACKOFF)


def let_go(delivery: Delivery, at: datetime) -> Delivery:
    """Nobody tries it any more, and nobody recorded what came of it: it may have arrived, and is due again."""
    if delivery.state is not DeliveryState.TRYING:
        return delivery
    return replace(delivery, state=DeliveryState.DUE, next_at=at, unsure=True)


def hushed(delivery: Delivery, until: datetime, reason: str) -> Delivery:
    """It waits for the end of a silence."""
    return replace(delivery, state=DeliveryState.SILENCED, next_at=until, reason=reason, unsure=delivery.doubtful)


def unhushed(delivery: Delivery, at: datetime) -> Delivery:
    """The silence is over."""
    if delivery.state is not DeliveryState.SILENCED:
        return delivery
    return replace(delivery, state=DeliveryState.DUE, next_at=at, reason="")


def folded(delivery: Delivery, cause: str) -> Delivery:
    """Its cause is told instead."""
    return replace(delivery, state=DeliveryState.FOLDED, next_at=None, reason=f"its cause is told instead: {cause}")


def unfolded(delivery: Delivery, at: datetime) -> Delivery:
    """Its cause is over, and it is not."""
    if delivery.state is not DeliveryState.FOLDED:
        return delivery
    return replace(delivery, state=DeliveryState.DUE, due_at=at, next_at=at + delivery.target.wait, reason="")


def cancelled(delivery: Delivery, reason: str) -> Delivery:
    """Nobody needs to hear it any more."""
    return replace(delivery, state=DeliveryState.CANCELLED, next_at=None, reason=reason)
