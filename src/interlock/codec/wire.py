"""Core values to JSON and back. Decoding validates: what cannot have been written by Interlock is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from interlock import reading
from interlock.codec.documents import document, mapping
from interlock.core.documents import Document
from interlock.core.periods import Period
from interlock.core.pipelines import PipelineSpec

T = TypeVar("T")


def _encoded(value: object) -> object:
    if isinstance(value, Document):
        return mapping(value)
    if isinstance(value, Period):
        return str(value)
    raise NotImplementedError(type(value).__name__)  # what msgspec asks of a hook that does not know a type


def _decoded(kind: type, data: object) -> object:
    if kind is Document and isinstance(data, Mapping):
        return document(data)
    if kind is Period and isinstance(data, str):
        return Period.parse(data)
    raise ValueError(f"expected {kind.__name__}, got {type(data).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_encoded, order="sorted")


def to_builtins(value: object) -> Any:
    """Turn a core value into JSON builtins."""
    return msgspec.to_builtins(value, enc_hook=_encoded, str_keys=True)


def to_json(value: object) -> bytes:
    """Turn a core value into JSON text with sorted keys: equal values give equal bytes."""
    return _encoder.encode(value)


def from_builtins(data: object, kind: type[T]) -> T:
    """Turn JSON builtins back into a core value.

    Raises:
        ValueError: the data is not such a value.
    """
    return reading.value(data, kind, hook=_decoded)


def from_json(text: bytes | str, kind: type[T]) -> T:
    """Turn JSON text back into a core value.

    Raises:
        ValueError: the text is not such a value.
    """
    return reading.parsed(text, kind, hook=_decoded)


def digest(spec: PipelineSpec) -> str:
    """Name a spec after its content: equal specs have equal digests, in every process and version of Python."""
    from hashlib import sha256  # it loads OpenSSL, which reading commands can do without

    return sha256(to_json(spec)).hexdigest()[:32]
