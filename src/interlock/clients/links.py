"""The address of a job's own page: what of it people are shown, and whether it may be a link.

What stands there was said by others: by the target system, or by the job itself.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from interlock.core.documents import Document
from interlock.core.telling import PAGE

_LONGEST: Final = 2000
# Nothing that ends a link in a chat, a mail or a page, and nothing that cannot be seen.
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9\[][!#-;=?-\[\]_a-z~]*", re.IGNORECASE)
_PAIRS: Final = re.compile(r"[?&;]")


def link(text: object) -> str:
    """Return an address that people may be given to open; nothing when it is none of a web page.

    The user in it is left out, and so is whatever in its query or after its `#` goes by the name of a secret.
    """
    if not isinstance(text, str) or len(text) > _LONGEST or not (text.isascii() and text.isprintable()):
        return ""
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        if not parts.hostname or parts.port == 0:
            return ""
    except ValueError:
        return ""
    query = "&".join(pair for pair in parts.query.split("&") if not _secret(pair))
    fragment = "" if any(map(_secret, _PAIRS.split(parts.fragment))) else parts.fragment
    shown = urlunsplit((parts.scheme, host, parts.path, query, fragment))
    return shown if _PLAIN.fullmatch(shown) else ""


def page_of(details: Document, key: str = PAGE) -> str:
    """Return the link to a job's own page among what is known of the job; nothing when there is none."""
    text = details.get(key)
    return "" if text is None else link(msgspec.json.decode(text))


def without_page_secrets(details: Document) -> Document:
    """Return what is known of a job with the address of its page fit to be kept and shown."""
    text = details.get(PAGE)
    if text is None:
        return details
    from interlock.clients.redaction import redacted  # its patterns take milliseconds to make

    said = msgspec.json.decode(text)
    shown = msgspec.json.encode(link(said) or redacted(said), order="sorted").decode()
    return details.overlaid(Document(((PAGE, shown),)))


def _secret(pair: str) -> bool:
    from interlock.clients.redaction import sounds_secret

    name, mark, _ = pair.partition("=")
    return bool(mark) and (sounds_secret(name) or name.lower() in ("key", "code"))
