"""Which records an event source mapping hands to its function: the patterns of AWS Lambda, and nothing else.

A pattern that AWS would refuse, or that uses what its documentation does not list, is a `BadPattern`. Three of its rules
surprise: `exists` sees leaves alone (an attribute's `{"N": …}`, never the attribute itself), numbers of DynamoDB are text,
so that `numeric` never matches one, and equal numbers written differently (300 and 300.0) are different.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Pattern: TypeAlias = Mapping[str, Any]

MOST: Final = 5
LONGEST: Final = 4096

_OR: Final = "$or"
_COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTUAL: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "prefix": str.startswith,
    "suffix": str.endswith,
    "equals-ignore-case": lambda found, wanted: found.lower() == wanted.lower(),
}


class BadPattern(ValueError):
    """AWS refuses this pattern, or does not say what it would mean."""


class Filters:
    """The filters of one mapping: a record that fits any of them is handed on; without filters all are."""

    def __init__(self, *patterns: Pattern) -> None:
        if len(patterns) > MOST:
            raise BadPattern(f"{len(patterns)} filters, and a mapping can have {MOST}")
        for pattern in patterns:
            if len(json.dumps(pattern)) > LONGEST:
                raise BadPattern(f"a pattern has more than {LONGEST} characters: {pattern}")
            _check(pattern)
        self._patterns = patterns

    def take(self, record: Mapping[str, Any]) -> bool:
        """Say whether a record is handed on."""
        return not self._patterns or any(_fits(pattern, record, (), record) for pattern in self._patterns)


# ------------------------------------------------------------ what a pattern may be


def _check(pattern: object) -> None:
    if not isinstance(pattern, Mapping) or not pattern:
        raise BadPattern(f"a pattern is an object with at least one field, and this is {pattern!r}")
    for key, part in pattern.items():
        if key == _OR:
            _check_each(part, _check)
        elif isinstance(part, Mapping):
            _check(part)
        else:
            _check_each(part, _check_rule)


def _check_each(part: object, check: Callable[[object], None]) -> None:
    if not isinstance(part, Sequence) or isinstance(part, str) or not part:
        raise BadPattern(
            f"what is wanted of a field stands in an array with at least one element, and this is {part!r}"
        )
    for each in part:
        check(each)


def _check_rule(rule: object) -> None:
    if rule is None or isinstance(rule, str | int | float):
        return
    if isinstance(rule, Mapping) and len(rule) == 1:
        ((name, wanted),) = rule.items()
        if name in _TEXTUAL and isinstance(wanted, str):
            return
        if name == "exists" and isinstance(wanted, bool):
            return
        if name == "numeric" and _is_range(wanted):
            return
        if name == "anything-but" and _is_exclusion(wanted):
            return
    raise BadPattern(f"{rule!r} is no comparison that Lambda lists")


def _is_range(wanted: object) -> bool:
    if not isinstance(wanted, Sequence) or isinstance(wanted, str) or len(wanted) not in (2, 4):
        return False
    return all(name in _COMPARED for name in wanted[::2]) and all(map(_is_number, wanted[1::2]))


def _is_exclusion(wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        return len(wanted) == 1 and all(name in ("prefix", "suffix") for name in wanted)
    values = wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]
    return bool(values) and all(isinstance(value, str) or _is_number(value) for value in values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# ------------------------------------------------------------ what fits it


def _fits(pattern: Pattern, node: Mapping[str, Any], path: tuple[str, ...], root: Mapping[str, Any]) -> bool:
    for key, part in pattern.items():
        here = (*path, key)
        if key == _OR:
            found = any(_fits(each, node, path, root) for each in part)
        elif isinstance(part, Mapping):
            inner = [each for each in _flat(node.get(key)) if isinstance(each, Mapping)]
            found = any(_fits(part, each, here, root) for each in inner or [{}])
        else:
            leaves = [each for each in _flat(node.get(key, _NOTHING)) if not isinstance(each, Mapping)]
            found = any(_holds(rule, leaves, here, root) for rule in part)
        if not found:
            return False
    return True


_NOTHING: Final[list[Any]] = []


def _holds(rule: Any, leaves: Sequence[Any], path: tuple[str, ...], root: Mapping[str, Any]) -> bool:
    if isinstance(rule, Mapping) and "exists" in rule:
        # Absent means absent everywhere: of an array's elements one with the field is enough.
        return bool(leaves) if rule["exists"] else not list(_leaves_at(root, path))
    return any(_is_wanted(rule, leaf) for leaf in leaves)


def _is_wanted(rule: Any, leaf: Any) -> bool:
    if not isinstance(rule, Mapping):
        return json.dumps(rule) == json.dumps(leaf)
    ((name, wanted),) = rule.items()
    if name == "numeric":
        return _is_number(leaf) and all(
            _COMPARED[sign](leaf, bound) for sign, bound in zip(wanted[::2], wanted[1::2], strict=True)
        )
    if name == "anything-but":
        unwanted = wanted if isinstance(wanted, list | tuple) else [wanted]
        return not any(_is_wanted(each, leaf) for each in unwanted)
    return isinstance(leaf, str) and _TEXTUAL[name](leaf, wanted)


def _leaves_at(node: Any, path: tuple[str, ...]) -> Iterator[Any]:
    for each in _flat(node):
        if not path:
            if not isinstance(each, Mapping):
                yield each
        elif isinstance(each, Mapping) and path[0] in each:
            yield from _leaves_at(each[path[0]], path[1:])


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _flat(each)
    else:
        yield value
