"""Mappings to documents and back: the one place where JSON text becomes a core value."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
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
        _require_json(value)
        return _encoder.encode(value).decode()
    except (TypeError, msgspec.EncodeError, UnicodeEncodeError, RecursionError) as exc:
        raise ValueError(f"not JSON: {exc}") from exc


def _require_json(value: object) -> None:
    # msgspec would quietly turn sets into lists and bytes into base64; what comes back must be what went in.
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("not JSON: NaN or infinity")
    elif isinstance(value, dict | Mapping):
        for item in value.values():
            _require_json(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_json(item)
    else:
        raise ValueError(f"not JSON: {type(value).__name__}")  # noqa: TRY004  (a value that is no JSON, as NaN is none)


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
