"""Regular expressions that cannot be made to hang: a subset, matched in time proportional to pattern times text.

The `re` of Python tries one way after another, so a small pattern and a hostile text can keep it busy for years, and
nothing stops a thread that is inside it. Here all ways are followed at once, state by state, and neither pattern nor text
may be long. What cannot be matched so (references back, looking around) does not exist.

Known are: characters, `.` (anything but a line feed), classes `[a-z]` and `[^a-z]`, `\\d \\w \\s \\D \\W \\S` (of ASCII),
groups `(…)` and `(?:…)`, `|`, and `* + ? {n} {n,} {n,m}`. The whole text has to match, so `^` at the beginning and `$` at
the end change nothing.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

LONGEST_PATTERN: Final = 200
LONGEST_TEXT: Final = 1000
MOST_STATES: Final = 500
MOST_PARTS: Final = 5_000
DEEPEST: Final = 20

_COUNT: Final = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}", re.ASCII)
_NAMED: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_CONTROLS: Final = {"t": 9, "n": 10, "r": 13, "f": 12, "v": 11}


class BadPattern(ValueError):
    """The text is no pattern of this kind; the message says why."""


class _Chars(NamedTuple):
    ranges: tuple[tuple[int, int], ...]
    negated: bool = False

    def takes(self, code: int) -> bool:
        return any(low <= code <= high for low, high in self.ranges) is not self.negated


class _Row(NamedTuple):
    parts: tuple[_Node, ...]


class _Choice(NamedTuple):
    ways: tuple[_Node, ...]


class _Repeat(NamedTuple):
    what: _Node
    low: int
    high: int | None


_Node: TypeAlias = "_Chars | _Row | _Choice | _Repeat"


class Pattern:
    """A pattern, ready to match.

    Raises:
        BadPattern: the text is no pattern, or too large a one.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_PATTERN:
            raise BadPattern(f"a pattern has at most {LONGEST_PATTERN} characters, not {len(text)}")
        self._machine = _Machine(_Parser(text).whole())

    def matches(self, text: str) -> bool:
        """Say whether the whole text matches.

        Raises:
            ValueError: the text is longer than `LONGEST_TEXT`.
        """
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"the text has {len(text)} characters, and a pattern is tried on at most {LONGEST_TEXT}")
        return self._machine.accepts(text)


class _Machine:
    """States that are followed all at once. State `end` accepts; an edge takes a character, a jump takes none."""

    def __init__(self, node: _Node) -> None:
        self._edges: list[tuple[_Chars, int] | None] = []
        self._jumps: list[list[int]] = []
        self._parts = 0
        start = self._state()
        self._end = self._add(node, start)
        self._reached = [self._reach(state) for state in range(len(self._edges))]
        self._start = self._reached[start]

    def accepts(self, text: str) -> bool:
        now = self._start
        for character in text:
            code = ord(character)
            following: set[int] = set()
            for state in now:
                edge = self._edges[state]
                if edge is not None and edge[0].takes(code):
                    following |= self._reached[edge[1]]
            if not following:
                return False
            now = frozenset(following)
        return self._end in now

    def _state(self) -> int:
        if len(self._edges) >= MOST_STATES:
            raise BadPattern(f"the pattern needs more than {MOST_STATES} states: make its repetitions smaller")
        self._edges.append(None)
        self._jumps.append([])
        return len(self._edges) - 1

    def _add(self, node: _Node, start: int) -> int:
        """Add what leads from a state through a node; return the state behind it."""
        # Nothing, again and again, needs no state: `((){9999}){9999}` is to be stopped, too.
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise BadPattern(f"the pattern has more than {MOST_PARTS} parts: make its repetitions smaller")
        match node:
            case _Chars():
                end = self._state()
                inner = self._state()
                self._jumps[start].append(inner)
                self._edges[inner] = (node, end)
                return end
            case _Row():
                for part in node.parts:
                    start = self._add(part, start)
                return start
            case _Choice():
                end = self._state()
                for way in node.ways:
                    self._jumps[self._add(way, self._after(start))].append(end)
                return end
            case _Repeat():
                return self._repeated(node, start)

    def _repeated(self, node: _Repeat, start: int) -> int:
        for _ in range(node.low):
            start = self._add(node.what, start)
        if node.high is None:
            loop = self._after(start)
            self._jumps[self._add(node.what, loop)].append(loop)
            return self._after(loop)
        end = self._state()
        for _ in range(node.high - node.low):
            self._jumps[start].append(end)
            start = self._add(node.what, start)
        self._jumps[start].append(end)
        return end

    def _after(self, state: int) -> int:
        following = self._state()
        self._jumps[state].append(following)
        return following

    def _reach(self, state: int) -> frozenset[int]:
        found, open_ = {state}, [state]
        while open_:
            for following in self._jumps[open_.pop()]:
                if following not in found:
                    found.add(following)
                    open_.append(following)
        return frozenset(found)


class _Parser:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> _Node:
        node = self._choice()
        if self._at < len(self._text):
            raise BadPattern("there is a ')' without its '('")
        return node

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        found = self._peek()
        self._at += 1
        return found

    def _choice(self) -> _Node:
        ways = [self._row()]
        while self._peek() == "|":
            self._next()
            ways.append(self._row())
        return ways[0] if len(ways) == 1 else _Choice(tuple(ways))

    def _row(self) -> _Node:
        parts: list[_Node] = []
        while self._peek() and self._peek() not in "|)":
            if self._anchor():
                continue
            parts.append(self._repeated(self._item()))
        return _Row(tuple(parts))

    def _anchor(self) -> bool:
        character, first = self._peek(), self._at == 0
        if character not in "^$":
            return False
        if not first and not (character == "$" and self._at == len(self._text) - 1):
            raise BadPattern(f"{character!r} within a pattern: the whole text has to match, so leave it out")
        if first and character == "$" and len(self._text) > 1:
            raise BadPattern("'$' at the beginning: nothing could match")
        self._next()
        return True

    def _item(self) -> _Node:
        character = self._next()
        match character:
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                return _Chars(((10, 10),), negated=True)
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise BadPattern(f"{character!r} has nothing in front of it to repeat")
            case "{":
                raise BadPattern(r"'{' has nothing in front of it to repeat; for the character itself write \{")
            case _:
                return _one(ord(character))

    def _group(self) -> _Node:
        if self._peek() == "?":
            if not self._text.startswith("?:", self._at):
                raise BadPattern(f"'({self._text[self._at : self._at + 2]}' is not known: groups are (…) or (?:…)")
            self._at += 2
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadPattern(f"groups are nested more than {DEEPEST} deep")
        inner = self._choice()
        self._depth -= 1
        if self._next() != ")":
            raise BadPattern("there is a '(' without its ')'")
        return inner

    def _repeated(self, item: _Node) -> _Node:
        low, high = self._bounds()
        if low is None:
            return item
        if self._peek() and (self._peek() in "*+?" or _COUNT.match(self._text, self._at)):
            raise BadPattern("a repetition follows a repetition: put what is repeated into a group")
        return _Repeat(item, low, high)

    def _bounds(self) -> tuple[int | None, int | None]:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self._peek() in simple:
            return simple[self._next()]
        if self._peek() != "{":
            return None, None
        counted = _COUNT.match(self._text, self._at)
        if counted is None or (counted[3] and not counted[2]):
            raise BadPattern(r"'{' is not followed by {n}, {n,} or {n,m}; for the character itself write \{")
        self._at = counted.end()
        low = int(counted[1])
        high = int(counted[3]) if counted[3] else None if counted[2] else low
        if high is not None and high < low:
            raise BadPattern(f"{counted[0]} counts backwards")
        return low, high

    def _escape(self) -> _Chars:
        letter = self._next()
        if letter.lower() in _NAMED:
            return _Chars(_NAMED[letter.lower()], negated=letter.isupper())
        return _one(self._escaped(letter))

    def _escaped(self, letter: str) -> int:
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if not letter:
            raise BadPattern("the pattern ends in a single '\\'")
        if letter.isalnum():
            raise BadPattern(f"'\\{letter}' is not known here: there are \\d \\w \\s \\D \\W \\S \\t \\n \\r \\f \\v")
        return ord(letter)

    def _class(self) -> _Chars:
        negated = self._peek() == "^"
        if negated:
            self._next()
        ranges: list[tuple[int, int]] = []
        while self._peek() != "]":
            ranges += self._span()
        self._next()
        if not ranges:
            raise BadPattern(r"an empty class []; for the character ] itself write \]")
        return _Chars(tuple(ranges), negated)

    def _span(self) -> tuple[tuple[int, int], ...]:
        low = self._member()
        if not isinstance(low, int):
            return low
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] == "]":
            return ((low, low),)
        self._next()
        high = self._member()
        if not isinstance(high, int) or high < low:
            raise BadPattern("a range in a class goes from one character up to another, such as a-z")
        return ((low, high),)

    def _member(self) -> int | tuple[tuple[int, int], ...]:
        character = self._next()
        if not character:
            raise BadPattern("there is a '[' without its ']'")
        if character != "\\":
            return ord(character)
        letter = self._next()
        if letter in _NAMED:
            return _NAMED[letter]
        if letter.lower() in _NAMED and letter:
            raise BadPattern(f"'\\{letter}' cannot be in a class: negate the whole class with [^…]")
        return self._escaped(letter)


def _one(code: int) -> _Chars:
    return _Chars(((code, code),))
