from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest
from tests.servers.databricks_runs import FAILS, LINGERS, SUCCEEDS, ended, going
from tests.servers.databricks_stub import DatabricksStub

from interlock.clients.http import HttpClient, HttpReply, HttpSender
from interlock.codec.documents import document, mapping
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.remote_triggers import Fault, Verb
from interlock.testing.conformance.triggers import TIMEOUT, a_job, the_end
from interlock.triggers.context import TriggerContext
from interlock.triggers.databricks import DatabricksTrigger
from interlock.triggers.databricks_config import DatabricksConfig

pytestmark = pytest.mark.enable_socket
TASK = {"task_key": "work", "notebook_task": {"notebook_path": "/Shared/work"}, "existing_cluster_id": "c-1"}
HOME = "https://x.example.com"


class Sender:
    """Gives one answer to everything, and remembers what was asked."""

    def __init__(self, status: int, body: Any) -> None:
        self.reply = HttpReply(status, (), body if isinstance(body, bytes) else json.dumps(body).encode())
        self.sent: list[tuple[str, str, Mapping[str, str], timedelta]] = []

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] = {}, body: bytes | None = None, timeout: timedelta
    ) -> HttpReply:
        self.sent.append((method, url, headers, timeout))
        return self.reply


@pytest.fixture
def stub() -> Iterator[DatabricksStub]:
    with DatabricksStub() as stub:
        stub.jobs = {1: SUCCEEDS, 2: FAILS, 3: LINGERS}
        stub.scripts = {"work": SUCCEEDS}
        yield stub


def trigger(
    http: HttpSender | None, url: str = HOME, *, secrets: tuple[str, ...] = (), **keys: Any
) -> DatabricksTrigger:
    given = {"workspaceUrl": url, "token": "dapi-1", **({} if "tasks" in keys else {"jobId": 1}), **keys}
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=http, known_secrets=lambda: secrets)
    return DatabricksTrigger(msgspec.convert(given, DatabricksConfig), context)


def refused(made: DatabricksTrigger) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        made.start(a_job(), timeout=TIMEOUT)
    return caught.value


# ---------------------------------------------------------------- starting


def test_a_handle_names_the_run_its_job_and_their_page(stub: DatabricksStub, client: HttpClient) -> None:
    """LAT-07, BUG-115: and the job's page is known without a further question."""
    handle = trigger(client, stub.url).start(a_job(), timeout=TIMEOUT)
    assert int(handle.id) in stub.runs
    assert mapping(handle.details) == {
        "workspace": stub.url,
        "runId": handle.id,
        "jobId": "1",
        "url": f"{stub.url}/jobs/1/runs/{handle.id}",
    }
    assert [path for path, _ in stub.requests] == ["2.1/run-now"]


def test_the_page_of_a_one_time_run_is_asked_for(stub: DatabricksStub, client: HttpClient) -> None:
    handle = trigger(client, stub.url, tasks=[TASK]).start(a_job(), timeout=TIMEOUT)
    page = f"{stub.url}/?o=1#job/{int(handle.id) * 7}/run/{handle.id}"
    assert mapping(handle.details) == {"workspace": stub.url, "runId": handle.id, "url": page}


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.LOST_ANSWER, Fault.GARBAGE, Fault.UNAUTHORIZED])
def test_a_run_whose_page_is_not_found_out_is_started_all_the_same(
    stub: DatabricksStub, client: HttpClient, fault: Fault
) -> None:
    with stub.broken(fault, Verb.LOOK):
        handle = trigger(client, stub.url, tasks=[TASK]).start(a_job(), timeout=TIMEOUT)
    assert int(handle.id) in stub.runs
    assert "url" not in mapping(handle.details)


def test_the_question_for_the_page_takes_no_longer_than_the_start_may(stub: DatabricksStub, client: HttpClient) -> None:
    began = monotonic()
    with stub.broken(Fault.FROZEN, Verb.LOOK):
        handle = trigger(client, stub.url, tasks=[TASK]).start(a_job(), timeout=timedelta(seconds=0.5))
        assert monotonic() - began < 3
    assert handle.id


@pytest.mark.parametrize("page", ["javascript:alert(1)", 5, None, "https://" + "x" * 600])
def test_only_an_address_is_shown_as_a_page(page: Any) -> None:
    sender = Sender(200, {"run_id": 5, "run_page_url": page})
    handle = trigger(sender, tasks=[TASK]).start(a_job(), timeout=TIMEOUT)
    assert "url" not in mapping(handle.details)


@pytest.mark.parametrize("run_id", [None, 0, -1, "", "run-5", True, 5.5, [5], "05", 10**30])
def test_a_start_without_the_number_of_its_run_is_trouble_at_once(run_id: Any) -> None:
    """LAT-07: nobody could ever look at the run, and it goes on."""
    error = refused(trigger(Sender(200, {"run_id": run_id})))
    assert (error.started, error.category) == (True, "PERMANENT")
    assert "no run_id" in str(error)


@pytest.mark.parametrize("run_id", [5, "5"])
def test_a_number_may_come_as_text(run_id: Any) -> None:
    assert trigger(Sender(200, {"run_id": run_id})).start(a_job(), timeout=TIMEOUT).id == "5"


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"[]", b"5"])
def test_a_success_that_is_no_answer_of_databricks_leaves_everything_open(body: bytes) -> None:
    error = refused(trigger(Sender(200, body)))
    assert (error.started, error.category) == (None, "TRANSIENT")


def test_a_start_whose_run_was_deleted_is_for_people(stub: DatabricksStub, client: HttpClient) -> None:
    """LAT-46: the same attempt must not begin again as if nothing had been."""
    made = trigger(client, stub.url)
    made.start(a_job(), timeout=TIMEOUT)
    stub.forget()
    error = refused(made)
    assert (error.started, error.category) == (None, "PERMANENT")
    assert "has been deleted" in str(error)
    assert stub.starts() == 1


def test_a_run_cannot_be_found_by_its_key(stub: DatabricksStub, client: HttpClient) -> None:
    """No list tells the tokens of runs, so that not finding one would prove nothing."""
    made = trigger(client, stub.url)
    made.start(a_job(), timeout=TIMEOUT)
    assert made.find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN
    assert made.repeatable


def test_what_databricks_says_is_said_again_in_its_words() -> None:
    error = refused(trigger(Sender(400, {"error_code": "INVALID_STATE", "message": "The job is\r\n\x1b[31mpaused"})))
    assert str(error) == "Databricks answered 400 INVALID_STATE: The job is | paused"


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, {"error_code": 401, "message": "no credentials"}, "renew the token"),
        (403, {"error_code": 403, "message": "Invalid access token."}, "renew the token"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "no"}, "allow this token's owner"),
        (404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "no"}, "check `workspaceUrl` and `apiVersion`"),
        (404, b"<html>nothing here</html>", "check `workspaceUrl` and `apiVersion`"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, body: Any, advice: str) -> None:
    assert advice in str(refused(trigger(Sender(status, body))))


def test_a_long_error_is_cut() -> None:
    """BUG-120."""
    for body in ({"error_code": "X", "message": "y" * 100_000}, b"z" * 100_000):
        assert len(str(refused(trigger(Sender(400, body)))).encode()) < 700


def test_a_header_that_cannot_be_sent_starts_nothing(stub: DatabricksStub, client: HttpClient) -> None:
    error = refused(trigger(client, stub.url, token="half\nanother"))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "another" not in str(error)


def test_without_a_client_it_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match="http"):
        trigger(None)


# ---------------------------------------------------------------- looking


@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_a_run_is_followed_to_its_end_with_either_version(
    stub: DatabricksStub, client: HttpClient, version: str
) -> None:
    made = trigger(client, stub.url, jobId=2, apiVersion=version)
    handle = made.start(a_job(), timeout=TIMEOUT)
    report = the_end(made, a_job(), handle)
    assert report.state is JobState.FAILED
    assert report.reason.startswith("Databricks says TERMINATED/FAILED")
    assert report.reason.endswith("(failed tasks: work): Task work failed with message: the disk is on fire.")
    assert {path for path, _ in stub.requests} == {f"{version}/run-now", f"{version}/runs/get"}


def test_a_run_that_waits_for_its_retry_goes_on(stub: DatabricksStub, client: HttpClient) -> None:
    stub.jobs[4] = (going("WAITING_FOR_RETRY"), going("BLOCKED"), ended("SUCCESS"))
    made = trigger(client, stub.url, jobId=4)
    handle = made.start(a_job(), timeout=TIMEOUT)
    states = [made.poll(a_job(), handle, timeout=TIMEOUT).state for _ in range(3)]
    assert states == [JobState.RUNNING, JobState.RUNNING, JobState.SUCCEEDED]


def test_every_request_has_what_the_start_had(stub: DatabricksStub) -> None:
    """LAT-22: looks without credentials are refused for ever."""
    sender = Sender(200, {"run_id": 5})
    made = trigger(sender, token="", headers={"Authorization": "Bearer dapi-9", "X-Team": "data"})
    handle = made.start(a_job(), timeout=TIMEOUT)
    made.poll(a_job(), handle, timeout=TIMEOUT)
    made.cancel(a_job(), handle, timeout=TIMEOUT)
    assert [(method, url.removeprefix(HOME)) for method, url, _, _ in sender.sent] == [
        ("POST", "/api/2.1/jobs/run-now"),
        ("GET", "/api/2.1/jobs/runs/get?run_id=5"),
        ("POST", "/api/2.1/jobs/runs/cancel"),
    ]
    assert all(headers["authorization"] == "Bearer dapi-9" for _, _, headers, _ in sender.sent)
    assert all(headers["x-team"] == "data" for _, _, headers, _ in sender.sent)


def test_no_request_takes_longer_than_the_file_or_the_caller_says() -> None:
    sender = Sender(200, {"run_id": 5})
    made = trigger(sender, timeout=7)
    made.start(a_job(), timeout=TIMEOUT)
    made.start(a_job(), timeout=timedelta(seconds=2))
    assert sender.sent[0][3] == timedelta(seconds=7)
    assert timedelta(seconds=1) < sender.sent[1][3] <= timedelta(seconds=2)


def test_a_run_of_another_workspace_is_not_looked_at_here() -> None:
    """T-23: its number may be somebody else's run, and the token is not for there."""
    sender = Sender(200, {"run_id": 5, **ended("SUCCESS")})
    elsewhere = JobHandle(id="5", details=document({"workspace": "https://y.example.com"}))
    report = trigger(sender).poll(a_job(), elsewhere, timeout=TIMEOUT)
    assert report.state is JobState.UNSEEN
    assert "https://y.example.com" in report.reason
    with pytest.raises(TriggerError, match="could not be stopped") as caught:
        trigger(sender).cancel(a_job(), elsewhere, timeout=TIMEOUT)
    assert caught.value.category == "PERMANENT"
    assert sender.sent == []


def test_what_is_no_number_of_a_run_is_not_put_into_an_address() -> None:
    sender = Sender(200, ended("SUCCESS"))
    report = trigger(sender).poll(a_job(), JobHandle(id="5&run_id=6"), timeout=TIMEOUT)
    assert report.state is JobState.UNSEEN
    assert sender.sent == []


def test_another_run_than_the_one_asked_for_says_nothing() -> None:
    sender = Sender(200, {"run_id": 6, **ended("SUCCESS")})
    assert trigger(sender).poll(a_job(), JobHandle(id="5"), timeout=TIMEOUT).state is JobState.UNSEEN


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Run 5 does not exist."}, JobState.VANISHED),
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}, JobState.VANISHED),
        (404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "no"}, JobState.UNSEEN),
        (404, b"<html>nothing here</html>", JobState.UNSEEN),
        (401, {"error_code": 401, "message": "no"}, JobState.UNSEEN),
        (403, {"error_code": "PERMISSION_DENIED", "message": "no"}, JobState.UNSEEN),
        (429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "no"}, JobState.UNSEEN),
        (500, {"error_code": "INTERNAL_ERROR", "message": "no"}, JobState.UNSEEN),
        (302, b"", JobState.UNSEEN),
        (200, b"<html>Sign in</html>", JobState.UNSEEN),
        (204, b"", JobState.UNSEEN),
    ],
)
def test_only_certainty_is_more_than_a_look_that_failed(status: int, body: Any, state: JobState) -> None:
    """T-22."""
    report = trigger(Sender(status, body)).poll(a_job(), JobHandle(id="5"), timeout=TIMEOUT)
    assert report.state is state
    assert report.reason


def test_a_reason_repeats_no_secret_of_the_project_and_no_token() -> None:
    """T-76: tasks put what they were given into their errors."""
    message = "cannot log in as anna:swordfish with dapi-1-secret, password=hunter2-again"
    sender = Sender(200, {"run_id": 5, **ended("FAILED", message=message)})
    made = trigger(sender, token="dapi-1-secret", secrets=("swordfish",))
    reason = made.poll(a_job(), JobHandle(id="5"), timeout=TIMEOUT).reason
    assert "cannot log in" in reason
    assert not any(secret in reason for secret in ("swordfish", "dapi-1-secret", "hunter2"))


def test_a_partial_success_is_read_as_the_file_says(stub: DatabricksStub, client: HttpClient) -> None:
    stub.jobs[4] = (ended("SUCCESS_WITH_FAILURES"),)
    handle = trigger(client, stub.url, jobId=4).start(a_job(), timeout=TIMEOUT)
    states = [
        trigger(client, stub.url, jobId=4, partialSuccess=said).poll(a_job(), handle, timeout=TIMEOUT).state
        for said in ("failed", "succeeded")
    ]
    assert states == [JobState.FAILED, JobState.SUCCEEDED]


# ---------------------------------------------------------------- stopping


def test_a_run_is_not_taken_for_stopped_before_it_is(stub: DatabricksStub, client: HttpClient) -> None:
    """Databricks says yes first, and then stops."""
    made = trigger(client, stub.url, jobId=3)
    handle = made.start(a_job(), timeout=TIMEOUT)
    made.cancel(a_job(), handle, timeout=TIMEOUT)
    reports = [made.poll(a_job(), handle, timeout=TIMEOUT) for _ in range(2)]
    assert [report.state for report in reports] == [JobState.RUNNING, JobState.FAILED]
    assert reports[1].category == "PERMANENT"


def test_an_ended_run_that_databricks_will_not_stop_is_no_trouble(stub: DatabricksStub, client: HttpClient) -> None:
    stub.refuses_to_cancel_ended = True
    stub.jobs[4] = (ended("SUCCESS"),)
    made = trigger(client, stub.url, jobId=4)
    handle = made.start(a_job(), timeout=TIMEOUT)
    made.cancel(a_job(), handle, timeout=TIMEOUT)
    assert made.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "code"), [(400, "INVALID_STATE"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (500, "X")]
)
def test_a_run_that_could_not_be_stopped_is_tried_again(status: int, code: str) -> None:
    """Credentials and permissions can be mended while it runs."""
    made = trigger(Sender(status, {"error_code": code, "message": "no"}))
    with pytest.raises(TriggerError, match="could not be stopped") as caught:
        made.cancel(a_job(), JobHandle(id="5"), timeout=TIMEOUT)
    assert caught.value.category == "TRANSIENT"


def test_a_run_that_is_gone_needs_no_stopping() -> None:
    sender = Sender(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"})
    trigger(sender).cancel(a_job(), JobHandle(id="5"), timeout=TIMEOUT)
    assert len(sender.sent) == 1
