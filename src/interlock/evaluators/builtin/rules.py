"""The rule of `sql` and `http-json`: what a measured value must be.

Comparison is typed. Integers, floats and decimals are numbers and compare by value; text compares with text; a truth
value only with a truth value. Text is never read as a number: `"100"` does not equal 100. Nothing, NULL and NaN satisfy
no rule: a check that saw no value must not be green.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from interlock.codec.documents import document
from interlock.codec.evaluator_protocol import shown
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.evaluators import Answer

Limit: TypeAlias = bool | int | float | str
Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KINDS: Final = {bool: "a truth value", str: "text"}
_LONGEST: Final = 1000


class Expectation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A comparison with the measured value on the left."""

    op: Annotated[Operator, Meta(description="How the measured value must compare with `value`.")]
    value: Annotated[Limit, Meta(description="What it is compared with.")]


class Ruled(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The keys of a rule; at least one must be given, and all that are given must hold."""

    expect: Annotated[Expectation | None, Meta(description="A comparison, such as {op: '>=', value: 100}.")] = None
    min: Annotated[int | float | None, Meta(description="The value must be a number and at least this.")] = None
    max: Annotated[int | float | None, Meta(description="The value must be a number and at most this.")] = None
    equals: Annotated[Limit | None, Meta(description="The value must be equal to this, and of its kind.")] = None

    def __post_init__(self) -> None:
        rules = rules_of(self)
        if not rules:
            raise ValueError("no rule is given: add expect, min, max or equals")
        for rule in rules:
            if rule.op not in ("==", "!=") and isinstance(rule.limit, bool):
                raise ValueError(f"a truth value has no order: {rule.op} {rule.limit}")


class Rule(NamedTuple):
    """One comparison, the measured value on the left."""

    op: str
    limit: Limit


def rules_of(config: Ruled) -> tuple[Rule, ...]:
    """Return every comparison that a configuration asks for."""
    rules = []
    if config.expect is not None:
        rules.append(Rule(config.expect.op, config.expect.value))
    if config.min is not None:
        rules.append(Rule(">=", config.min))
    if config.max is not None:
        rules.append(Rule("<=", config.max))
    if config.equals is not None:
        rules.append(Rule("==", config.equals))
    return tuple(rules)


def judge(config: Ruled, measured: object, *, what: str) -> Answer:
    """Compare a measured value with every rule.

    PASS when all hold; FAIL when one does not, or when there is no value; ERROR when value and limit are of two kinds and
    the rule asks for an order or a difference: then the rule itself is wrong.
    """
    seen = plain(measured)
    value = document({"value": _shortened(seen)})
    if seen is None:
        reason = f"{what} is null or not a number, which satisfies no rule"
        return Answer(status=TraitStatus.FAIL, value=value, reason=reason)
    for op, limit in rules_of(config):
        same_kind = _kind(seen) == _kind(limit)
        if not same_kind and op != "==":
            reason = f"{what} is {_kind(seen)} ({_show(seen)}); a rule {op} {_show(limit)} needs {_kind(limit)}"
            return Answer(status=TraitStatus.ERROR, value=value, reason=reason, category=FailureCategory.PERMANENT)
        if not same_kind or not _COMPARE[op](seen, limit):
            reason = f"{what} is {_kind(seen)} ({_show(seen)}), which is not {op} {_show(limit)}"
            return Answer(status=TraitStatus.FAIL, value=value, reason=reason)
    return Answer(status=TraitStatus.PASS, value=value)


def plain(measured: object) -> Any:
    """Turn what an engine returned into something JSON can hold: None for NULL and for what is not a finite number."""
    if isinstance(measured, Decimal):
        measured = _number(measured)
    if isinstance(measured, float):
        return measured if math.isfinite(measured) else None
    if isinstance(measured, datetime | date | time):
        return measured.isoformat()
    if isinstance(measured, bytes | memoryview):
        return bytes(measured).hex()
    if measured is None or isinstance(measured, bool | str):
        return measured
    if isinstance(measured, int):
        return measured if -(2**63) <= measured < 2**63 else float(measured)
    if isinstance(measured, UUID):
        return str(measured)
    return shown(repr(measured))


def _shortened(seen: Any) -> Any:
    if not isinstance(seen, str):
        return seen
    text = seen.encode(errors="backslashreplace").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _number(measured: Decimal) -> int | float | None:
    if not measured.is_finite():
        return None
    return int(measured) if measured == measured.to_integral_value() else float(measured)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _show(value: object) -> str:
    return shown(repr(value)) if isinstance(value, str) else str(value)
