"""Laws of the HTTP evaluator."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import timedelta

import pytest
from tests.unit.evaluators.servers import Seen, serving

from interlock.clients.http import (
    HttpBroken,
    HttpClient,
    HttpForbidden,
    HttpReply,
    HttpTimeout,
    HttpTooLarge,
    HttpTrouble,
    HttpUnreachable,
)
from interlock.codec.evaluator_protocol import encode_question
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.evaluators.http import HttpEvaluator
from interlock.ports.evaluators import Answer
from interlock.testing.evaluators import a_question

PASS = HttpReply(200, (), b'{"status":"PASS"}')


class Script:
    """An HTTP client that plays a script, and time that passes only in pauses."""

    def __init__(self, *replies: HttpReply | HttpTrouble) -> None:
        self.replies = list(replies)
        self.sent: list[tuple[str, str, dict[str, str], bytes | None, timedelta]] = []
        self.pauses: list[float] = []
        self.now = 0.0

    def send(
        self, method: str, url: str, *, headers: object = (), body: bytes | None = None, timeout: timedelta
    ) -> HttpReply:
        assert isinstance(headers, dict)
        self.sent.append((method, url, headers, body, timeout))
        reply = self.replies.pop(0)
        if isinstance(reply, HttpTrouble):
            raise reply
        return reply

    def pace(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now += seconds
        return False

    def ask(self, evaluator: str = "http://h/check", *, timeout: float = 30.0, base_url: str = "") -> Answer:
        runner = HttpEvaluator(self, base_url=base_url, pace=self.pace, elapsed=lambda: self.now)
        return runner.evaluate(a_question(evaluator, config={"a": 1}), timeout=timedelta(seconds=timeout))


def replies(*statuses: int) -> Iterable[HttpReply]:
    return [PASS if status == 200 else HttpReply(status, (), b"busy") for status in statuses]


def test_the_question_is_posted_as_json() -> None:
    script = Script(PASS)
    assert script.ask().status is TraitStatus.PASS
    method, url, headers, body, _ = script.sent[0]
    assert (method, url, headers["content-type"]) == ("POST", "http://h/check", "application/json")
    assert body == encode_question(a_question("x", config={"a": 1}))


@pytest.mark.parametrize("path", ["check/lag", "/check/lag", "./check/lag"])
@pytest.mark.parametrize("base", ["https://h/api", "https://h/api/"])
def test_a_path_is_joined_to_the_base_url(path: str, base: str) -> None:
    script = Script(PASS)
    script.ask(path, base_url=base)
    assert script.sent[0][1] == "https://h/api/check/lag"


def test_a_path_without_a_base_url_is_a_permanent_failure() -> None:
    answer = Script().ask("check")
    assert (answer.category, answer.origin) == (FailureCategory.PERMANENT, Origin.RUNNER)


def test_two_busy_answers_are_followed_by_a_third_try_with_growing_pauses() -> None:
    """BUG-32."""
    script = Script(*replies(503, 503, 200))
    assert script.ask().status is TraitStatus.PASS
    assert script.pauses == [0.5, 1.0]
    assert [sent[4].total_seconds() for sent in script.sent] == [30.0, 29.5, 28.5], (
        "each has what is left of the timeout"
    )


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_stays_busy_is_asked_three_times(status: int) -> None:
    script = Script(*replies(status, status, status))
    answer = script.ask()
    assert (len(script.sent), answer.category) == (3, FailureCategory.TRANSIENT)
    assert f"status {status}: busy" in answer.reason


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (301, FailureCategory.PERMANENT),
        (400, FailureCategory.PERMANENT),
        (401, FailureCategory.PERMANENT),
        (404, FailureCategory.PERMANENT),
        (408, FailureCategory.TRANSIENT),
        (500, FailureCategory.TRANSIENT),
        (501, FailureCategory.TRANSIENT),
    ],
)
def test_every_other_status_is_classified_after_one_call(status: int, category: FailureCategory) -> None:
    """BUG-31, BUG-10."""
    script = Script(*replies(status))
    answer = script.ask()
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.RUNNER, category)
    assert len(script.sent) == 1


def test_retry_after_is_respected_inside_the_timeout() -> None:
    script = Script(HttpReply(429, (("retry-after", "7"),), b""), PASS)
    assert script.ask().status is TraitStatus.PASS
    assert script.pauses == [7.0]


def test_retry_after_may_be_a_date_by_the_servers_own_clock() -> None:
    headers = (("date", "Sat, 07 Mar 2026 12:00:00 GMT"), ("retry-after", "Sat, 07 Mar 2026 12:00:09 GMT"))
    script = Script(HttpReply(503, headers, b""), PASS)
    script.ask()
    assert script.pauses == [9.0]


@pytest.mark.parametrize("asked", ["120", "99999999999999999999"])
def test_a_retry_after_beyond_the_timeout_ends_it_at_once(asked: str) -> None:
    script = Script(HttpReply(429, (("retry-after", asked),), b""))
    assert script.ask().category is FailureCategory.TRANSIENT
    assert script.pauses == []


@pytest.mark.parametrize("asked", ["soon", "-5", "", "Sat, 99 Mar", "²"])
def test_an_unreadable_retry_after_is_ignored(asked: str) -> None:
    script = Script(HttpReply(429, (("retry-after", asked),), b""), PASS)
    assert script.ask().status is TraitStatus.PASS
    assert script.pauses == [0.5]


def test_closing_ends_a_pause_without_another_try() -> None:
    script = Script(*replies(503))
    runner = HttpEvaluator(script)
    runner.close()
    answer = runner.evaluate(a_question("http://h/x"), timeout=timedelta(seconds=30))
    assert answer.category is FailureCategory.TRANSIENT


@pytest.mark.parametrize(
    ("trouble", "category"),
    [
        (HttpTimeout("late"), FailureCategory.TIMEOUT),
        (HttpUnreachable("refused"), FailureCategory.TRANSIENT),
        (HttpBroken("closed"), FailureCategory.TRANSIENT),
        (HttpForbidden("private address"), FailureCategory.PERMANENT),
        (HttpTooLarge("too much"), FailureCategory.PERMANENT),
    ],
)
def test_every_trouble_of_the_wire_has_its_category(trouble: HttpTrouble, category: FailureCategory) -> None:
    answer = Script(trouble).ask()
    assert (answer.status, answer.origin, answer.category) == (TraitStatus.FAIL, Origin.RUNNER, category)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"status":"ok"}', b"[]"])
def test_a_body_that_is_no_answer_is_permanent(body: bytes) -> None:
    """T-25."""
    answer = Script(HttpReply(200, (), body)).ask()
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)


def test_a_huge_body_full_of_escapes_is_shown_short_and_harmless() -> None:
    """BUG-120."""
    reason = Script(HttpReply(500, (), b"\x1b[2J\nroot logged in\n" * 500_000)).ask().reason
    assert len(reason.encode()) <= 512
    assert reason.isprintable()


def test_no_reason_shows_the_credentials_or_the_query_of_an_address() -> None:
    for reply in (HttpReply(404, (), b""), HttpTimeout("x")):
        reason = Script(reply).ask("https://user:hunter2@h:8443/check?token=s3cret").reason
        assert "https://h:8443/check" in reason
        assert "hunter2" not in reason
        assert "s3cret" not in reason


def test_what_a_service_echoes_of_the_request_is_not_repeated_where_it_looks_secret() -> None:
    echo = b"POST /check?token=hunter2-hunter2 -> 400, authorization: Basic aHVudGVyMi1odW50ZXIy"
    reason = Script(HttpReply(400, (), echo)).ask().reason
    assert "hunter2" not in reason
    assert "aHVudGVy" not in reason
    assert "(redacted)" in reason


def test_a_silent_server_is_given_up_at_the_deadline() -> None:
    """BUG-07: over a real socket."""

    def silent(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        server.hang()
        return 200, {}, b'{"status":"PASS"}'

    with serving(silent) as server:
        runner = HttpEvaluator(HttpClient(allow=["127.0.0.1"]))
        started = time.monotonic()
        answer = runner.evaluate(a_question(f"{server.url}/check"), timeout=timedelta(seconds=0.4))
        assert time.monotonic() - started < 1.5
    assert answer.category is FailureCategory.TIMEOUT


def test_the_body_on_the_wire_holds_both_spellings_of_the_pipeline() -> None:
    """BUG-45."""
    with serving(lambda seen: (200, {}, b'{"status":"PASS"}')) as server:
        HttpEvaluator(HttpClient(allow=["127.0.0.1"])).evaluate(
            a_question(f"{server.url}/check"), timeout=timedelta(seconds=10)
        )
    sent = json.loads(server.seen[0].body)
    assert sent["pipelineId"] == sent["pipelineID"] == "example"
