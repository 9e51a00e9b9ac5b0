"""A JSON object as a value: hashable, comparable, mergeable, opaque."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final


class Document:
    """A JSON object held as sorted pairs of key and canonical JSON text of the value.

    Evaluator configuration and evaluator measurements are none of the core's business; all it does with them is
    keep, compare and overlay them. Held this way they are immutable, equal when they mean the same, and the same in
    every process. `interlock.codec.documents` turns mappings into documents and back.
    """

    __slots__ = ("pairs",)

    pairs: tuple[tuple[str, str], ...]

    def __init__(self, pairs: tuple[tuple[str, str], ...] = ()) -> None:
        object.__setattr__(self, "pairs", tuple(sorted(pairs)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Document cannot be changed (tried to set {name})")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Document({self.text})"

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.pairs)

    def get(self, key: str) -> str | None:
        """Return the canonical JSON text of one value, or None when the key is absent."""
        for name, text in self.pairs:
            if name == key:
                return text
        return None

    def overlaid(self, other: Document) -> Document:
        """Return a document with the other's keys laid over these: shallow, key by key."""
        return Document(tuple((dict(self.pairs) | dict(other.pairs)).items()))

    @property
    def text(self) -> str:
        """The canonical JSON text of the whole, for people and digests."""
        return "{" + ",".join(f"{_quoted(key)}:{text}" for key, text in self.pairs) + "}"


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x20 else c) for c in text) + '"'


EMPTY: Final = Document()
