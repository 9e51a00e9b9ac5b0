"""What a change makes of a sensor's data, and how large, deep and precise data may be. Pure: nothing is stored here."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final, assert_never

import msgspec

from interlock.codec.documents import canonical
from interlock.core.documents import Document
from interlock.errors import Conflict, Invalid
from interlock.ports.sensors import (
    MAX_FIELD,
    MAX_MEMBERS,
    AddToSet,
    Increment,
    Member,
    MergeData,
    Number,
    PutData,
    SensorChange,
)

MAX_DATA: Final = 65_536
MAX_DEPTH: Final = 32

_INTEGERS: Final = range(-(2**63), 2**63)
_NULL: Final = "null"


def changed(data: Document, change: SensorChange) -> Document:
    """Return what the data are after a change.

    Raises:
        Invalid: the change, or what would come of it, is beyond the limits.
        Conflict: the field holds something of another kind.
    """
    match change:
        case PutData():
            after = change.data
        case MergeData():
            merged = data.overlaid(change.data)
            gone = {key for key, text in change.data.pairs if text == _NULL}
            after = Document(tuple(pair for pair in merged.pairs if pair[0] not in gone))
        case Increment():
            after = _with(data, change.field, _sum(data, change))
        case AddToSet():
            after = _with(data, change.field, _union(data, change))
        case _:
            assert_never(change)
    _require_limits(after)
    return after


def _with(data: Document, field: str, value: object) -> Document:
    if not 0 < len(field) <= MAX_FIELD:
        raise Invalid(f"field: a field's name has 1 to {MAX_FIELD} characters, not {len(field)}")
    try:
        return data.overlaid(Document(((field, canonical(value)),)))
    except ValueError as exc:
        raise Invalid(f"{field[:MAX_FIELD]!r} cannot be set: {exc}") from exc


def _sum(data: Document, change: Increment) -> Number:
    if not _is_number(change.by):
        raise Invalid(f"by: {change.by!r} is not a finite number of at most 64 bits")
    text = data.get(change.field)
    before = 0 if text is None else msgspec.json.decode(text)
    if not _is_number(before):
        raise Conflict(
            f"the field {change.field!r} holds {_kind(before)}, and only a number can be incremented. "
            "Put or merge a number there first, or name another field"
        )
    total: Number = before + change.by
    if not _is_number(total):
        raise Invalid(f"{change.field!r} would become larger than a number may be: {before} + {change.by}")
    return total


def _union(data: Document, change: AddToSet) -> list[Member]:
    if not change.members:
        raise Invalid("members: at least one is needed")
    for member in change.members:
        if not _is_member(member):
            raise Invalid(f"members: {member!r} is neither a text nor a whole number")
    text = data.get(change.field)
    before = [] if text is None else msgspec.json.decode(text)
    if not isinstance(before, list) or not all(map(_is_member, before)):
        held = "a list of other things" if isinstance(before, list) else _kind(before)
        raise Conflict(
            f"the field {change.field!r} holds {held}, and members can only be added to a set of texts and whole "
            "numbers. Put or merge such a list there first, or name another field"
        )
    members: set[Member] = {*before, *change.members}
    if len(members) > MAX_MEMBERS:
        raise Invalid(f"{change.field!r} would have {len(members)} members, and a set has at most {MAX_MEMBERS}")
    return sorted(members, key=lambda member: (isinstance(member, str), member))


def _require_limits(data: Document) -> None:
    try:
        size = len(data.text.encode())
    except UnicodeEncodeError as exc:
        raise Invalid("data: a field's name holds half a character (a lone surrogate)") from exc
    if size > MAX_DATA:
        raise Invalid(f"the data would be {size} bytes of JSON, and a sensor holds at most {MAX_DATA}")
    for field, text in data.pairs:
        if not 0 < len(field) <= MAX_FIELD:
            raise Invalid(f"data: a field's name has 1 to {MAX_FIELD} characters, not {len(field)}")
        try:
            _require_plain(field, msgspec.json.decode(text))
        except RecursionError:
            raise _too_deep(field) from None


def _require_plain(field: str, value: object) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep(field)
        for each in level:
            if isinstance(each, int | float) and not isinstance(each, bool) and not _is_number(each):
                raise Invalid(f"data: {field!r} holds a number beyond 64 bits: {str(each)[:40]}")
        level = [child for each in level for child in _children(each)]


def _too_deep(field: str) -> Invalid:
    return Invalid(f"data: {field!r} is nested more than {MAX_DEPTH} deep")


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and value in _INTEGERS
    return isinstance(value, float) and isfinite(value)


def _is_member(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and _is_number(value))


def _kind(value: object) -> str:
    names = {
        str: "a text",
        bool: "a truth value",
        list: "a list",
        dict: "an object",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")
