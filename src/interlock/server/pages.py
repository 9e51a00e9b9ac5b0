"""What the API says of itself, whatever it is asked through: its version, its contract, and a page to read that on."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from interlock.server.answers import Answer
from interlock.server.carrying import JSON
from interlock.server.docs_page import CSP, STYLE, page
from interlock.server.kinds import Kind
from interlock.server.openapi import document
from interlock.version import __version__

Pages: TypeAlias = Mapping[str, Callable[[], Answer]]


def pages(served: Sequence[Kind]) -> Pages:
    """Return the pages by their paths."""
    return {
        "/version": _version,
        "/openapi.json": lambda: _page(JSON, msgspec.json.encode(document(served))),
        "/docs": lambda: _page("text/html; charset=utf-8", page(document(served)).encode(), csp=CSP),
        "/docs/style.css": lambda: _page("text/css; charset=utf-8", STYLE.encode()),
    }


def _version() -> Answer:
    said = {"name": "interlock", "version": __version__, "python": platform.python_version()}
    return _page(JSON, msgspec.json.encode(said))


def _page(media: str, body: bytes, *, csp: str = "") -> Answer:
    headers = ((b"content-type", media.encode()),)
    return Answer(200, (*headers, *(((b"content-security-policy", csp.encode()),) if csp else ())), body)
