"""What sinks are given besides their configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

if TYPE_CHECKING:
    from interlock.clients.aws import AwsCaller
    from interlock.clients.http import HttpSender
    from interlock.ports.sinks import Threads


class SinkContext(Struct, frozen=True, kw_only=True):
    """The surroundings of every sink: where people read, where the project is, how requests are sent.

    `http` sends requests, `aws` makes calls of AWS; sinks that need none work without. `threads` remembers conversations for
    sinks that have them; without it every message stands on its own.
    """

    stream: TextIO
    root: Path
    http: HttpSender | None = None
    aws: AwsCaller | None = None
    threads: Threads | None = None
