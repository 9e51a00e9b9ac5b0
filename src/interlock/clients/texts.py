"""Text from outside, made fit for a reason, a log line or an alert: no secrets, no control characters, not long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self
from urllib.parse import quote, quote_plus

_ESCAPE_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_LINE_BREAK: Final = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_SHORTEST_SECRET: Final = 4
_LONG: Final = 8


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


class Redactor:
    """Replaces secrets in texts that others will read, each by what stands for it.

    Secrets of fewer than four characters stay: they are too common, and blotting out every `1` would leave no text. A
    secret is also found as it looks inside a URL, JSON or base64, and so is each line of one that has many.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        found = {secret: name for secret, name in secrets.items() if len(secret) >= _SHORTEST_SECRET}
        for secret, name in tuple(found.items()):
            for spelt in _spellings(secret):
                found.setdefault(spelt, name)
        # Longest first: one secret may begin with another.
        self._secrets = sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))

    @classmethod
    def of_environment(cls, own: Mapping[str, str], allow: Iterable[str]) -> Self:
        """Replace the values of allowed variables by their names, `${NAME}`."""
        return cls({own[name]: f"${{{name}}}" for name in allow if name in own})

    def __call__(self, text: str) -> str:
        """Return the text without any of the secrets."""
        for secret, name in self._secrets:
            text = text.replace(secret, name)
        return text


def _spellings(secret: str) -> Iterator[str]:
    """Yield a secret as those repeat it who were sent it."""
    import json  # most commands show texts, and have no secrets
    from base64 import b64encode

    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    plain = secret.encode(errors="replace")
    if len(plain) >= _LONG:
        # What stands before it in what was encoded moves it by nothing, one or two bytes; letters that it shares with what
        # is before or behind it are left out.
        for moved, shared in enumerate((0, 2, 3)):
            whole = b64encode(b" " * moved + plain).decode().rstrip("=")
            yield whole[shared : len(whole) - ((moved + len(plain)) % 3 > 0)]
        yield from (line for line in map(str.strip, secret.splitlines()) if len(line) >= _LONG)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return a text with every secret in it replaced by stars."""
    return Redactor(dict.fromkeys(secrets, "***"))(text)
