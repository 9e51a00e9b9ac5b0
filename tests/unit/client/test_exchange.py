"""What is asked again, how long is waited, and which error is raised: decided without a socket."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.ways import READY

from interlock.api.alerting import Alerts
from interlock.api.contract import Request
from interlock.api.gating import OpenGate
from interlock.api.judging import Evaluate, PushTrait
from interlock.api.problems import KINDS
from interlock.api.running import CancelRun, CompleteRun, Run, Runs
from interlock.api.sensing import IncrementSensor, PutSensor
from interlock.client.exchange import TRIES, Outcome, Pause, Send, asked_to_wait, exchange, written
from interlock.client.settings import SLOW_PATIENCE, Settings, is_loopback, traceparent
from interlock.clients.http import HttpBroken, HttpForbidden, HttpReply, HttpTimeout, HttpUnreachable
from interlock.core.traits import TraitStatus
from interlock.errors import ConfigError, InterlockError, Invalid, NotReady, ServerUnavailable

SETTINGS = Settings("http://127.0.0.1:3000")
EVALUATE = Evaluate(pipeline_id="orders")
NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)


def an_answer(body: bytes = READY, status: int = 200, *headers: tuple[str, str]) -> HttpReply:
    return HttpReply(status, (("content-type", "application/json"), *headers), body)


class Play:
    """One exchange with outcomes that a test chooses, on a clock that only moves when it pauses."""

    def __init__(self, request: Request[Any], outcomes: Callable[[int], Outcome], timeout: float | None = None) -> None:
        self.sent: list[Send] = []
        self.pauses: list[float] = []
        self.now = 0.0
        self._talk = exchange(request, SETTINGS, timeout=timeout, clock=lambda: self.now)
        self._outcomes = outcomes

    def run(self) -> Any:
        outcome: Outcome = None
        while True:
            try:
                step = self._talk.send(outcome)
            except StopIteration as done:
                return done.value
            outcome = None
            if isinstance(step, Pause):
                self.pauses.append(step.seconds)
                self.now += step.seconds
            else:
                self.sent.append(step)
                outcome = self._outcomes(len(self.sent))


def lost(_: int) -> Outcome:
    return HttpBroken("http://x broke off", sent=True)


REPEATED: tuple[Request[Any], ...] = (
    EVALUATE,
    Runs(pipeline_id="orders"),
    Alerts(),
    CompleteRun(run_id="r", status="success", attempt=1),
    PushTrait(pipeline_id="p", trait_type="t", status=TraitStatus.PASS),
    PutSensor(pipeline_id="p", key="k", data={}),
    IncrementSensor(pipeline_id="p", key="k", field="f", delivery_id="d"),
    OpenGate(pipeline_id="p", claim="c"),
)
ASKED_ONCE: tuple[Request[Any], ...] = (
    Run(pipeline_id="orders"),
    CancelRun(run_id="r", reason="x"),
    CompleteRun(run_id="r", status="success"),
    IncrementSensor(pipeline_id="p", key="k", field="f"),
    OpenGate(pipeline_id="p"),
)


@pytest.mark.parametrize("request_", REPEATED, ids=lambda each: type(each).__name__)
def test_what_is_safe_to_repeat_is_tried_a_few_times_when_its_answer_is_lost(request_: Request[Any]) -> None:
    play = Play(request_, lost)
    with pytest.raises(ServerUnavailable, match="safe to ask again"):
        play.run()
    assert len(play.sent) == TRIES
    assert play.pauses == sorted(play.pauses)


@pytest.mark.parametrize("request_", ASKED_ONCE, ids=lambda each: type(each).__name__)
def test_what_might_be_done_twice_is_asked_once_when_its_answer_is_lost(request_: Request[Any]) -> None:
    play = Play(request_, lost)
    with pytest.raises(ServerUnavailable, match="may or may not"):
        play.run()
    assert len(play.sent) == 1


@pytest.mark.parametrize("request_", [*REPEATED, *ASKED_ONCE], ids=lambda each: type(each).__name__)
def test_what_was_never_sent_is_tried_again_whatever_it_is(request_: Request[Any]) -> None:
    play = Play(request_, lambda _: HttpUnreachable("http://x: Connection refused"))
    with pytest.raises(ServerUnavailable, match="Nothing was asked of it"):
        play.run()
    assert len(play.sent) == TRIES


def test_a_time_that_is_over_is_not_spent_twice() -> None:
    play = Play(EVALUATE, lambda _: HttpTimeout("http://x did not answer in time", sent=True))
    with pytest.raises(ServerUnavailable):
        play.run()
    assert len(play.sent) == 1


def test_all_tries_share_one_time() -> None:
    play = Play(EVALUATE, lambda _: an_answer(b"{}", 503, ("retry-after", "4")), timeout=10)
    with pytest.raises(ServerUnavailable):
        play.run()
    assert 4 <= play.pauses[0] <= 5
    assert play.sent[0].timeout == 10
    assert play.sent[-1].timeout <= 10 - sum(play.pauses) + 0.001
    assert play.now < 10


def test_slow_requests_are_given_more_time_and_a_callers_own_time_rules() -> None:
    assert SETTINGS.patience(slow=True) == SLOW_PATIENCE
    assert SETTINGS.patience(slow=True, timeout=timedelta(seconds=3)) == 3
    assert Settings("http://127.0.0.1", timeout=7).patience(slow=True) == 7


def test_a_request_that_cannot_be_sent_is_the_callers_trouble() -> None:
    play = Play(EVALUATE, lambda _: HttpForbidden("not a usable URL"))
    with pytest.raises(ConfigError, match="not a usable URL"):
        play.run()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", 0),
        ("7", 7),
        ("Sat, 07 Mar 2026 12:00:30 GMT", 30),
        ("Sat, 07 Mar 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("9" * 400, float("9" * 12)),
        ("٣", 0),
    ],
)
def test_retry_after_is_read_in_both_its_forms(said: str, seconds: float) -> None:
    assert asked_to_wait(HttpReply(503, (("retry-after", said),), b""), NOW) == seconds


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
codes = st.sampled_from([kind.code for kind in KINDS] + ["internal", "payload_too_large", ""])
documents = st.fixed_dictionaries(
    {},
    optional={
        "code": codes | json_values,
        "detail": json_values,
        "error": json_values,
        "retryAfter": json_values,
        "problems": json_values
        | st.lists(st.dictionaries(st.sampled_from(["file", "line", "column", "message"]), json_values)),
    },
)


@given(
    status=st.integers(min_value=100, max_value=599).filter(lambda each: not 200 <= each < 300),
    body=documents.map(lambda each: json.dumps(each).encode())
    | st.binary(max_size=60)
    | json_values.map(lambda each: json.dumps(each).encode()),
    location=st.text(alphabet=string.printable, max_size=30),
)
def test_whatever_a_server_refuses_with_is_an_error_of_ours(status: int, body: bytes, location: str) -> None:
    reply = HttpReply(status, (("location", location), ("retry-after", location)), body)
    with pytest.raises(InterlockError) as told:
        Play(Run(pipeline_id="orders"), lambda _: reply).run()
    assert str(told.value)
    assert "\x1b" not in str(told.value)


def test_a_problem_of_a_server_is_one_line_that_no_terminal_obeys() -> None:
    evil = "a\x1b]0;title\x07\x9b31m\u202e\r\ninterlock: all is well"
    problem = {"file": evil, "line": 1, "column": 2, "message": evil, "hint": evil, "rule": evil}
    body = json.dumps({"code": "config", "detail": "x", "problems": [problem]}).encode()
    with pytest.raises(ConfigError) as told:
        Play(Run(pipeline_id="orders"), lambda _: HttpReply(422, (), body)).run()
    assert str(told.value).isprintable()
    assert len(told.value.problems) == 1


@given(body=st.binary(max_size=80) | documents.map(lambda each: json.dumps(each).encode()))
def test_whatever_a_server_says_yes_with_is_its_answer_or_an_error_of_ours(body: bytes) -> None:
    for request in (EVALUATE, Runs(pipeline_id="orders")):
        try:
            Play(request, lambda _: an_answer(body)).run()
        except ServerUnavailable as exc:
            assert "http://127.0.0.1:3000" in str(exc)  # noqa: PT017


def test_what_a_refusal_knows_more_is_in_its_details() -> None:
    body = {"code": "not_ready", "detail": "blocked by rows", "undecided": True, "blocking": ["rows"]}
    with pytest.raises(NotReady, match="blocked by rows") as told:
        Play(Run(pipeline_id="orders"), lambda _: an_answer(json.dumps(body).encode(), 412)).run()
    assert told.value.details["blocking"] == ["rows"]


@pytest.mark.parametrize(
    "request_",
    [
        Evaluate(pipeline_id=""),
        Evaluate(pipeline_id=17),  # type: ignore[arg-type]
        Evaluate(pipeline_id=".."),
        Evaluate(pipeline_id=None),  # type: ignore[arg-type]
        Runs(pipeline_id="orders", limit=0),
        Run(pipeline_id="orders", reason="x" * 5000),
        PutSensor(pipeline_id="p", key="k", data={"a": object()}),
        PutSensor(pipeline_id="p", key="k", data={"a": "\ud800"}),
        CompleteRun(run_id="r", status="done"),  # type: ignore[arg-type]
    ],
)
def test_what_the_server_would_not_understand_is_not_sent(request_: Request[Any]) -> None:
    with pytest.raises(Invalid):
        written(request_, SETTINGS.base)


@given(name=st.text(min_size=1, max_size=20).filter(lambda each: each not in (".", "..")))
def test_no_name_changes_which_route_is_asked(name: str) -> None:
    try:
        _, url, _ = written(Evaluate(pipeline_id=name), "http://h")
    except Invalid:
        return
    assert url.count("/") == 6
    assert url.endswith("/evaluate")
    assert not {"?", "#", " "} & set(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:3000",
        "ftp://host",
        "http://",
        "http://[::1",
        "http://h:99999",
        "http://h/?a=b",
        "http://u:pw@h",
        "http://h:0",
    ],
)
def test_an_address_that_is_none_is_told_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERLOCK_SERVER", raising=False)
    with pytest.raises(ConfigError) as told:
        Settings(url)
    assert "pw" not in str(told.value)


def test_address_and_key_are_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_SERVER", "https://interlock.example/base/")
    monkeypatch.setenv("INTERLOCK_API_KEY", "sesame\n")
    settings = Settings("")
    assert settings.base == "https://interlock.example/base"
    assert settings.headers("r")["x-api-key"] == "sesame"


def test_a_key_goes_unencrypted_to_this_machine_alone_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "https://example.org"):
        assert Settings(url, api_key="k").api_key == "k"
    with pytest.raises(ConfigError, match="unencrypted"):
        Settings("http://10.0.0.5:3000", api_key="k")
    assert Settings("http://10.0.0.5:3000").api_key == ""
    assert Settings("http://10.0.0.5:3000", api_key="k", allow_plain_http=True).api_key == "k"
    monkeypatch.setenv("INTERLOCK_ALLOW_PLAIN_HTTP", "1")
    assert Settings("http://interlock:3000", api_key="k").api_key == "k"
    assert not is_loopback("localhost.example.org")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), timedelta(days=8)])
def test_a_time_that_nobody_can_keep_is_refused(timeout: float) -> None:
    with pytest.raises(ConfigError):
        Settings("http://h", timeout=timeout)


def test_the_current_span_travels_and_nothing_is_imported_for_it() -> None:
    from opentelemetry import trace

    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        found = traceparent({"opentelemetry.trace": trace})
    assert found == {"traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01"}
    assert traceparent({}) == traceparent({"opentelemetry.trace": trace}) == {}
