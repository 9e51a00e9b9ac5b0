"""The checks of rules: what a sensor, or one of its fields, must be like.

Comparison is typed: `true` is not `"true"`, and 1 is 1.0. Only where numbers are compared does a text that is a number
count as one. What is not there, and null, satisfy no check.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import UNSET, UnsetType

from interlock.core.times import format_duration
from interlock.core.traits import TraitStatus
from interlock.evaluators.builtin.patterns import LONGEST_TEXT, BadPattern, Pattern
from interlock.evaluators.builtin.sensed import age_of, ahead, instant_of, kind_of, number_of, show
from interlock.evaluators.context import seconds

Check: TypeAlias = Literal[
    "exists", "equals", "ne", "gt", "gte", "lt", "lte", "age_lt", "age_gt", "in", "between", "matches"
]
AGES: Final = ("age_lt", "age_gt")
ORDERS: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "gt": (">", operator.gt),
    "gte": (">=", operator.ge),
    "lt": ("<", operator.lt),
    "lte": ("<=", operator.le),
}
MOST_CHOICES: Final = 1000


class Outcome(NamedTuple):
    """What came of one check: PASS, FAIL, or ERROR when it cannot be told; the reason unless it passed.

    `found` is what was compared: a number where a text was read as one.
    """

    status: TraitStatus
    reason: str = ""
    found: Any = None


def wrong_value(check: str, value: object) -> str:
    """Say what is wrong with the `value` of a rule; nothing when it fits the check."""
    if check == "exists":
        return "" if value is UNSET else "exists takes no value"
    if value is UNSET:
        return f"{check} needs a value"
    if check in AGES:
        return _wrong_span(value)
    if check in ORDERS:
        return "" if _is_number(value) else f"{check} needs a number, not {_written(value)}"
    if check == "between":
        return _wrong_bounds(value)
    if check == "in":
        fits = isinstance(value, list) and 0 < len(value) <= MOST_CHOICES and all(map(_is_single, value))
        return "" if fits else f"in needs a list of 1 to {MOST_CHOICES} texts, numbers or truth values"
    if check == "matches":
        return _wrong_pattern(value)
    return "" if _is_single(value) else f"{check} needs a text, a number or a truth value, not {_written(value)}"


def compare(check: str, value: Any, found: object, subject: str, now: datetime, skew: timedelta) -> Outcome:
    """Check what is there. `subject` names it, such as `count of the sensor orders`; `value` fits the check."""
    if found is None:
        return Outcome(TraitStatus.FAIL, f"{subject} is null, which satisfies no rule")
    if check == "exists":
        return Outcome(TraitStatus.PASS, found=found)
    if check in AGES:
        return _aged(check, value, found, subject, now, skew)
    if check in ORDERS or check == "between":
        return _ordered(check, value, found, subject)
    if check == "matches":
        return _matched(value, found, subject)
    return _equal(check, value, found, subject)


def _equal(check: str, value: Any, found: object, subject: str) -> Outcome:
    if check == "in":
        passes = any(_same(found, choice) for choice in value)
        return _told(subject, found, f"is {show(found)}, which is none of {_listed(value)}", passes=passes)
    if check == "equals":
        other = "" if _kind_fits(found, value) else f", which is {kind_of(found)} and not {kind_of(value)}"
        reason = f"is {show(found)}{other}, and must equal {show(value)}"
        return _told(subject, found, reason, passes=_same(found, value))
    if not _kind_fits(found, value):
        # Two kinds are never equal, so the rule would pass whatever the sensor said.
        reason = f"{subject} is {kind_of(found)} ({show(found)}); to differ from {show(value)} it must be of its kind"
        return Outcome(TraitStatus.ERROR, reason, found)
    return _told(subject, found, f"is {show(found)}, which it must not be", passes=not _same(found, value))


def _ordered(check: str, value: Any, found: object, subject: str) -> Outcome:
    number = number_of(found)
    if number is None:
        return Outcome(TraitStatus.ERROR, f"{subject} is not numeric: it is {kind_of(found)} ({show(found)})", found)
    if check == "between":
        low, high = value
        reason = f"is {number}, which is not between {low} and {high}"
        return _told(subject, number, reason, passes=low <= number <= high)
    sign, holds = ORDERS[check]
    return _told(subject, number, f"is {number}, which is not {sign} {value}", passes=holds(number, value))


def _matched(value: str, found: object, subject: str) -> Outcome:
    if not isinstance(found, str):
        return Outcome(TraitStatus.ERROR, f"{subject} is {kind_of(found)} ({show(found)}); matches needs text", found)
    if len(found) > LONGEST_TEXT:
        reason = f"{subject} has {len(found)} characters, and matches looks at texts of at most {LONGEST_TEXT}"
        return Outcome(TraitStatus.ERROR, reason, found)
    passes = _pattern(value).matches(found)
    return _told(subject, found, f"is {show(found)}, which does not match {value}", passes=passes)


def _aged(check: str, value: Any, found: object, subject: str, now: datetime, skew: timedelta) -> Outcome:
    instant = found if isinstance(found, datetime) else instant_of(found)
    if instant is None:
        said = f"{subject} is no time: {kind_of(found)} ({show(found)}); expected RFC 3339 such as 2026-03-07T12:00:00Z"
        return Outcome(TraitStatus.ERROR, said, found)
    shown_as = instant.isoformat()
    early = ahead(instant, now, skew)
    if early:
        return Outcome(TraitStatus.ERROR, f"{subject} {early}", shown_as)
    limit, age = seconds("value", value), now - instant
    passes = age < limit if check == "age_lt" else age > limit
    words = "less" if check == "age_lt" else "more"
    reason = f"is {age_of(instant, now)} old ({shown_as}), and must be {words} than {format_duration(limit)}"
    return _told(subject, shown_as, reason, passes=passes)


def _told(subject: str, found: object, reason: str, *, passes: bool) -> Outcome:
    return Outcome(TraitStatus.PASS, "", found) if passes else Outcome(TraitStatus.FAIL, f"{subject} {reason}", found)


def _same(found: object, value: object) -> bool:
    return _kind_fits(found, value) and found == value


def _kind_fits(found: object, value: object) -> bool:
    return kind_of(found) == kind_of(value)


def _is_number(value: object) -> bool:
    return not isinstance(value, str) and number_of(value) is not None


def _is_single(value: object) -> bool:
    return isinstance(value, str | bool) or _is_number(value)


def _wrong_span(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return f"an age needs a duration such as 90m, or whole seconds, not {_written(value)}"
    try:
        seconds("value", value)
    except (ValueError, OverflowError) as exc:
        return str(exc).removeprefix("value: ")
    return ""


def _wrong_bounds(value: object) -> str:
    if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)):
        return "between needs two numbers, such as [100, 200]"
    return "" if value[0] <= value[1] else f"between counts backwards: {value[0]} is more than {value[1]}"


def _wrong_pattern(value: object) -> str:
    if not isinstance(value, str) or not value:
        return f"matches needs a pattern, not {_written(value)}"
    try:
        _pattern(value)
    except BadPattern as exc:
        return f"the pattern {show(value)} cannot be used: {exc}"
    return ""


@lru_cache(maxsize=256)
def _pattern(text: str) -> Pattern:
    return Pattern(text)


def _written(value: object | UnsetType) -> str:
    return "null" if value is None else f"{kind_of(value)} ({show(value)})"


def _listed(values: list[Any]) -> str:
    few = ", ".join(show(value) for value in values[:5])
    return few + (f" and {len(values) - 5} more" if len(values) > 5 else "")
