"""What is certain about data before it is there: which paths it has, and which constants stand at some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from interlock.testing.asl.paths import Path

ITEM: Final = "[*]"
Keys = tuple[str, ...]


class Shape(NamedTuple):
    """Paths that are there for certain, and constants at paths. What is not listed may be missing."""

    paths: frozenset[Keys] = frozenset()
    constants: frozenset[tuple[Keys, Any]] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Shape:
        """Make a shape of paths such as `$.wait.seconds` and `$.asked[*].name`."""
        return cls(frozenset(prefix for text in texts for prefix in _prefixes(keys_of(Path(text)))))

    @classmethod
    def literal(cls, value: Any) -> Shape:
        """Make the shape of a constant."""
        if isinstance(value, dict):
            shape = cls()
            for key, inner in value.items():
                shape = shape.put((key,), cls.literal(inner))
            return shape
        return cls(constants=frozenset({((), value)})) if isinstance(value, str | int | None) else cls()

    def depth(self) -> int:
        """How many steps the longest path has."""
        return max(map(len, self.paths), default=0)

    def has(self, path: Path) -> bool:
        """Whether a path is certain to be readable: to the end, or as far as what is listed or sliced."""
        keys: list[str] = []
        for key in path.keys:
            if not isinstance(key, str | int):
                break
            keys.append(str(key) if isinstance(key, str) else f"[{key}]")
        return not keys or tuple(keys) in self.paths

    def constant(self, keys: Keys) -> tuple[Any] | None:
        """Return the constant at a path in a tuple, or None when it could be anything."""
        for at, value in self.constants:
            if at == keys:
                return (value,)
        return None

    def under(self, keys: Keys) -> Shape:
        """Return the shape of what is at a path."""
        size = len(keys)
        return Shape(
            frozenset(path[size:] for path in self.paths if len(path) > size and path[:size] == keys),
            frozenset((path[size:], value) for path, value in self.constants if path[:size] == keys),
        )

    def put(self, keys: Keys, inner: Shape) -> Shape:
        """Return the shape with another at a path, in place of what was there."""
        if not keys:
            return inner
        size = len(keys)
        paths = {path for path in self.paths if path[:size] != keys}
        constants = {(path, value) for path, value in self.constants if path[:size] != keys}
        return Shape(
            frozenset(paths | set(_prefixes(keys)) | {keys + path for path in inner.paths}),
            frozenset(constants | {(keys + path, value) for path, value in inner.constants}),
        )

    def with_path(self, keys: Keys) -> Shape:
        """Return the shape with one more path."""
        return Shape(self.paths | set(_prefixes(keys)), self.constants)

    def with_constant(self, keys: Keys, value: Any) -> Shape:
        """Return the shape with a constant at a path."""
        others = frozenset((path, was) for path, was in self.constants if path != keys)
        return Shape(self.paths | set(_prefixes(keys)), others | {(keys, value)})


def keys_of(path: Path) -> Keys:
    """Return a path's steps as words; wildcards and slices are all alike."""
    return tuple(key if isinstance(key, str) else f"[{key}]" if isinstance(key, int) else ITEM for key in path.keys)


def paths_of(data: Any) -> set[str]:
    """Return the paths of some data as they are written in a description; those of items that all of them have."""
    return {"".join(["$", *map(_written, path)]) for path in _shape_of(data).paths}


def described(examples: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """Describe a producer by the least that it says: the paths that all examples with one value of `next` have."""
    found: dict[str, set[str]] = {}
    for example in examples:
        following, paths = example.get("next", ""), paths_of(example)
        found[following] = found.get(following, paths) & paths
    return found


def _shape_of(data: Any) -> Shape:
    shape = Shape()
    if isinstance(data, dict):
        for key, inner in data.items():
            shape = shape.put((key,), _shape_of(inner))
    elif isinstance(data, list):
        shape = items_of([_shape_of(item) for item in data])
    return shape


def _written(key: str) -> str:
    return key if key == ITEM else f"['{key}']"


def items_of(shapes: Collection[Shape]) -> Shape:
    """Return the shape of an array whose items have these shapes: what all of them have."""
    common = frozenset.intersection(*(shape.paths for shape in shapes)) if shapes else frozenset()
    return Shape(frozenset({(ITEM,)} | {(ITEM, *path) for path in common}))


def _prefixes(keys: Keys) -> list[Keys]:
    return [keys[:size] for size in range(1, len(keys) + 1)]
