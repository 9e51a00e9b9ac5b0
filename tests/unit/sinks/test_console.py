from __future__ import annotations

import io
import threading
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from interlock.codec.documents import document
from interlock.core.alerts import AlertLevel, Notice, NoticeKind
from interlock.errors import SinkError
from interlock.sinks.console import ConsoleConfig, ConsoleSink
from interlock.sinks.context import SinkContext
from interlock.testing.conformance.sinks import a_notice, a_resolved_notice, an_alert

SOON = timedelta(seconds=5)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(notice: Notice, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    ConsoleSink(ConsoleConfig(), SinkContext(stream=stream, root=Path("/"))).deliver(notice, timeout=SOON)
    return stream.getvalue()


def written(stream: io.StringIO, level: AlertLevel, message: str = "the job failed") -> str:
    return shown(a_notice(alert=an_alert(message=message, level=level)), stream)


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


def test_a_reminder_says_that_it_is_one() -> None:
    line = shown(a_notice(kind=NoticeKind.REMINDED, number=3))
    assert line == "[ERROR] [daily-sales] REMINDER: the job failed\n"


def test_what_is_over_is_no_longer_loud() -> None:
    assert shown(a_resolved_notice()) == "[RESOLVED] [daily-sales] the job failed (the rerun completed)\n"
    assert shown(a_resolved_notice(), Terminal()).startswith("\x1b[32m[RESOLVED]")


def test_an_alert_about_interlock_itself_names_no_pipeline() -> None:
    assert shown(a_notice(alert=an_alert(slot=None, message="stalled"))) == "[ERROR] stalled\n"


def test_what_is_told_together_is_named_on_the_line() -> None:
    line = shown(a_notice(folded=(an_alert("a-2", slot=None), an_alert("a-3"), an_alert("a-4"))))
    assert line == "[ERROR] [daily-sales] the job failed (and 3 more: interlock, daily-sales)\n"


def test_a_terminal_that_somebody_has_stopped_holds_nobody() -> None:
    resumed = threading.Event()

    class Stopped(io.StringIO):
        def write(self, text: str) -> int:
            resumed.wait(10)
            return super().write(text)

    made = ConsoleSink(ConsoleConfig(), SinkContext(stream=Stopped(), root=Path("/")))
    for _ in range(2):
        with pytest.raises(SinkError, match="console"):
            made.deliver(a_notice(), timeout=timedelta(seconds=0.05))
    resumed.set()
    made.deliver(a_notice(), timeout=SOON)


def test_there_is_nothing_to_configure() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"color": True}, ConsoleConfig)


def test_the_jobs_own_page_stands_after_the_message() -> None:
    alert = an_alert(details=document({"jobUrl": "https://jobs.example/17"}))
    assert shown(a_notice(alert=alert)) == "[ERROR] [daily-sales] the job failed https://jobs.example/17\n"
