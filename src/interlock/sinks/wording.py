"""A notice in the words that people read: the same in a terminal, a chat, a mail and a push message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from interlock.clients.links import page_of
from interlock.clients.texts import cleaned
from interlock.core.alerts import Alert, AlertLevel, Notice, NoticeKind
from interlock.core.telling import JOB_URL

LEVELS: Final = {AlertLevel.ERROR: "ERROR", AlertLevel.WARNING: "WARN", AlertLevel.INFO: "INFO"}
ITSELF: Final = "interlock"
_LONGEST_MESSAGE: Final = 2000
_LONGEST_ITEM: Final = 200
_MOST_ITEMS: Final = 10


def about(alert: Alert) -> str:
    """Name the pipeline that an alert is about, or Interlock itself."""
    return alert.slot.pipeline if alert.slot else ITSELF


def tag(notice: Notice) -> str:
    """Return how loud a notice is in one word; what is over is no longer loud."""
    return "RESOLVED" if notice.kind is NoticeKind.RESOLVED else LEVELS[notice.alert.level]


def title(alert: Alert, limit: int) -> str:
    """Return the one line that names an alert, the same for every notice of it, in at most `limit` bytes."""
    return cleaned(f"[{LEVELS[alert.level]}] {about(alert)}: {alert.message}", limit)


def sentence(notice: Notice, limit: int = _LONGEST_MESSAGE) -> str:
    """Return what happened, in one line of at most `limit` bytes, marked unless it is told for the first time."""
    message = notice.alert.message
    match notice.kind:
        case NoticeKind.REMINDED:
            return cleaned(f"REMINDER: {message}", limit)
        case NoticeKind.RESOLVED:
            mended = f" ({notice.resolution})" if notice.resolution else ""
            return cleaned(f"RESOLVED: {message}{mended}", limit)
        case NoticeKind.OPENED:
            return cleaned(message, limit)


def facts(notice: Notice) -> tuple[str, ...]:
    """Return everything else that is known, a line each; long lists are cut, and say so."""
    return tuple(_facts(notice))


def _facts(notice: Notice) -> Iterator[str]:
    alert = notice.alert
    if alert.slot:
        yield f"slot: {alert.slot}"
    if alert.run_id:
        yield cleaned(f"run: {alert.run_id}", _LONGEST_ITEM)
    page = page_of(alert.details, JOB_URL)
    if page:
        yield f"job: {page}"
    yield f"type: {alert.alert_type.value}, since {moment(alert.at)}"
    if alert.owner:
        yield cleaned(f"owner: {alert.owner}", _LONGEST_ITEM)
    if alert.tier:
        yield f"tier: {alert.tier}"
    yield from _shortened(f"{key}: {text}" for key, text in alert.details.pairs if key != JOB_URL or not page)
    if notice.folded:
        yield f"this also holds up {len(notice.folded)} more:"
        yield from _shortened(_item(other) for other in notice.folded)
    if notice.grouped:
        yield f"told together with {len(notice.grouped)} more:"
        yield from _shortened(_item(other) for other in notice.grouped)


def moment(at: datetime) -> str:
    """Write an instant for people, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def others(notice: Notice) -> str:
    """Return in a few words which other alerts a notice tells, or nothing."""
    rest = (*notice.folded, *notice.grouped)
    if not rest:
        return ""
    names = list(dict.fromkeys(about(other) for other in rest))
    more = ", …" if len(names) > _MOST_ITEMS else ""
    return f"(and {len(rest)} more: {', '.join(names[:_MOST_ITEMS])}{more})"


def _item(alert: Alert) -> str:
    return f"- [{LEVELS[alert.level]}] {alert.slot or ITSELF}: {alert.message}"


def _shortened(items: Iterable[str]) -> Iterator[str]:
    left_out = 0
    for index, item in enumerate(items):
        if index < _MOST_ITEMS:
            yield cleaned(item, _LONGEST_ITEM)
        else:
            left_out += 1
    if left_out:
        yield f"… and {left_out} more"
