"""The address of a web server as a file names it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

WebAddress: TypeAlias = Annotated[
    str, Meta(pattern=r"^$|^https?://[^\s/?#]|\$\{|\{\{", extra={"expected": "an address such as https://host/path"})
]
"""With a scheme and a host, or empty; a placeholder may stand for any part of it."""
