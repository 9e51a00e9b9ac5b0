"""Markers that others write into the table as plain items: `PIPELINE#<name>`, `MARKER#<source>#<anything>`.

Attributes, all of them text and none of them needed: `scheduleID`, `date` (a day, or a period as it is written everywhere)
and `source`. Without a schedule it is the pipeline's that opened last, without a date its current period when the item was
written.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from interlock.app.hands import Hands
from interlock.aws.records import Malformed, Record
from interlock.core.ids import DEFAULT_SCHEDULE, NAME_RULE, PipelineName, ScheduleName, Slot, is_name
from interlock.core.periods import Period
from interlock.errors import Invalid, NotFound
from interlock.operations.slots import chosen_slot
from interlock.ports.controls import Marker

OLDEST: Final = timedelta(days=7)
"""A marker for a period that ended longer ago is kept for people: what it should start, they replay."""

EARLIEST: Final = timedelta(days=31)
"""A marker for a day that is farther ahead is kept for people: its date is a mistake, or of another calendar."""

_PK: Final = "PIPELINE#"
_SK: Final = "MARKER#"
_LONGEST_SOURCE: Final = 1024
_ROUNDED: Final = timedelta(microseconds=999_999)


def marker_of(record: Record, hands: Hands) -> Marker:
    """Read the marker that somebody wrote.

    DynamoDB says in whole seconds when, rounded down. It counts as written at the end of its second: the same however often
    it is read, and later than every question that cannot have seen it.

    Raises:
        Malformed: it cannot be understood, or is too old or too early to act on.
    """
    if not (record.pk.startswith(_PK) and record.sk.startswith(_SK)):
        raise Malformed(f"nobody expects an item PK={record.pk!r}, SK={record.sk!r} in this table")
    pipeline = record.pk.removeprefix(_PK)
    if not is_name(pipeline):
        raise Malformed(f"{pipeline!r} cannot be a pipeline's name, expected {NAME_RULE}")
    source = _text(record, "source") or record.sk.split("#")[1]
    if not source or len(source) > _LONGEST_SOURCE:
        raise Malformed(f"source: expected 1 to {_LONGEST_SOURCE} characters that say what has arrived")
    at = datetime.fromtimestamp(record.at, tz=UTC) + _ROUNDED
    slot = _slot(PipelineName(pipeline), _text(record, "scheduleID"), _text(record, "date"), at, hands)
    day = slot.period.day
    if at.date() - day > OLDEST:
        words = f"the marker is for {slot}, which is more than {OLDEST.days} days before it was written"
        raise Malformed(f"{words}. Replay the slot if it should run: interlock replay")
    if day - at.date() > EARLIEST:
        words = f"the marker is for {slot}, which is more than {EARLIEST.days} days after it was written"
        raise Malformed(f"{words}. Correct the date that is written, and write another marker")
    return Marker(slot=slot, source=source, at=at)


def _text(record: Record, name: str) -> str:
    found = record.new.get(name)
    if found is None:
        return ""
    if set(found) != {"S"}:
        raise Malformed(f"{name}: expected text, and it is of the type {', '.join(found)}")
    return str(found["S"]).strip()


def _slot(pipeline: PipelineName, schedule: str, date: str, at: datetime, hands: Hands) -> Slot:
    spec = hands.catalog.spec(pipeline)
    try:
        if spec is not None:
            return chosen_slot(spec, at, schedule or None, date or None)
        return Slot(pipeline, ScheduleName(schedule or DEFAULT_SCHEDULE), Period.parse(date or at.date().isoformat()))
    except (Invalid, NotFound, ValueError) as exc:
        raise Malformed(f"{pipeline}: {exc}") from exc
