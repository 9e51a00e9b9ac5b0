"""The life of an alert: opened, told, reminded, resolved; silenced or folded meanwhile. And lifecycle events, told once.

A record holds one alert through all its openings. Each target has one delivery: the latest telling to it. A new telling
never overtakes one that is still to be made, so a place that was out of reach for a day hears the news once, not a day of
reminders. `number` counts the tellings of the alert; a target and a number together name one delivery for ever.

Every function here returns a record of the next version, or the record itself when there is nothing to change.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from interlock.core import deliveries as telling_of
from interlock.core.alerts import Alert, AlertLevel, LifecycleEvent, Notice, NoticeKind
from interlock.core.deliveries import Delivery, DeliveryState, Pace, Target, Trouble, telling

FOLD_CHECK: Final = timedelta(minutes=10)

_NOT_TOLD: Final = "it was over before it was told"
_LONGEST: Final = 700
_ESCAPED: Final = frozenset("%|\0")


class AlertState(enum.StrEnum):
    """Whether the fact still holds."""

    OPEN = "open"
    RESOLVED = "resolved"


class AlertRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert as it stands.

    `notices` is the number of the latest telling. `folded_into` is the alert that is told instead while it is open; `folds`
    says that others may be folded into this one; `check_at` is when a folded alert looks after its cause, or a cause that
    is over after those folded into it. Somebody delivers until `held_until`.
    """

    alert: Alert
    state: AlertState
    opened_at: datetime
    resolved_at: datetime | None = None
    resolution: str = ""
    notices: int = 0
    remind_at: datetime | None = None
    deliveries: tuple[Delivery, ...] = ()
    folded_into: str = ""
    folds: bool = False
    check_at: datetime | None = None
    silenced_by: str = ""
    held_until: datetime | None = None
    version: int = 1

    @property
    def dispatch_id(self) -> str:
        """The name by which it is found when it is due."""
        return alert_dispatch(self.alert.alert_id)

    @property
    def open(self) -> bool:
        """Whether the fact still holds."""
        return self.state is AlertState.OPEN

    @property
    def wake_at(self) -> datetime | None:
        """The earliest instant at which something is to be done; None when nothing is wanted."""
        if self.held_until is not None:
            return self.held_until
        return _earliest(self.remind_at, self.check_at, *(delivery.next_at for delivery in self.deliveries))

    def delivery(self, target: str) -> Delivery | None:
        """Return the latest telling to a target."""
        return next((delivery for delivery in self.deliveries if delivery.target.name == target), None)


class Publication(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One lifecycle event on its way to those who subscribe."""

    event: LifecycleEvent
    deliveries: tuple[Delivery, ...] = ()
    held_until: datetime | None = None
    version: int = 1

    @property
    def dispatch_id(self) -> str:
        """The name by which it is found when it is due."""
        return event_dispatch(self.event.event_id)

    @property
    def wake_at(self) -> datetime | None:
        """The earliest instant at which something is to be done; None when everybody has it or is given up."""
        if self.held_until is not None:
            return self.held_until
        return _earliest(*(delivery.next_at for delivery in self.deliveries))


Dispatch: TypeAlias = AlertRecord | Publication
D = TypeVar("D", bound=AlertRecord | Publication)


def alert_dispatch(alert_id: str) -> str:
    """Name the dispatch of an alert: different alerts have different names, whatever characters they hold."""
    return f"alert/{_escaped(alert_id)}"


def event_dispatch(event_id: str) -> str:
    """Name the dispatch of a lifecycle event."""
    return f"event/{_escaped(event_id)}"


def _escaped(text: str) -> str:
    # What keys and cursors cannot hold; '%' too, so that nothing written plainly looks like something escaped. No store
    # keeps endless names: of a long one the beginning stands for itself, and a digest for the whole.
    name = "".join(f"%{ord(char):02x}" if char in _ESCAPED else char for char in text)
    if len(name) <= _LONGEST and name.isascii():
        return name
    encoded = name.encode(errors="surrogatepass")
    if len(encoded) <= _LONGEST:
        return name
    from hashlib import sha256  # it loads OpenSSL, which nearly nobody needs here

    return f"{encoded[: _LONGEST // 2].decode(errors='ignore')}%~{sha256(encoded).hexdigest()}"


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)


def _changed(record: D, **fields: object) -> D:
    after = replace(record, **fields)
    return record if after == record else replace(after, version=record.version + 1)


def _each(record: D, change: Callable[[Delivery], Delivery], **fields: object) -> D:
    return _changed(record, deliveries=tuple(change(delivery) for delivery in record.deliveries), **fields)


# ---------------------------------------------------------------------- the fact


def opened(alert: Alert, targets: tuple[Target, ...], pace: Pace, at: datetime, *, cause: str = "") -> AlertRecord:
    """Keep a fact nobody knew. With a `cause`, which is another open alert, it is kept and not told."""
    fresh = AlertRecord(alert=alert, state=AlertState.OPEN, opened_at=alert.at, version=0)
    return _opened(fresh, alert, targets, pace, at, cause)


def raised(
    record: AlertRecord, alert: Alert, targets: tuple[Target, ...], pace: Pace, at: datetime, *, cause: str = ""
) -> AlertRecord:
    """Hear of the fact again: nothing new while it holds, or when it became known before it was over; else a new opening."""
    if record.resolved_at is None or alert.at <= record.resolved_at:
        return record
    return _opened(record, alert, targets, pace, at, cause)


def _opened(
    record: AlertRecord, alert: Alert, targets: tuple[Target, ...], pace: Pace, at: datetime, cause: str
) -> AlertRecord:
    number = record.notices + 1
    made = (_begun_anew(record.delivery(each.name), each, number, at, cause) for each in sorted(targets))
    return _changed(
        record,
        alert=alert,
        state=AlertState.OPEN,
        opened_at=alert.at,
        resolved_at=None,
        resolution="",
        notices=number,
        remind_at=None if cause or not targets else _reminder(alert, pace, at),
        deliveries=tuple(made),
        folded_into=cause,
        check_at=at + FOLD_CHECK if cause else None,
        silenced_by="",
    )


def _begun_anew(known: Delivery | None, target: Target, number: int, at: datetime, cause: str) -> Delivery:
    if known is not None and known.kind is NoticeKind.OPENED and known.pending and known.doubtful:
        return (
            known  # it may have arrived, and nothing was said of an end since: what comes of it goes for this opening
        )
    made = telling(target, number, NoticeKind.OPENED, at, after=known)
    return telling_of.folded(made, cause) if cause else made


def _reminder(alert: Alert, pace: Pace, at: datetime) -> datetime | None:
    # News is told once. What needs nobody's hand would otherwise come back for ever.
    return at + pace.renotify if pace.renotify and alert.level is not AlertLevel.INFO else None


def resolved(record: AlertRecord, resolution: str, at: datetime) -> AlertRecord:
    """The fact holds no longer: whoever was told that it does is told so; whoever was not hears nothing.

    But an error that is on its way is told all the same, and then its end: that it was over before a channel answered must
    not keep it from people. A resolution from before the opening is about an earlier one, and changes nothing.
    """
    if not record.open or at < record.opened_at:
        return record
    ends = any(delivery.told or delivery.doubtful for delivery in record.deliveries)
    number = record.notices + ends
    return _each(
        record,
        lambda delivery: _ended(delivery, number, at, must=_must_be_told(record)),
        state=AlertState.RESOLVED,
        resolved_at=at,
        resolution=resolution,
        notices=number,
        remind_at=None,
        # Those folded into it are looked after by whoever delivers: the resolution itself stays one small commit.
        check_at=at if record.folds else None,
    )


def _must_be_told(record: AlertRecord) -> bool:
    return record.alert.level is AlertLevel.ERROR


def _ended(delivery: Delivery, number: int, at: datetime, *, must: bool) -> Delivery:
    if delivery.told:
        return telling(delivery.target, number, NoticeKind.RESOLVED, at, after=delivery)
    if delivery.doubtful:
        # It may be arriving at this very moment, or have arrived: it is made certain, and what comes of it decides.
        return telling_of.unfolded(delivery, at)
    if must and delivery.state is DeliveryState.DUE:
        return delivery
    return telling_of.cancelled(delivery, _NOT_TOLD) if delivery.pending else delivery


def woke(record: AlertRecord, pace: Pace, at: datetime) -> AlertRecord:
    """Time has passed: remind those who were told, once the reminder is due."""
    if record.remind_at is None or at < record.remind_at:
        return record
    number = record.notices + 1
    after = tuple(delivery if delivery.pending else _reminded(delivery, number, at) for delivery in record.deliveries)
    fresh = after != record.deliveries
    return _changed(
        record,
        deliveries=after,
        notices=number if fresh else record.notices,
        remind_at=_reminder(record.alert, pace, at),
    )


def _reminded(delivery: Delivery, number: int, at: datetime) -> Delivery:
    # A target that never heard of the opening, because it was given up, is told of it now, and not reminded of it.
    kind = NoticeKind.REMINDED if delivery.told else NoticeKind.OPENED
    return telling(delivery.target, number, kind, at, after=delivery)


# ---------------------------------------------------------------------- silences and causes


def silenced(record: AlertRecord, silence: str, until: datetime, at: datetime) -> AlertRecord:
    """Let whatever is due wait for the end of a silence."""
    reason = f"silenced by {silence}"
    hushed = _each(record, lambda each: telling_of.hushed(each, until, reason) if each.ripe(at) else each)
    return record if hushed == record else replace(hushed, silenced_by=silence)


def unsilenced(record: AlertRecord, at: datetime) -> AlertRecord:
    """Let whatever waits for the end of a silence be due."""
    return _each(record, lambda delivery: telling_of.unhushed(delivery, at), silenced_by="")


def folding(record: AlertRecord) -> AlertRecord:
    """Note that others may be folded into this one, while it is open."""
    return _changed(record, folds=True) if record.open else record


def checked(record: AlertRecord, at: datetime) -> AlertRecord:
    """A folded alert found its cause open; a cause that is over found nobody folded into it any more."""
    if record.open and record.folded_into:
        return _changed(record, check_at=at + FOLD_CHECK)
    return _changed(record, check_at=None, folds=record.open and record.folds)


def unfolded(record: AlertRecord, pace: Pace, at: datetime) -> AlertRecord:
    """The cause is over. If the alert is still open, it is told on its own from now on."""
    if not record.folded_into or not record.open:
        return record
    return _each(
        record,
        lambda delivery: telling_of.unfolded(delivery, at),
        folded_into="",
        check_at=None,
        remind_at=_reminder(record.alert, pace, at) if record.deliveries else None,
    )


# ---------------------------------------------------------------------- delivering


def published(event: LifecycleEvent, subscribers: tuple[str, ...], at: datetime) -> Publication:
    """Keep an event for those who subscribe."""
    made = (telling(Target(name=name), 1, NoticeKind.OPENED, at) for name in sorted(subscribers))
    return Publication(event=event, deliveries=tuple(made))


def begun(record: D, at: datetime, until: datetime, *, only: str = "") -> D:
    """Take the lease and say what is about to be told: everything due, or what one target is to hear, due or waiting.

    Unchanged: somebody else holds the lease, or there is nothing to tell.
    """
    if record.held_until is not None and at < record.held_until:
        return record

    def chosen(delivery: Delivery) -> bool:
        if only:
            return delivery.target.name == only and delivery.state is DeliveryState.DUE
        return delivery.ripe(at)

    if not any(chosen(delivery) for delivery in record.deliveries):
        if only:
            return record
        # A lease that ran out with nothing left to tell would otherwise wake the record for ever.
        return _changed(record, held_until=None)
    return _each(
        record,
        lambda delivery: telling_of.tried(delivery) if chosen(delivery) else telling_of.let_go(delivery, at),
        held_until=until,
    )


def delivered(record: D, target: str, number: int, pace: Pace, at: datetime) -> D:
    """One telling has arrived. One that was replaced meanwhile changes nothing."""

    def after(delivery: Delivery) -> Delivery:
        if delivery.target.name != target or delivery.number != number or delivery.state is DeliveryState.DONE:
            return delivery
        arrived = telling_of.done(delivery, at)
        if isinstance(record, AlertRecord) and not record.open and arrived.told:
            # The fact ended while this was on its way: now the target must hear of the end as well.
            last = max(record.notices, number + 1)
            return telling(delivery.target, last, NoticeKind.RESOLVED, at, after=arrived)
        return arrived

    heard = _each(record, after)
    if isinstance(heard, AlertRecord) and heard != record:
        latest = max(delivery.number for delivery in heard.deliveries)
        again = _reminder(heard.alert, pace, at) if heard.open and not heard.folded_into else None
        return replace(heard, notices=max(heard.notices, latest), remind_at=again)
    return heard


def failed(record: D, target: str, number: int, trouble: Trouble, pace: Pace, at: datetime) -> D:
    """One telling did not arrive."""
    over = isinstance(record, AlertRecord) and not record.open and not _must_be_told(record)

    def after(delivery: Delivery) -> Delivery:
        mine = delivery.target.name == target and delivery.number == number
        if not mine or delivery.state is not DeliveryState.TRYING:
            return delivery
        if over and not delivery.told and not delivery.unsure:
            return telling_of.cancelled(delivery, _NOT_TOLD)
        return telling_of.failed(delivery, trouble, pace, at)

    return _each(record, after)


def released(record: D, until: datetime | None, at: datetime) -> D:
    """Give back the lease that runs until an instant. What was begun and came to nothing known is due again."""
    if record.held_until is None or record.held_until != until:
        return record  # it ran out, and somebody else has it now
    return _each(record, lambda delivery: telling_of.let_go(delivery, at), held_until=None)


def notice(
    record: AlertRecord, delivery: Delivery, folded: tuple[Alert, ...] = (), grouped: tuple[Alert, ...] = ()
) -> Notice:
    """Return what a target is told."""
    return Notice(
        alert=record.alert,
        kind=delivery.kind,
        number=delivery.number,
        at=delivery.due_at,
        resolution=record.resolution if delivery.kind is NoticeKind.RESOLVED else "",
        folded=folded,
        grouped=grouped,
    )
