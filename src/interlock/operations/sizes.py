"""How large a thing may be that callers hand in, and that is then kept, and shown again in lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.codec.documents import document
from interlock.core.documents import Document
from interlock.errors import Invalid

LARGEST: Final = 64 * 1024
"""Bytes of JSON in one object of a caller's own, as an evaluator's measurements may have."""


def kept(found: Mapping[str, Any], field: str) -> Document:
    """Return an object as it is kept.

    Raises:
        Invalid: it cannot be kept, or is too large.
    """
    try:
        made = document(found)
    except ValueError as exc:
        raise Invalid(f"{field}: {exc}") from exc
    size = len(made.text.encode())
    if size > LARGEST:
        raise Invalid(f"{field}: it has {size} bytes, and at most {LARGEST} are kept: keep it elsewhere, and say where")
    return made
