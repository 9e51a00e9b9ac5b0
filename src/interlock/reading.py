"""The one door to msgspec's readers of types.

msgspec learns a type when something of it is first read, and meanwhile every other thread is given what is known of it so
far: with msgspec 0.22 two threads at the first value of a type, or of two types that share a part, break the process. So
types are learnt by one thread at a time. What is no type of anybody's (`dict`, `str`, …) needs no learning, and no door.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")
Kind = TypeVar("Kind")
Hook: TypeAlias = Callable[[type, Any], Any]

_learning: Final = threading.RLock()
_learnt: Final[set[object]] = set()

# A fork waits for who is learning: in the child that type would never be learnt, and the lock never be free.
os.register_at_fork(before=_learning.acquire, after_in_parent=_learning.release, after_in_child=_learning.release)


def learnt(kind: Kind) -> Kind:
    """Return the type when all of it is known: for decoders that are made once and kept."""
    if kind not in _learnt:
        with _learning:
            msgspec.msgpack.Decoder(kind)
            # Only now: when that fails, msgspec forgets the type again, and whoever comes next learns it anew.
            _learnt.add(kind)
    return kind


def value(data: object, kind: type[T], *, strict: bool = True, hook: Hook | None = None) -> T:
    """Turn builtins into a value of a type. `hook` makes those that msgspec does not know.

    Raises:
        ValidationError: the data are no such value. It is a ValueError.
    """
    return msgspec.convert(data, learnt(kind), strict=strict, dec_hook=hook)


def parsed(text: bytes | str, kind: type[T], *, hook: Hook | None = None) -> T:
    """Turn JSON into a value of a type. `hook` makes those that msgspec does not know.

    Raises:
        ValueError: the text is no JSON, or no such value.
    """
    return msgspec.json.decode(text, type=learnt(kind), dec_hook=hook)
