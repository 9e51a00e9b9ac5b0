"""Mappings to documents and back: the one place where JSON text becomes a core value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from interlock.core.documents import Document

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> str:
    """Return the canonical JSON text of a value: sorted keys, no spaces. NaN and infinity are refused.

    Raises:
        ValueError: the value is not JSON.
    """
    try:
        _refuse_nan(value)
        return _encoder.encode(value).decode()
    except (TypeError, msgspec.EncodeError, UnicodeEncodeError, RecursionError) as exc:
        raise ValueError(f"not JSON: {exc}") from exc


def _refuse_nan(value: object) -> None:
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  (NaN is what differs from itself)
            raise ValueError("not JSON: NaN or infinity")
    elif isinstance(value, Mapping):
        for item in value.values():
            _refuse_nan(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_nan(item)


def document(mapping: Mapping[str, Any]) -> Document:
    """Turn a JSON object into a document.

    Raises:
        ValueError: a key is not text or a value is not JSON.
    """
    for key in mapping:
        if not isinstance(key, str):
            raise ValueError(f"not JSON: the key {key!r} is not text")  # noqa: TRY004
    return Document(tuple((key, canonical(value)) for key, value in mapping.items()))


def mapping(doc: Document) -> dict[str, Any]:
    """Turn a document back into a JSON object: fresh, so that nobody shares it."""
    return {key: msgspec.json.decode(text) for key, text in doc.pairs}
