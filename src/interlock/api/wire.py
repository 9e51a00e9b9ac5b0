"""Answers as JSON and back: the same two functions for the server and for the clients."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from interlock.codec import wire
from interlock.errors import ServerUnavailable

T = TypeVar("T")

_SHOWN: Final = 200


class Page(Protocol):
    """An answer that is a list: a View with `items`, and `next` where there may be more."""

    @property
    def items(self) -> tuple[Any, ...]:
        """What is listed."""
        ...


class Bare(NamedTuple):
    """A list on its way as a plain array, with the cursor that travels beside it, in the headers."""

    body: bytes
    next: str | None


def encode_answer(answer: object) -> bytes:
    """Write an answer as JSON; nothing at all for None."""
    return b"" if answer is None else wire.to_json(answer)


def decode_answer(kind: type[T], data: bytes) -> T:
    """Read an answer of a type, as `answer_of` names it. Fields that are not known here are let be.

    Raises:
        ServerUnavailable: it is none; most likely something else than Interlock answered, or a much older one.
    """
    if kind is None or kind is type(None):
        return None  # type: ignore[return-value]  # T is None here
    try:
        return wire.from_json(data, kind)
    except (ValueError, RecursionError) as exc:
        shown = data[:_SHOWN].decode(errors="replace")
        raise ServerUnavailable(f"the server's answer cannot be read: {exc}. It begins with {shown!r}") from exc


def encode_bare(answer: Page) -> Bare:
    """Write an answer that is a list as a plain array, for an endpoint that is `bare`."""
    return Bare(wire.to_json(answer.items), getattr(answer, "next", None))


def decode_bare(kind: type[T], data: bytes, cursor: str | None) -> T:
    """Read an answer back that travelled as a plain array, and its cursor beside it.

    Raises:
        ServerUnavailable: it is none.
    """
    try:
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
    except ValueError as exc:
        shown = data[:_SHOWN].decode(errors="replace")
        raise ServerUnavailable(f"the server's answer is no list: {exc}. It begins with {shown!r}") from exc
    return decode_answer(kind, msgspec.json.encode({"items": items, "next": cursor}))
