"""What callers give, as JSON has it: read at the door, so that a mistake is told before anything is sent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar, overload

from msgspec import Struct

from interlock.client.settings import Seconds
from interlock.codec.documents import document, mapping
from interlock.codec.wire import to_builtins
from interlock.core.alerts import AlertType
from interlock.core.documents import Document
from interlock.core.times import format_duration
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import Invalid

E = TypeVar("E", bound=StrEnum)


def category_of(given: str | None) -> FailureCategory | None:
    """Return a category of failures by its name.

    Raises:
        Invalid: there is none of that name.
    """
    return None if given is None else _one_of(FailureCategory, given, "category of a failure")


def status_of(given: str) -> TraitStatus:
    """Return what a trait says by its name.

    Raises:
        Invalid: there is none of that name.
    """
    return _one_of(TraitStatus, given, "status of a trait")


def alert_type_of(given: str | None) -> AlertType | None:
    """Return a type of alerts by its name.

    Raises:
        Invalid: there is none of that name.
    """
    return None if given is None else _one_of(AlertType, given, "type of alert")


def _one_of(kind: type[E], given: str, what: str) -> E:
    try:
        return kind(given)
    except ValueError:
        names = [member.value for member in kind]
        near = get_close_matches(str(given).casefold(), [name.casefold() for name in names], n=1)
        hint = next((name for name in names if near and name.casefold() == near[0]), None)
        words = f"did you mean {hint}?" if hint else f"there are: {', '.join(names)}"
        raise Invalid(f"{given!r} is no {what} ({words})") from None


@overload
def plain(given: None) -> None: ...
@overload
def plain(given: Mapping[str, Any]) -> dict[str, Any]: ...
def plain(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a JSON object, fresh.

    Raises:
        Invalid: a key is not text, or a value is not JSON.
    """
    if given is None:
        return None
    try:
        return mapping(document(given))
    except (ValueError, AttributeError) as exc:
        raise Invalid(str(exc)) from exc


def named(given: str | None) -> str:
    """Return a name for one telling: a new one unless the caller has named it."""
    return given or secrets.token_hex(16)


def length_of(given: Seconds | str | None) -> str | None:
    """Return how long something takes, as it is written: from seconds, a `timedelta`, or a text such as `2h`.

    Raises:
        Invalid: it is none of these.
    """
    if given is None or isinstance(given, str):
        return given
    try:
        return format_duration(given if isinstance(given, timedelta) else timedelta(seconds=given))
    except (ValueError, TypeError, OverflowError):
        raise Invalid(f"{given!r} is no length of time: give seconds, a timedelta, or a text such as 2h") from None


def instant_of(given: datetime | str | None) -> str | None:
    """Return an instant as it is written. A `datetime` without a zone is taken in the zone of what it is about."""
    return given.isoformat() if isinstance(given, datetime) else given


def to_dict(shown: Struct | Document) -> dict[str, Any]:
    """Return an answer, or a document within one such as a sensor's `data`, as the JSON object that travelled."""
    found: dict[str, Any] = to_builtins(shown)
    return found
