"""YAML text to plain values, by the YAML 1.2 core schema, and back to lines when something is wrong.

PyYAML's parser stands on libyaml and is fast; its idea of a scalar is YAML 1.1, where an unquoted `12:00` is 720, `off` is
False and `2025-12-25` a date. So only its `compose` is used, with a resolver of our own.

There are two ways through a file. `plain` is one tight loop that keeps no positions and gives up, with `Doubt`, on
anything unusual. `careful` reads the same text again, checks everything, and knows where each value stands.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner

from interlock.config.shape import Path, Unusable

try:
    from yaml._yaml import CParser
except ImportError:  # a PyYAML built without libyaml
    CParser = None  # type: ignore[assignment,misc]  # the pure parser below takes its place

MAX_DEPTH: Final = 64
MAX_NODES: Final = 20_000


class Finding(NamedTuple):
    """Something wrong with the text itself, counted from line 1 and column 1."""

    line: int
    column: int
    message: str
    hint: str = ""


class Doubt(Exception):
    """The plain way met something that only the careful way can judge."""


class _Broken(Exception):
    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


# ---------------------------------------------------------------- scalars

_NULL: Final = object()
_WORDS: Final[dict[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), _NULL),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), Unusable("infinity is not a JSON number")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), Unusable("infinity is not a JSON number")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), Unusable("'not a number' is not a JSON number")),
}
_FIRST: Final = frozenset(["", *"~nNtTfF0123456789+-."])
_LETTERS: Final = frozenset(["", *"~nNtTfF"])
_INT: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_LONGEST_NUMBER: Final = 40


def scalar(text: str) -> object:
    """Return what an unquoted scalar means: None, a bool, an int, a float or the text itself; `Unusable` if none will do."""
    meaning = _meaning(text)
    if meaning is None:
        return text
    return None if meaning is _NULL else meaning


def _meaning(text: str) -> object:
    """Return None for text, so that the common case needs no new object; `_NULL` stands for null."""
    if text.isdigit() and text.isascii() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    first = text[:1]
    if first not in _FIRST:
        return None
    if first in _LETTERS or text in _WORDS:
        return _WORDS.get(text)
    if _INT.fullmatch(text):
        return int(text) if len(text) <= _LONGEST_NUMBER else Unusable("too long a number: quote it if it is text")
    if _FLOAT.fullmatch(text):
        number = float(text[:_LONGEST_NUMBER])
        if len(text) <= _LONGEST_NUMBER and abs(number) != float("inf"):
            return number
        return Unusable("too large a number: quote it if it is text")
    return int(text, 0) if len(text) <= _LONGEST_NUMBER and _BASED.fullmatch(text) else None


class _CoreSchema:
    """What PyYAML's composers ask of a resolver. A tag of ours is None for text and collections, else the value itself."""

    def resolve(self, _kind: object, value: str | None, implicit: Any) -> Any:
        if value is None or (first := value[:1]) not in _FIRST or not implicit[0]:
            return None
        return _WORDS.get(value) if first in _LETTERS else _meaning(value)

    # The composers announce every step down and up, and nothing here listens. These two take the arguments and are
    # written in C, where methods of our own would be a tenth of the time that a file takes.
    descend_resolver = staticmethod(operator.is_)
    ascend_resolver = staticmethod(int)


class _PureParser(_CoreSchema, Reader, Scanner, Parser, Composer):
    def __init__(self, stream: bytes) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


if CParser is None:
    _Parser: Any = _PureParser
else:

    class _FastParser(_CoreSchema, CParser):
        pass

    _Parser = _FastParser


# ---------------------------------------------------------------- the plain way

_ANCHOR: Final = re.compile(rb"(?:^|[\s\[{,:?-])&\S")
_DEEP: Final = b"\n" + b" " * MAX_DEPTH
_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def plain(raw: bytes) -> Any:
    """Read one YAML document into dicts, lists and scalars.

    Raises:
        Doubt: the text is wrong or unusual; `careful` will say how.
    """
    if raw.startswith(_BOMS) or b"<<" in raw or (b"&" in raw and _ANCHOR.search(raw)):
        raise Doubt
    try:
        if _may_be_deep(raw):
            _check_depth(raw)
        node = _Parser(raw).get_single_node()
    except (yaml.YAMLError, _Broken) as exc:
        raise Doubt from exc
    return _plain(node)


def _plain(node: Any) -> Any:
    kind = node.__class__
    if kind is MappingNode and node.tag is None:
        return _plain_mapping(node)
    if kind is SequenceNode and node.tag is None:
        return [
            item.value if item.tag is None and item.__class__ is ScalarNode else _plain(item) for item in node.value
        ]
    if kind is not ScalarNode:
        raise Doubt
    tag = node.tag
    if tag is None:
        return node.value
    if tag is _NULL:
        return None
    if tag.__class__ is str or tag.__class__ is Unusable:
        raise Doubt
    return tag


def _plain_mapping(node: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in node.value:
        if key.__class__ is not ScalarNode or key.tag.__class__ is str:
            raise Doubt
        if value.tag is None and value.__class__ is ScalarNode:
            values[key.value] = value.value
        else:
            values[key.value] = _plain(value)
    if len(values) != len(node.value):
        raise Doubt
    return values


def _may_be_deep(raw: bytes) -> bool:
    """Say whether a text could nest too deeply: the C composer recurses without a limit, so this comes before it."""
    openers = raw.count(b"[") + raw.count(b"{") + raw.count(b"-") + raw.count(b"?")
    return openers >= MAX_DEPTH or _DEEP in raw or raw.startswith(_DEEP[1:])


def _check_depth(raw: bytes) -> None:
    parser, depth = _Parser(raw), 0
    while (event := parser.get_event()) is not None:
        if isinstance(event, yaml.events.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.events.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _Broken(_at(event, f"nested more than {MAX_DEPTH} levels deep", "no Interlock file needs that"))


def _at(node: Any, message: str, hint: str = "") -> Finding:
    return Finding(node.start_mark.line + 1, node.start_mark.column + 1, message, hint)


# ---------------------------------------------------------------- the careful way


class Tree:
    """A YAML text with everything that is wrong with it, and the place of every value in it.

    `data` is the document as plain values, with `Unusable` where a value could not be read. `findings` is in no order.
    """

    def __init__(self, raw: bytes) -> None:
        self.data: Any = Unusable("not readable")
        self.findings: list[Finding] = []
        self.lines = max(1, raw.count(b"\n") + (not raw.endswith(b"\n")))
        self._root: Any = None
        self._seen: dict[int, Any] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        try:
            self._root = _compose(raw)
            self._measure(self._root, ())
            self.data = self._value(self._root)
        except _Broken as exc:
            self._root = None
            self.findings.append(exc.finding)
        except yaml.MarkedYAMLError as exc:
            self.findings.append(_syntax(exc, raw))
        self.findings = [f._replace(line=min(max(f.line, 1), self.lines)) for f in self.findings]

    def locate(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Return line and column of the value at a path, or of its key; of the nearest thing around it if there is none."""
        if self._root is None:
            return 1, 1
        node, place = self._root, self._root
        for index, step in enumerate(path):
            found = _child(node, step)
            if found is None:
                break
            name, node = found
            place = name if key and index == len(path) - 1 else node
        return min(place.start_mark.line + 1, self.lines), place.start_mark.column + 1

    def _measure(self, node: Any, above: tuple[int, ...]) -> tuple[int, int]:
        """Return how many nodes and levels a node stands for once its aliases are expanded, without expanding them."""
        if node.__class__ is ScalarNode:
            return 1, 0
        if id(node) in above:
            raise _Broken(_at(node, "an anchor that contains itself", "write the value out"))
        if id(node) not in self._sizes:
            inner = [self._measure(child, (*above, id(node))) for child in _children(node)]
            size, depth = 1 + sum(s for s, _ in inner), 1 + max((d for _, d in inner), default=0)
            if size > MAX_NODES and self._repeats(node):
                raise _Broken(_at(node, f"aliases that expand to more than {MAX_NODES} values", "write the values out"))
            if depth > MAX_DEPTH:
                raise _Broken(_at(node, f"nested more than {MAX_DEPTH} levels deep", "no Interlock file needs that"))
            self._sizes[id(node)] = size, depth
        return self._sizes[id(node)]

    def _repeats(self, node: Any) -> bool:
        seen: set[int] = set()
        waiting = [node]
        while waiting:
            here = waiting.pop()
            if id(here) in seen:
                return True
            seen.add(id(here))
            waiting.extend(_children(here))
        return False

    def _value(self, node: Any) -> Any:
        if id(node) not in self._seen:
            self._seen[id(node)] = self._fresh(node)
        return self._seen[id(node)]

    def _fresh(self, node: Any) -> Any:
        if node.tag.__class__ is str:
            hint = "remove the tag; put quotes around the value if it is meant as text"
            self.findings.append(_at(node, f"the tag {_shown(node.tag)} is not supported", hint))
            return Unusable("tag")
        if node.__class__ is MappingNode:
            return self._mapping(node)
        if node.__class__ is SequenceNode:
            return [self._value(item) for item in node.value]
        if node.tag.__class__ is Unusable:
            self.findings.append(_at(node, node.tag.reason))
            return node.tag
        return node.value if node.tag is None else (None if node.tag is _NULL else node.tag)

    def _mapping(self, node: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.__class__ is not ScalarNode or key.tag.__class__ is str:
                self.findings.append(_at(key, "a key must be plain text", "quote it"))
            elif key.value == "<<":
                self.findings.append(_at(key, "merge keys (<<) are not supported", "write the keys out"))
            elif key.value in values:
                first = lines[key.value]
                self.findings.append(
                    _at(key, f"the key {key.value!r} is given twice, first in line {first}", "remove one")
                )
            else:
                lines[key.value] = key.start_mark.line + 1
                values[key.value] = self._value(value)
        return values


def _children(node: Any) -> Iterator[Any]:
    if node.__class__ is MappingNode:
        for key, value in node.value:
            yield key
            yield value
    elif node.__class__ is SequenceNode:
        yield from node.value


def _child(node: Any, step: str | int) -> tuple[Node, Node] | None:
    if node.__class__ is MappingNode:
        return next(((k, v) for k, v in node.value if k.__class__ is ScalarNode and k.value == step), None)
    if node.__class__ is SequenceNode and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


_CONTROL: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _compose(raw: bytes) -> Any:
    for bom in _BOMS:
        if raw.startswith(bom):
            raise _Broken(Finding(1, 1, "the file begins with a byte order mark", "save it as UTF-8 without one"))
    try:
        text = raw.decode()
    except UnicodeDecodeError as exc:
        before = raw[: exc.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        raise _Broken(Finding(before.count(b"\n") + 1, column, "not UTF-8", "save the file as UTF-8")) from exc
    bad = _CONTROL.search(text)
    if bad:
        before_bad = text[: bad.start()]
        line, column = before_bad.count("\n") + 1, bad.start() - before_bad.rfind("\n")
        raise _Broken(Finding(line, column, f"the character {bad[0]!a} is not allowed in YAML", "remove it"))
    try:
        if _may_be_deep(raw):
            _check_depth(raw)
        node = _Parser(raw).get_single_node()
    except ReaderError as exc:
        raise _Broken(Finding(1, 1, f"not readable as YAML: {exc.reason}")) from exc
    if node is None:
        raise _Broken(Finding(1, 1, "the file is empty", "write its content, or remove it"))
    return node


def _syntax(exc: yaml.MarkedYAMLError, raw: bytes) -> Finding:
    mark = exc.problem_mark or exc.context_mark
    if mark and exc.context_mark and mark.line >= raw.count(b"\n") + (not raw.endswith(b"\n")):
        mark = exc.context_mark  # the end of the file says nothing of where something was left open
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = str(exc.problem or exc.context)
    text = raw.decode(errors="replace").split("\n")
    here = text[line - 1] if line <= len(text) else ""
    hint = "see the lines just above, too"
    if what == "but found another document":
        what, hint = "more than one document in the file", "one file holds one; remove the '---'"
    elif "\t" in here[: len(here) - len(here.lstrip())]:
        hint = "indent with spaces, not tabs"
    elif what.startswith("mapping values are not allowed"):
        hint = "a value that contains ': ' needs quotes"
    elif "undefined alias" in what or "cannot start any token" in what:
        hint = "a value that begins with *, &, !, %, @ or ` needs quotes"
    return Finding(line, column, f"not valid YAML: {what}", hint)


def _shown(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
