"""Paths into JSON, compiled once: `$.a.b[0]`, `$['a b']`, `$.a[*].b`, `$.a[1:3]`, and `$$` for the context object.

A path that can name one place only is definite: it gives the value there, and fails with `States.Runtime` if nothing is
there. Any other gives the list of what it found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

from interlock.testing.asl.failures import RESULT_PATH, RUNTIME, StateFailed, Unsupported

_STEP: Final = re.compile(
    r"""\.(?P<name>[^\W\d][\w-]*|\d[\w-]*)"""
    r"""|\[(?P<quote>['"])(?P<quoted>(?:(?!(?P=quote)).)+)(?P=quote)\]"""
    r"""|\[(?P<index>-?\d+)\]"""
    r"""|(?P<every>\.\*|\[\*\])"""
    r"""|\[(?P<first>-?\d*):(?P<last>-?\d*)\]"""
)
_ABSENT: Final = object()


class Scope:
    """What an expression may look at: the data, the context object, and dice for `States.UUID`."""

    __slots__ = ("context", "data", "dice")

    def __init__(self, data: Any, context: dict[str, Any], dice: Random) -> None:
        self.data = data
        self.context = context
        self.dice = dice


Reader = Callable[[Scope], Any]
_Key = str | int | slice | None  # None is the wildcard


class Path:
    """A compiled path. `keys` are its steps; a wildcard is None."""

    __slots__ = ("definite", "in_context", "keys", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.in_context = text.startswith("$$")
        self.keys = tuple(_steps(text, 2 if self.in_context else 1))
        self.definite = all(isinstance(key, str | int) for key in self.keys)

    def __call__(self, scope: Scope) -> Any:
        """Read in a scope."""
        return self.read(scope.context if self.in_context else scope.data)

    def read(self, root: Any) -> Any:
        """Return what is there, or fail with `States.Runtime`."""
        found = self.find(root)
        if found is _ABSENT:
            raise StateFailed(RUNTIME, f"The JSONPath '{self.text}' could not be found in the input")
        return found

    def present(self, scope: Scope) -> bool:
        """Whether something is there; null is something."""
        return self.find(scope.context if self.in_context else scope.data) is not _ABSENT

    def find(self, root: Any) -> Any:
        """Return what is there, or a mark of absence."""
        if not self.definite:
            return self._search(root)
        for key in self.keys:
            root = _at(root, key)
            if root is _ABSENT:
                break
        return root

    def _search(self, root: Any) -> Any:
        at = next(at for at, key in enumerate(self.keys) if not isinstance(key, str | int))
        for key in self.keys[:at]:
            root = _at(root, key)
        if not isinstance(root, list | dict):
            return _ABSENT
        found = [root]
        for key in self.keys[at:]:
            found = [child for value in found for child in _children(value, key)]
        return found

    def write(self, root: Any, value: Any) -> Any:
        """Return a copy of the data with a value put at the path; objects on the way are made."""
        return _put(root, self.keys, value, self.text)


def reference(text: str) -> Path:
    """Compile a path that must name one place."""
    path = Path(text)
    if not path.definite:
        raise Unsupported(f"'{text}' has to name one place")
    return path


def _steps(text: str, start: int) -> Iterator[_Key]:
    if not text.startswith("$"):
        raise Unsupported(f"'{text}' is no path: it has to begin with $")
    while start < len(text):
        step = _STEP.match(text, start)
        if step is None:
            raise Unsupported(f"'{text}' is no path that is known here: '{text[start:]}'")
        start = step.end()
        yield _key(step)


def _key(step: re.Match[str]) -> _Key:
    if step["every"]:
        return None
    if step["index"] is not None:
        return int(step["index"])
    if step["first"] is not None:
        first, last = step["first"], step["last"]
        return slice(int(first) if first else None, int(last) if last else None)
    return step["name"] or step["quoted"]


def _at(value: Any, key: _Key) -> Any:
    if isinstance(key, str):
        return value.get(key, _ABSENT) if isinstance(value, dict) else _ABSENT
    if isinstance(key, int) and isinstance(value, list) and -len(value) <= key < len(value):
        return value[key]
    return _ABSENT


def _children(value: Any, key: _Key) -> list[Any]:
    if key is None:
        return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if isinstance(key, slice):
        return value[key] if isinstance(value, list) else []
    child = _at(value, key)
    return [] if child is _ABSENT else [child]


def _put(root: Any, keys: tuple[_Key, ...], value: Any, text: str) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(root, dict) and isinstance(key, str):
        return {**root, key: _put(root.get(key, {}), rest, value, text)}
    child = _at(root, key)
    if child is _ABSENT or not isinstance(key, int):
        raise StateFailed(RESULT_PATH, f"Unable to apply ReferencePath {text} to the input")
    return [_put(child, rest, value, text) if at == key % len(root) else was for at, was in enumerate(root)]
