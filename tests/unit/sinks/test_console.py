from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from interlock.core.alerts import AlertLevel
from interlock.sinks.console import ConsoleConfig, ConsoleSink
from interlock.sinks.context import SinkContext
from interlock.testing.conformance.sinks import an_alert

SOON = timedelta(seconds=5)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(stream: io.StringIO, level: AlertLevel, message: str = "the job failed") -> str:
    alert = msgspec.structs.replace(an_alert(message=message), level=level)
    ConsoleSink(ConsoleConfig(), SinkContext(stream=stream, root=Path("/"))).deliver(alert, timeout=SOON)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("level", "tag"), [(AlertLevel.ERROR, "ERROR"), (AlertLevel.WARNING, "WARN"), (AlertLevel.INFO, "INFO")]
)
def test_a_line_has_level_pipeline_and_message(level: AlertLevel, tag: str) -> None:
    assert written(io.StringIO(), level) == f"[{tag}] [daily-sales] the job failed\n"


def test_only_a_terminal_gets_colour() -> None:
    assert written(Terminal(), AlertLevel.ERROR) == "\x1b[31m[ERROR]\x1b[0m [daily-sales] the job failed\n"


def test_a_message_cannot_forge_a_second_line() -> None:
    """BUG-120."""
    line = written(io.StringIO(), AlertLevel.INFO, "a\n[ERROR] [x] b\x1b[2J\r")
    assert line == "[INFO] [daily-sales] a | [ERROR] [x] b\n"


def test_there_is_nothing_to_configure() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"color": True}, ConsoleConfig)
