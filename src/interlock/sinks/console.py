"""Write alerts to the terminal, or to whatever stands in its place."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from interlock.clients.texts import cleaned
from interlock.core.alerts import Alert, AlertLevel
from interlock.errors import SinkError
from interlock.sinks.context import SinkContext

_TAGS: Final = {AlertLevel.ERROR: "ERROR", AlertLevel.WARNING: "WARN", AlertLevel.INFO: "INFO"}
_COLOURS: Final = {AlertLevel.ERROR: "\x1b[31m", AlertLevel.WARNING: "\x1b[33m", AlertLevel.INFO: "\x1b[36m"}
_PLAIN: Final = "\x1b[0m"
_LONGEST: Final = 2000


class ConsoleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Nothing to configure."""


class ConsoleSink:
    """Writes one line per alert: its level, its pipeline, its message. Coloured on a terminal only."""

    Config = ConsoleConfig

    def __init__(self, config: ConsoleConfig, context: SinkContext) -> None:
        self._config = config
        self._stream = context.stream
        self._lock = threading.Lock()

    def deliver(self, alert: Alert, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Write the line whole, and flush it.

        Raises:
            SinkError: the stream is closed or broken.
        """
        tag = f"[{_TAGS[alert.level]}]"
        try:
            if self._stream.isatty():
                tag = f"{_COLOURS[alert.level]}{tag}{_PLAIN}"
            line = f"{tag} [{alert.run.slot.pipeline}] {cleaned(alert.message, _LONGEST)}\n"
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except (OSError, ValueError) as exc:
            raise SinkError(f"the alert could not be written to the console: {exc}") from exc


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink

    def _is_a_sink(it: ConsoleSink) -> Sink:
        return it
