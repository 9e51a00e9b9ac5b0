"""What sinks are given besides their configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

if TYPE_CHECKING:
    from interlock.clients.http import HttpSender


class SinkContext(Struct, frozen=True, kw_only=True):
    """The surroundings of every sink: where people read, where the project is, and how requests are sent."""

    stream: TextIO
    root: Path
    http: HttpSender | None = None
