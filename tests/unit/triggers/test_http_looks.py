"""How an http trigger looks for jobs and at them, and stops them."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, reply

from interlock.clients.http import HttpClient
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobReport, JobState
from interlock.testing.conformance.triggers import TIMEOUT, a_job
from interlock.triggers.context import TriggerContext
from interlock.triggers.http import HttpTrigger
from interlock.triggers.http_config import HttpConfig

pytestmark = pytest.mark.enable_socket
RUN_ID = "daily-sales:daily:2026-03-07:1"


def trigger(client: HttpClient, *, callback: str = "", allow: tuple[str, ...] = (), **keys: Any) -> HttpTrigger:
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=client, public_url=callback, env_allow=allow)
    return HttpTrigger(msgspec.convert(keys, HttpConfig), context)


def poll(client: HttpClient, answer: Callable[[socket.socket, bytes], None], **keys: Any) -> JobReport:
    with RawServer(answer) as server:
        made = trigger(client, url="http://unused/", statusUrl=server.url + "/jobs/{id}", **keys)
        return made.poll(a_job(), JobHandle(id="j/1"), timeout=TIMEOUT)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b'{"status": "RUNNING"}', JobState.RUNNING),
        (b'{"status": "Succeeded"}', JobState.SUCCEEDED),
        (b'{"status": "failed"}', JobState.FAILED),
        (b'{"status": "EXPIRED"}', JobState.UNSEEN),
        (b"{}", JobState.UNSEEN),
        (b"nonsense", JobState.UNSEEN),
        (b'{"status": ["running"]}', JobState.UNSEEN),
    ],
)
def test_the_status_page_is_read_by_the_rule(client: HttpClient, body: bytes, state: JobState) -> None:
    """T-22, BUG-04: a state nobody listed, or none at all, is not "still running"."""
    report = poll(client, reply("200 OK", body))
    assert report.state is state
    assert (report.category is FailureCategory.TRANSIENT) == (state is JobState.FAILED)


@pytest.mark.parametrize(
    ("said", "rule", "category"),
    [
        ("Cancelled", {}, FailureCategory.PERMANENT),
        ("aborted", {}, FailureCategory.PERMANENT),
        ("TIMED_OUT", {}, FailureCategory.TIMEOUT),
        ("failure", {}, FailureCategory.TRANSIENT),
        ("bad-input", {"permanent": ["BAD-INPUT"]}, FailureCategory.PERMANENT),
        ("failed", {"failed": ["failed"], "permanent": ["failed"]}, FailureCategory.PERMANENT),
        ("expired", {"timeout": ["expired"]}, FailureCategory.TIMEOUT),
        (30, {"permanent": ["30"]}, FailureCategory.PERMANENT),
    ],
)
def test_the_state_says_whether_another_attempt_can_help(
    client: HttpClient, said: str | int, rule: dict[str, Any], category: FailureCategory
) -> None:
    """What a person has stopped in the target system must not be started again."""
    report = poll(client, reply("200 OK", json.dumps({"status": said}).encode()), status=rule)
    assert (report.state, report.category) == (JobState.FAILED, category)
    assert str(said) in report.reason


@pytest.mark.parametrize(
    ("status", "conclusion", "state"),
    [
        ("queued", None, JobState.RUNNING),
        ("in_progress", None, JobState.RUNNING),
        ("completed", "success", JobState.SUCCEEDED),
        ("completed", "failure", JobState.FAILED),
        ("completed", "neutral", JobState.UNSEEN),
        ("completed", None, JobState.UNSEEN),
        ("failed", None, JobState.UNSEEN),
        (None, None, JobState.UNSEEN),
    ],
)
def test_where_the_outcome_stands_apart_only_the_outcome_is_an_end(
    client: HttpClient, status: str | None, conclusion: str | None, state: JobState
) -> None:
    """BUG-04: "completed" of a run that has no outcome yet is no success."""
    body = json.dumps({"status": status, "conclusion": conclusion}).encode()
    assert poll(client, reply("200 OK", body), status={"outcomePath": "conclusion"}).state is state


def test_an_api_that_only_says_whether_it_builds_can_be_read(client: HttpClient) -> None:
    rule: dict[str, Any] = {"path": "building", "running": ["true"], "outcomePath": "result"}
    assert poll(client, reply("200 OK", b'{"building": true, "result": null}'), status=rule).state is JobState.RUNNING
    ended = poll(client, reply("200 OK", b'{"building": false, "result": "SUCCESS"}'), status=rule)
    assert ended.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("3 files\r\nare missing", "3 files | are missing"),
        ({"code": 7}, '{"code":7}'),
        (None, ""),
        ("password=hunter2-hunter2", "password=(redacted)"),
        ("you sent hunter2", "you sent ***"),
    ],
)
def test_people_are_told_why_the_target_says_that_it_failed(client: HttpClient, why: Any, words: str) -> None:
    """T-76: in one line, and without secrets."""
    body = json.dumps({"status": "failed", "why": why}).encode()
    keys: dict[str, Any] = {"status": {"reasonPath": "why"}, "statusHeaders": {"Authorization": "Bearer hunter2"}}
    said = poll(client, reply("200 OK", body), **keys).reason
    assert said == (f"the target says failed: {words}" if words else "the target says failed")


def test_a_long_reason_is_cut(client: HttpClient) -> None:
    """BUG-120."""
    body = json.dumps({"status": "failed", "why": "é" * 10_000}).encode()
    assert len(poll(client, reply("200 OK", body), status={"reasonPath": "why"}).reason.encode()) < 600


def test_a_status_that_appears_late_is_looked_for_again_and_proves_nothing_of_the_start(client: HttpClient) -> None:
    late: dict[str, Any] = {"status": {"notFound": "unseen"}}
    assert poll(client, reply("404 Not Found"), **late).state is JobState.UNSEEN
    with RawServer(reply("404 Not Found")) as server:
        made = trigger(client, url="http://unused/", statusUrl=server.url + "/{id}", **late)
        assert made.find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


@pytest.mark.parametrize(
    "rule",
    [
        {"succeeded": ["Aborted"]},
        {"running": ["done"]},
        {"running": ["x"], "failed": ["X"]},
        {"succeeded": ["late"], "timeout": ["late"]},
    ],
)
def test_a_state_that_would_mean_two_things_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match="cannot mean two things"):
        msgspec.convert({"url": "http://x/", "status": rule}, HttpConfig)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("404 Not Found", JobState.VANISHED),
        ("410 Gone", JobState.VANISHED),
        ("401 Unauthorized", JobState.UNSEEN),
        ("500 Oops", JobState.UNSEEN),
        ("302 Found", JobState.UNSEEN),
    ],
)
def test_a_job_the_target_does_not_know_has_vanished_and_other_trouble_is_no_end(
    client: HttpClient, status: str, state: JobState
) -> None:
    """T-22, LAT-22."""
    assert poll(client, reply(status)).state is state


def test_a_target_that_is_down_is_a_look_that_failed(client: HttpClient) -> None:
    """AWS-27."""
    with RawServer(reply()) as server:
        port = server.port
    made = trigger(client, url="http://unused/", statusUrl=f"http://127.0.0.1:{port}/")
    assert made.poll(a_job(), JobHandle(id="1"), timeout=TIMEOUT).state is JobState.UNSEEN


def test_the_status_page_is_asked_with_the_headers_and_the_id(client: HttpClient) -> None:
    """LAT-22, AWS-15."""
    with RawServer(reply("200 OK", b'{"status": "done"}')) as server:
        made = trigger(
            client, url="http://unused/", statusUrl=server.url + "/jobs/{id}", headers={"Authorization": "Bearer x"}
        )
        made.poll(a_job(), JobHandle(id="a/b?c"), timeout=TIMEOUT)
    assert server.requests[0].startswith(b"GET /jobs/a%2Fb%3Fc HTTP/1.1")
    assert b"authorization: bearer x" in server.requests[0].lower()


def test_without_a_status_page_a_job_runs_until_it_reports(client: HttpClient) -> None:
    made = trigger(client, url="http://unused/")
    assert made.poll(a_job(), JobHandle(id="1"), timeout=TIMEOUT).state is JobState.RUNNING
    assert made.find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


@pytest.mark.parametrize(
    ("path", "keys", "attempt", "status", "found"),
    [
        ("/jobs/{id}", {}, 1, "200 OK", True),
        ("/jobs/{id}", {}, 1, "404 Not Found", Absent.CERTAINLY),
        ("/jobs/{id}", {}, 1, "500 Oops", Absent.UNKNOWN),
        ("/jobs/{id}", {"runIdPath": "id"}, 1, "404 Not Found", Absent.UNKNOWN),
        (f"/runs/{RUN_ID}", {}, 1, "200 OK", True),
        (f"/runs/{RUN_ID}", {}, 2, "200 OK", Absent.UNKNOWN),
        (f"/runs/{RUN_ID}", {}, 2, "404 Not Found", Absent.CERTAINLY),
        ("/jobs/{id}", {"status": {"path": "state"}}, 1, "200 OK", Absent.UNKNOWN),
        ("/jobs/{id}", {"runIdPath": "own"}, 1, "200 OK", Absent.UNKNOWN),
        ("/status", {}, 1, "404 Not Found", Absent.UNKNOWN),
    ],
)
def test_a_job_is_found_only_by_a_page_that_is_its_own(
    client: HttpClient, path: str, keys: dict[str, Any], attempt: int, status: str, found: Absent | bool
) -> None:
    with RawServer(reply(status, b'{"status": "running"}')) as server:
        made = trigger(client, url="http://unused/", statusUrl=server.url + path, **keys)
        got = made.find(a_job(attempt=attempt), timeout=TIMEOUT)
    assert isinstance(got, JobHandle) if found is True else got is found


def test_a_job_found_by_its_run_has_the_targets_own_id(client: HttpClient) -> None:
    with RawServer(reply("200 OK", b'{"id": "x-9", "status": "done"}')) as server:
        made = trigger(client, url="http://unused/", statusUrl=f"{server.url}/runs/{RUN_ID}", runIdPath="id")
        assert made.find(a_job(), timeout=TIMEOUT) == JobHandle(id="x-9")


def test_looks_may_have_headers_of_their_own(client: HttpClient) -> None:
    with RawServer(reply("200 OK", b'{"status": "done"}')) as server:
        made = trigger(
            client,
            url=server.url,
            statusUrl=server.url,
            headers={"Accept": "text/plain", "X-Team": "data"},
            statusHeaders={"accept": "application/json"},
        )
        made.start(a_job(), timeout=TIMEOUT)
        made.poll(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
    started, looked = (request.lower() for request in server.requests)
    assert b"accept: text/plain\r\n" in started
    assert b"accept: application/json\r\n" in looked
    assert b"x-team: data\r\n" in looked


@pytest.mark.parametrize(("status", "fine"), [("200 OK", True), ("404 Not Found", True), ("500 Oops", False)])
def test_a_cancellation_is_asked_for_and_its_refusal_is_said(client: HttpClient, status: str, fine: bool) -> None:
    with RawServer(reply(status)) as server:
        made = trigger(client, url="http://unused/", cancelUrl=server.url + "/{id}", cancelMethod="DELETE")
        if fine:
            made.cancel(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
        else:
            with pytest.raises(TriggerError, match="could not be stopped"):
                made.cancel(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
    assert server.requests[0].startswith(b"DELETE /1 ")


@pytest.mark.parametrize(
    ("state", "category"), [("running", "TRANSIENT"), ("nonsense", "TRANSIENT"), ("failed", None), ("done", None)]
)
def test_a_job_that_has_ended_need_not_be_stopped_whatever_the_target_says_to_it(
    client: HttpClient, state: str, category: str | None
) -> None:
    def answer(peer: socket.socket, request: bytes) -> None:
        if request.startswith(b"POST"):
            reply("409 Conflict")(peer, request)
        else:
            reply("200 OK", json.dumps({"status": state}).encode())(peer, request)

    with RawServer(answer) as server:
        made = trigger(client, url="http://unused/", statusUrl=server.url, cancelUrl=server.url)
        if category is None:
            made.cancel(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
        else:
            with pytest.raises(TriggerError) as caught:
                made.cancel(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
            assert caught.value.category == category
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "category"),
    [("405 Method Not Allowed", "PERMANENT"), ("500 Oops", "TRANSIENT"), ("401 No", "TRANSIENT")],
)
def test_a_wish_to_stop_is_repeated_unless_the_target_knows_no_such_thing(
    client: HttpClient, status: str, category: str
) -> None:
    with RawServer(reply(status)) as server:
        made = trigger(client, url="http://unused/", cancelUrl=server.url)
        with pytest.raises(TriggerError) as caught:
            made.cancel(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
    assert caught.value.category == category


def test_a_wish_to_stop_may_have_a_body(client: HttpClient) -> None:
    with RawServer(reply()) as server:
        made = trigger(client, url="http://unused/", cancelUrl=server.url, cancelBody={"state": {"type": "CANCELLING"}})
        made.cancel(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    assert body == b'{"state":{"type":"CANCELLING"}}'


def test_a_trigger_without_a_cancel_url_says_that_it_cannot_stop(client: HttpClient) -> None:
    with pytest.raises(TriggerError, match="cancelUrl"):
        trigger(client, url="http://unused/").cancel(a_job(), JobHandle(id="1"), timeout=TIMEOUT)
