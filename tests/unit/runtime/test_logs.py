"""Log lines: one form or the other, about what, and without secrets."""

from __future__ import annotations

import io
import json
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from interlock.ports.telemetry import StepKind
from interlock.runtime.lanes import ThreadLane
from interlock.runtime.logs import JsonFormatter, LineStream, configure_logging, news_of, redactor, secrets_of
from interlock.telemetry.about import Naming, about
from interlock.testing.builders import SECOND

KEY = "k3y-0f-the-st0re"
log = logging.getLogger("some.library")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, threading.excepthook)
    stream = io.StringIO()
    configure_logging("json", secrets={KEY: "${API_KEY}"}, stream=stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:], threading.excepthook = before[0], before[2]
    root.setLevel(before[1])


def _read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_whatever_is_in_it(lines: io.StringIO) -> None:
    log.warning("two\nlines and a %s", '"quote"', extra={"port": 3000, "odd": object})
    (line,) = _read(lines)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "some.library", 'two\nlines and a "quote"')
    assert line["port"] == 3000
    assert line["at"].endswith("Z")


def test_a_line_names_the_run_and_the_request_it_is_about(lines: io.StringIO) -> None:
    with about(request="req-7"), Naming().step(StepKind.TRAIT, None, "example:daily:2026-03-07:1"):
        log.info("asked")
    log.info("later")
    inside, outside = _read(lines)
    assert (inside["run"], inside["requestId"]) == ("example:daily:2026-03-07:1", "req-7")
    assert "run" not in outside
    assert "requestId" not in outside


def test_what_a_line_is_about_crosses_to_the_threads_that_do_the_work(lines: io.StringIO) -> None:
    lane = ThreadLane("logged", 1)
    with about(run="r"):
        lane.submit("example", lambda: log.info("there"))
    assert lane.idle_within(60 * SECOND)
    assert _read(lines)[0]["run"] == "r"


def test_a_step_within_a_step_without_a_run_is_still_about_the_outer_one(lines: io.StringIO) -> None:
    naming = Naming()
    with naming.step(StepKind.DECISION, None, "r"), naming.step(StepKind.ALERT, None):
        log.info("told")
    assert _read(lines)[0]["run"] == "r"


def _raise(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize(
    "text",
    [
        f"the key is {KEY}",
        "Authorization: Bearer abcdefgh.hush-hush",
        'headers {"x-api-key": "hush-hush"}',
        "postgresql://ann:hush-hush@db/orders",
        "GET /x?token=hush-hush&a=1",
        "password=hush-hush",
    ],
)
def test_nothing_confidential_is_in_a_line_wherever_it_came_from(lines: io.StringIO, text: str) -> None:
    log.info("said %s", text, extra={"more": text, "most": {"deep": [text], "password": "hush-hush"}})
    try:
        _raise(text)
    except ValueError:
        log.exception("broke")
    assert "hush-hush" not in lines.getvalue()
    assert KEY not in lines.getvalue()
    assert len(_read(lines)) == 2


def test_the_text_form_is_redacted_too() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    stream = io.StringIO()
    try:
        configure_logging("text", secrets={KEY: "${API_KEY}"}, stream=stream)
        log.info("with %s", KEY)
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    assert stream.getvalue().endswith("INFO some.library: with ${API_KEY}\n")


def test_what_sounds_like_a_secret_in_the_environment_is_one() -> None:
    env = {"DB_PASSWORD": "p1", "STRIPE_API_KEY": "p2", "HOME": "/root", "REGION": "eu", "PG_DSN": "p3"}
    assert secrets_of(env, ("REGION",)) == {
        "p1": "${DB_PASSWORD}",
        "p2": "${STRIPE_API_KEY}",
        "eu": "${REGION}",
        "p3": "${PG_DSN}",
    }


@pytest.mark.parametrize(
    ("line", "level", "event"),
    [
        ("opened example:daily:2026-03-07:1", "info", "opened"),
        ("failed example:daily:2026-03-07:1: exit 3", "warning", "failed"),
        ("trouble purge: disk full", "warning", "trouble"),
        ("alert error run_poisoned: it fails", "error", "alert"),
        ("alert ERROR run_poisoned: it fails", "error", "alert"),
        ("alert info nothing", "info", "alert"),
        ("watching /srv: 3 pipelines", "info", None),
    ],
)
def test_news_are_as_loud_as_what_they_tell(lines: io.StringIO, line: str, level: str, event: str | None) -> None:
    news_of(logging.getLogger("interlock.watcher"))(line)
    (written,) = _read(lines)
    assert (written["level"], written["message"], written.get("event")) == (level, line, event)


def test_half_a_character_costs_no_line() -> None:
    record = logging.makeLogRecord({"msg": "a file named \udcff", "file": "\udcff"})
    written = json.loads(JsonFormatter(redactor({})).format(record))
    assert (written["message"], written["file"]) == ("a file named \\udcff", "\\udcff")


def test_a_percent_sign_in_the_news_is_only_a_percent_sign(lines: io.StringIO) -> None:
    news_of(log)("failed at 100% of %s")
    assert _read(lines)[0]["message"] == "failed at 100% of %s"


def test_alerts_for_the_console_become_lines_like_all_others(lines: io.StringIO) -> None:
    stream = LineStream(logging.getLogger("interlock.alerts"))
    print("[ERROR] [orders] it is stuck", file=stream, flush=True)
    (written,) = _read(lines)
    assert (written["level"], written["message"]) == ("error", "[ERROR] [orders] it is stuck")


def test_the_death_of_a_thread_is_a_line_and_no_page_of_text(
    lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    def die() -> None:
        raise RuntimeError("out of luck")

    hook = threading.excepthook
    thread = threading.Thread(target=lambda: None)
    try:
        die()
    except RuntimeError as exc:
        hook(threading.ExceptHookArgs((RuntimeError, exc, exc.__traceback__, thread)))
    assert "out of luck" in _read(lines)[0]["error"]
    assert capsys.readouterr().err == ""


def test_warnings_of_libraries_become_lines(lines: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    assert "old ways" in _read(lines)[0]["message"]


def test_to_configure_twice_writes_each_line_once(lines: io.StringIO) -> None:
    configure_logging("json", stream=lines)
    log.info("once")
    assert len(_read(lines)) == 1
