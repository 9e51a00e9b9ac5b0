"""Write alerts to the terminal, or to whatever stands in its place."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from interlock.clients.links import page_of
from interlock.core.alerts import AlertLevel, Notice, NoticeKind
from interlock.core.telling import JOB_URL
from interlock.errors import SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.turns import Turns
from interlock.sinks.wording import others, sentence, tag

_COLOURS: Final = {AlertLevel.ERROR: "\x1b[31m", AlertLevel.WARNING: "\x1b[33m", AlertLevel.INFO: "\x1b[36m"}
_GREEN: Final = "\x1b[32m"
_PLAIN: Final = "\x1b[0m"


class ConsoleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Nothing to configure."""


class ConsoleSink:
    """Writes one line per notice: its level, its pipeline, its message. Coloured on a terminal only.

    A reminder says that it is one; what is over has `[RESOLVED]` in the place of its level.
    """

    Config = ConsoleConfig

    def __init__(self, config: ConsoleConfig, context: SinkContext) -> None:
        self._config = config
        self._stream = context.stream
        self._turns = Turns[None]("interlock-console")

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Write the line whole, and flush it.

        Raises:
            SinkError: the stream is closed or broken, or takes nothing (somebody has stopped the terminal).
        """
        try:
            self._turns.run(lambda: self._write(notice), timeout.total_seconds())
        except (OSError, ValueError) as exc:
            raise SinkError(f"the alert could not be written to the console: {exc}") from exc

    def _write(self, notice: Notice) -> None:
        self._stream.write(_line(notice, coloured=self._stream.isatty()))
        self._stream.flush()


def _line(notice: Notice, *, coloured: bool) -> str:
    mark = f"[{tag(notice)}]"
    if coloured:
        over = notice.kind is NoticeKind.RESOLVED
        mark = f"{_GREEN if over else _COLOURS[notice.alert.level]}{mark}{_PLAIN}"
    slot = notice.alert.slot
    page = page_of(notice.alert.details, JOB_URL)
    words = (mark, f"[{slot.pipeline}]" if slot else "", _message(notice), page, others(notice))
    return " ".join(word for word in words if word) + "\n"


def _message(notice: Notice) -> str:
    # The mark of the line says already that it is over.
    return sentence(notice).removeprefix("RESOLVED: ")


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink

    def _is_a_sink(it: ConsoleSink) -> Sink:
        return it
