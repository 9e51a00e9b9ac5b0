"""Carrying out a request: `Evaluate` of `interlock.api.judging` by `evaluate` of `interlock.operations.judging`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeVar

from msgspec.structs import fields

from interlock.api.contract import Request
from interlock.errors import Invalid
from interlock.operations.desk import Desk

T = TypeVar("T")

_CONTRACT: Final = "interlock.api."
_HERE: Final = "interlock.operations."
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


def perform(request: Request[T], desk: Desk) -> T:
    """Carry a request out and return its answer.

    Raises:
        InterlockError: it was not done, or not all of it; the message says why.
    """
    _require_text(request)
    answer: T = function_of(type(request))(request, desk)
    return answer


@cache
def function_of(kind: type[Request[Any]]) -> Callable[[Any, Desk], Any]:
    """Return the function that carries out requests of a kind. Its module is imported now, and not before."""
    module = import_module(kind.__module__.replace(_CONTRACT, _HERE, 1))
    found: Callable[[Any, Desk], Any] = getattr(module, _WORD.sub("_", kind.__name__).lower())
    return found


def _require_text(request: Request[Any]) -> None:
    # A terminal may hand in bytes that are no text, which no store can keep; what comes over HTTP was decoded as JSON.
    for field in fields(request):
        value = getattr(request, field.name)
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as exc:
                raise Invalid(f"{field.encode_name}: {value!r} is no text: it holds bytes that are not UTF-8") from exc
