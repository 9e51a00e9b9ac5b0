"""What people are shown without the secrets in it: configuration, and what others make of it.

References such as `${env:NAME}` and `${secret:NAME}` stay: they are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from interlock.clients import texts

MASK: Final = "(redacted)"

_WORD: Final = (
    r"(?:pass(?:word|wd|phrase|code)|secret|token|api[-_]?key|access[-_]?key|account[-_]?key|private[-_]?key"
    r"|(?:encryption|signing|shared|auth|client|service|master)[-_]?key|authori[sz]ation|credential|cookie"
    r"|session[-_]?id|signature|bearer|connection[-_]?string|webhook|(?<![a-z])(?:pass|pwd|dsn|sas|sig|auth|jwt|otp|pin))"
    r"s?(?![a-z])"
)
_SECRET_KEY: Final = re.compile(_WORD, re.IGNORECASE)
_NAMED: Final = r"\$\{[ \t]*secret:[A-Za-z0-9][A-Za-z0-9._-]*[ \t]*\}"
_REFERENCE: Final = re.compile(rf"(\$\{{[ \t]*env:[A-Za-z_][A-Za-z0-9_]*[ \t]*\}}|{_NAMED})", re.ASCII)
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Token|ApiKey) ", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(?<=://)[^\s/?#@]*(?:@[^\s/?#@]*)*(?=@)")
# Words are bounded, and begun only where a word begins: a long text of somebody else's must not take long to go through.
_PAIR: Final = re.compile(
    rf"(?P<name>{_NAMED})"
    rf"|(?P<key>(?:(?<![\w.-])[\w.-]{{0,64}}?{_WORD}[\w.-]{{0,64}}[\"']?[ \t]{{0,8}}[=:]|[?&](?:key|code)=)[ \t]{{0,8}}"
    rf"|(?<![\w-])--?[\w-]{{0,64}}?{_WORD}[\w-]{{0,64}}[ ])"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\$\{[^}]*\}|(?:(?:Bearer|Basic|Token)[ ])?[^\s&;,\"'}\]]+)",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"the (text) (?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|the (number) [^\s,]+")
_HARMLESS_HEADERS: Final = ("accept", "content-type", "user-agent")
_HEADERS: Final = "headers"


def redacted(value: Any, *, secret: bool = False) -> Any:
    """Return a JSON value with every secret in it blotted out; of a `secret` one nothing but references is left.

    A secret is whatever stands under a key that sounds like one, the headers of requests, the user in an address, and what
    follows such a word within a text.
    """
    if isinstance(value, Mapping):
        return {key: _under(str(key), item, secret=secret) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return _listed(list(value), secret=secret)
    if secret:
        return _blotted(value)
    return without_secrets(value) if isinstance(value, str) else value


def said_of(path: Iterable[str | int], words: str) -> str:
    """Return what is wrong with the value at a path, without the value where it may be a secret."""
    if any(isinstance(step, str) and (step.lower() == _HEADERS or sounds_secret(step)) for step in path):
        words = _QUOTED.sub(lambda found: f"a {found[1] or found[2]}", words)
    return without_secrets(words)


def _under(key: str, value: Any, *, secret: bool) -> Any:
    if key.lower() == _HEADERS and isinstance(value, Mapping):
        return {name: redacted(item, secret=str(name).lower() not in _HARMLESS_HEADERS) for name, item in value.items()}
    return redacted(value, secret=secret or sounds_secret(key))


def sounds_secret(key: str) -> bool:
    """Say whether what stands under a key is likely to be a secret."""
    return _SECRET_KEY.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)) is not None


def _listed(items: list[Any], *, secret: bool) -> list[Any]:
    # A flag and its value, one after the other, as command lines have them.
    after_flag = [isinstance(one, str) and one.startswith("-") and sounds_secret(one) for one in [None, *items][:-1]]
    flagged = zip(items, after_flag, strict=True)
    return [redacted(item, secret=secret or (flag and not str(item).startswith("-"))) for item, flag in flagged]


def _blotted(value: Any) -> Any:
    if value is None or value == "" or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return MASK
    if _REFERENCE.fullmatch(_SCHEME.sub("", value, count=1)):
        return value
    parts = _REFERENCE.split(value)  # every second one is a reference
    return "".join(part if place % 2 else MASK for place, part in enumerate(parts) if part)


def fit(text: str, secrets: Iterable[str], limit: int) -> str:
    """Return a text of others as people may read it: one line of at most `limit` bytes, without the given secrets.

    Nor is there anything else in it that looks like one.
    """
    return texts.cleaned(without_secrets(texts.redacted(text, secrets)), limit)


def without_secrets(text: str) -> str:
    """Return a text without what looks like a secret in it: what others repeat of a request holds those of the request."""
    text = _USERINFO.sub(lambda found: _blotted(found[0]), text) if "@" in text else text
    return _PAIR.sub(lambda found: found["name"] or found["key"] + _quoted(found["value"]), text)


def _quoted(value: str) -> str:
    quote = value[0] if value[0] in "\"'" else ""
    return f"{quote}{_blotted(value.strip(quote) if quote else value)}{quote}"
