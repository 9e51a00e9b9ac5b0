"""Rules of Choice states, compiled once into predicates over a scope.

A variable that is missing fails the execution, except for `IsPresent`. A variable of another type than the operator's is
simply no match; a value to compare with that is read from a path has to be of the type, or the execution fails.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from interlock.testing.asl.failures import RUNTIME, StateFailed, Unsupported
from interlock.testing.asl.paths import Path, Scope, reference

Predicate = Callable[[Scope], bool]
_Reading = Callable[[Any], Any]

_OPERATOR: Final = re.compile(
    r"(String|Numeric|Boolean|Timestamp)(Equals|LessThan|GreaterThan|LessThanEquals|GreaterThanEquals)(Path)?"
)
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_BESIDE: Final = {"Next", "Comment", "Variable"}


def timestamp(value: Any) -> datetime | None:
    """Read an instant as the language writes it: with a capital T, and with a zone."""
    if not isinstance(value, str) or _TIMESTAMP.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def rule(raw: dict[str, Any]) -> Predicate:
    """Compile one rule, with the rules inside it."""
    names = [key for key in raw if key not in _BESIDE]
    if len(names) != 1:
        raise Unsupported(f"a rule needs one operator, not {names}")
    name, wanted = names[0], raw[names[0]]
    if name in ("And", "Or"):
        return _several([rule(inner) for inner in wanted], all if name == "And" else any)
    if name == "Not":
        inner = rule(wanted)
        return lambda scope: not inner(scope)
    if not isinstance(raw.get("Variable"), str):
        raise Unsupported(f"a rule with {name} needs a Variable")
    return _test(name, wanted, reference(raw["Variable"]))


def _several(rules: list[Predicate], combine: Callable[..., bool]) -> Predicate:
    return lambda scope: combine(each(scope) for each in rules)


def _test(name: str, wanted: Any, variable: Path) -> Predicate:
    if name == "IsPresent":
        return lambda scope: variable.present(scope) is wanted
    if name in _KINDS:
        kind = _KINDS[name]
        return lambda scope: kind(_read(variable, scope)) is wanted
    if name == "StringMatches":
        pattern = _pattern(wanted)
        return lambda scope: isinstance(text := _read(variable, scope), str) and pattern.fullmatch(text) is not None
    match = _OPERATOR.fullmatch(name)
    if match is None or (match[1] == "Boolean" and match[2] != "Equals"):
        raise Unsupported(f"'{name}' is no operator of a rule")
    reading, compare = _READINGS[match[1]], _COMPARE[match[2]]
    if match[3]:
        return _against_path(variable, reference(wanted), reading, compare)
    constant = reading(wanted)
    if constant is None:
        raise Unsupported(f"'{name}' cannot compare with {wanted!r}")

    def against_constant(scope: Scope) -> bool:
        value = reading(_read(variable, scope))
        return value is not None and compare(value, constant)

    return against_constant


def _against_path(variable: Path, other: Path, reading: _Reading, compare: Callable[[Any, Any], bool]) -> Predicate:
    def against_path(scope: Scope) -> bool:
        value, wanted = reading(_read(variable, scope)), reading(_read(other, scope))
        if wanted is None:
            raise StateFailed(RUNTIME, f"Invalid path '{other.text}': the value there cannot be compared with")
        return value is not None and compare(value, wanted)

    return against_path


def _read(path: Path, scope: Scope) -> Any:
    if not path.present(scope):
        raise StateFailed(RUNTIME, f"Invalid path '{path.text}': a rule of a choice refers to what is not there")
    return path(scope)


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.findall(r"\\.|\*|[^*\\]+|\\", text, re.DOTALL)
    return re.compile(
        "".join(".*" if part == "*" else re.escape(re.sub(r"\\(.)", r"\1", part)) for part in parts), re.DOTALL
    )


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_READINGS: Final[dict[str, _Reading]] = {
    "String": _string,
    "Numeric": _number,
    "Boolean": _boolean,
    "Timestamp": timestamp,
}
_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    "IsNull": lambda value: value is None,
    "IsString": lambda value: isinstance(value, str),
    "IsNumeric": lambda value: _number(value) is not None,
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: timestamp(value) is not None,
}
