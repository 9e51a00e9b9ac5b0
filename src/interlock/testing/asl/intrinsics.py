"""Intrinsic functions: `States.Format('{} of {}', $.a, $.b)`, compiled once. Those that are not in the table are refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from interlock.testing.asl.failures import INTRINSIC, StateFailed, Unsupported
from interlock.testing.asl.paths import Path, Reader, Scope

_NAME: Final = re.compile(r"\s*States\.(\w+)\s*\(")
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD: Final = re.compile(r"(null|true|false)\b")
_PATH: Final = re.compile(r"\$(?:\[(?:'[^']*'|\"[^\"]*\"|[^\]]*)\]|[^\s,()\[\]])*")
_ESCAPED: Final = re.compile(r"\\(.)")
_HOLE: Final = re.compile(r"\\.|\{\}|[{}]")
_WORDS: Final = {"null": None, "true": True, "false": False}


class Function(NamedTuple):
    """One intrinsic: how many arguments it takes (`most` None: any number), and what it does."""

    least: int
    most: int | None
    call: Callable[[list[Any], Random], Any]


def compile_call(text: str) -> Reader:
    """Compile a call; what stands after it is an error."""
    parser = _Parser(text)
    reader = parser.call()
    parser.end()
    return reader


def paths_in(text: str) -> list[Path]:
    """Name the paths that a call reads."""
    parser = _Parser(text)
    parser.call()
    return parser.paths


def as_text(value: Any) -> str:
    """Write a value as compact JSON."""
    return msgspec.json.encode(value).decode()


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.paths: list[Path] = []

    def call(self) -> Reader:
        """Read `States.Name(...)`."""
        name = self._take(_NAME)
        if name is None or name[1] not in _FUNCTIONS:
            raise Unsupported(f"'{self._text}' is no path, and no intrinsic function that is known here")
        function, arguments = _FUNCTIONS[name[1]], self._arguments(raw=name[1] == "Format")
        count = len(arguments)
        if count < function.least or (function.most is not None and count > function.most):
            raise Unsupported(f"'{self._text}': States.{name[1]} cannot take {count} arguments")
        call = function.call

        def run(scope: Scope) -> Any:
            return call([argument(scope) for argument in arguments], scope.dice)

        return run

    def end(self) -> None:
        """Refuse anything that is left."""
        if self._text[self._at :].strip():
            raise Unsupported(f"'{self._text}' does not end after its function")

    def _arguments(self, *, raw: bool) -> list[Reader]:
        arguments: list[Reader] = []
        while not self._skip(")"):
            if arguments and not self._skip(","):
                raise Unsupported(f"'{self._text}' lacks a comma or a bracket at {self._at}")
            arguments.append(self._argument(raw=raw and not arguments))
        return arguments

    def _argument(self, *, raw: bool) -> Reader:
        self._space()
        if quoted := self._take(_QUOTED):
            return _constant(quoted[1] if raw else _ESCAPED.sub(r"\1", quoted[1]))
        if word := self._take(_WORD):
            return _constant(_WORDS[word[1]])
        if number := self._take(_NUMBER):
            return _constant(msgspec.json.decode(number[0].encode()))
        if path := self._take(_PATH):
            self.paths.append(Path(path[0]))
            return self.paths[-1]
        return self.call()

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _skip(self, character: str) -> bool:
        self._space()
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def _space(self) -> None:
        while self._text.startswith(" ", self._at):
            self._at += 1


def _constant(value: Any) -> Reader:
    return lambda _scope: value


def _format(arguments: list[Any], _dice: Random) -> str:
    template, *values = arguments
    rest = iter(values)
    used = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal used
        if match[0].startswith("\\"):
            return match[0][1]
        if match[0] != "{}":
            raise StateFailed(INTRINSIC, f"States.Format: a brace that is no {{}} has to be escaped in '{template}'")
        used += 1
        value = next(rest, None)
        return value if isinstance(value, str) else as_text(value)

    if not isinstance(template, str):
        raise StateFailed(INTRINSIC, "States.Format: the template is no string")
    text = _HOLE.sub(fill, template)
    if used != len(values):
        raise StateFailed(INTRINSIC, f"States.Format: '{template}' has {used} places for {len(values)} values")
    return text


def _string_to_json(arguments: list[Any], _dice: Random) -> Any:
    if not isinstance(arguments[0], str):
        raise StateFailed(INTRINSIC, "States.StringToJson takes a string")
    try:
        return msgspec.json.decode(arguments[0].encode())
    except msgspec.DecodeError as exc:
        raise StateFailed(INTRINSIC, f"States.StringToJson: {exc}") from exc


def _array_length(arguments: list[Any], _dice: Random) -> int:
    if not isinstance(arguments[0], list):
        raise StateFailed(INTRINSIC, "States.ArrayLength takes an array")
    return len(arguments[0])


def _math_add(arguments: list[Any], _dice: Random) -> int:
    if not all(isinstance(term, int) and not isinstance(term, bool) for term in arguments):
        raise StateFailed(INTRINSIC, "States.MathAdd takes two whole numbers")
    return int(arguments[0] + arguments[1])


def _hash(arguments: list[Any], _dice: Random) -> str:
    data, algorithm = arguments
    if algorithm not in _HASHES:
        raise StateFailed(INTRINSIC, f"States.Hash knows no {algorithm}")
    text = data if isinstance(data, str) else as_text(data)
    return hashlib.new(_HASHES[algorithm], text.encode()).hexdigest()


def _uuid(_arguments: list[Any], dice: Random) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))


_HASHES: Final = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_FUNCTIONS: Final = {
    "Format": Function(1, None, _format),
    "JsonToString": Function(1, 1, lambda arguments, _dice: as_text(arguments[0])),
    "StringToJson": Function(1, 1, _string_to_json),
    "Array": Function(0, None, lambda arguments, _dice: arguments),
    "ArrayLength": Function(1, 1, _array_length),
    "MathAdd": Function(2, 2, _math_add),
    "Hash": Function(2, 2, _hash),
    "UUID": Function(0, 0, _uuid),
}
