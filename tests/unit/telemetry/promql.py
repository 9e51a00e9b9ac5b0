"""As much of PromQL as is needed to say which series an expression reads, and which labels it speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<span>\[[^\]]*\])
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^=<>(){},])
    """,
    re.VERBOSE,
)
_OF_LABELS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_BETWEEN = {"and", "or", "unless", "bool", "offset"}


class Matcher(NamedTuple):
    """One condition on a label."""

    label: str
    sign: str
    value: str

    def values(self) -> list[str]:
        """Return the values that it asks for by name; none for a variable, or for whatever matches everything."""
        if "$" in self.value or self.sign.startswith("!"):
            return []
        return self.value.split("|") if self.sign == "=~" else [self.value]


class Selector(NamedTuple):
    """One metric that is read, under which conditions."""

    metric: str
    matchers: tuple[Matcher, ...]


class Expression(NamedTuple):
    """What an expression reads, and the labels that it groups or joins by."""

    selectors: tuple[Selector, ...]
    labels: frozenset[str]


def parse(text: str) -> Expression:
    """Take an expression apart; what is not understood is an error, never skipped."""
    tokens = list(_tokens(text))
    assert [token for _, token in tokens].count("(") == [token for _, token in tokens].count(")"), text
    selectors: list[Selector] = []
    labels: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, token = tokens[at]
        after = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if kind != "name" or token in _BETWEEN:
            assert token not in ("{", "}"), text
            continue
        if token in _OF_LABELS:
            found, at = _list_of_labels(tokens, at)
            labels |= found
        elif after == "{":
            matchers, at = _matchers(tokens, at + 1)
            selectors.append(Selector(token, matchers))
        elif after != "(" and after not in _OF_LABELS:
            selectors.append(Selector(token, ()))
    return Expression(tuple(selectors), frozenset(labels))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None, f"not understood: {text[at:]!r} of {text!r}"
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]
        at = found.end()


def _list_of_labels(tokens: list[tuple[str, str]], at: int) -> tuple[set[str], int]:
    assert tokens[at][1] == "("
    end = next(place for place in range(at, len(tokens)) if tokens[place][1] == ")")
    return {token for kind, token in tokens[at:end] if kind == "name"}, end + 1


def _matchers(tokens: list[tuple[str, str]], at: int) -> tuple[tuple[Matcher, ...], int]:
    found: list[Matcher] = []
    while tokens[at][1] != "}":
        (_, label), (_, sign), (kind, value) = tokens[at : at + 3]
        assert kind == "text", tokens[at : at + 3]
        found.append(Matcher(label, sign, value[1:-1]))
        at += 3 + (tokens[at + 3][1] == ",")
    return tuple(found), at + 1
