"""Names that other systems take: of few characters, and not long."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

_DIGITS: Final = 20


def short_name(text: str, longest: int, *, allowed: str = "-_") -> str:
    """Return a text as a name of ASCII letters, digits and the `allowed` marks, at most `longest` characters long.

    The same text gives the same name, always; other texts give others: what the name loses is made up for by a hash.
    """
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in allowed) else "-" for sign in text)
    if plain == text and len(text) <= longest:
        return text
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    return f"{plain[: longest - _DIGITS - 1].rstrip('-')}-{digest}"
