"""Text from outside, made fit for a reason, a log line or an alert: no secrets, no control characters, not long."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_LINE_BREAK: Final = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_SHORTEST_SECRET: Final = 4


def cleaned(text: str, limit: int, *, end: bool = False) -> str:
    """Return a text in one line, without control characters, cut to `limit` bytes of UTF-8: its beginning, or its end."""
    plain = _CONTROL.sub(" ", _LINE_BREAK.sub(" | ", _ESCAPE_SEQUENCE.sub("", text))).strip(" |")
    data = plain.encode()
    if len(data) <= limit:
        return plain
    mark = "…"
    room = max(limit - len(mark.encode()), 0)
    cut = data[len(data) - room :] if end else data[:room]
    kept = cut.decode(errors="ignore")
    return mark + kept if end else kept + mark


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return a text with every secret in it replaced. Texts shorter than four characters are too common to be secrets."""
    for secret in sorted({item for item in secrets if len(item) >= _SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
