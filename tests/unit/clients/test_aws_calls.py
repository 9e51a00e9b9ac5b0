from __future__ import annotations

import logging
import os
import threading
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from tests.servers.aws_errors import REGION, AwsError
from tests.servers.aws_faults import Fault
from tests.servers.aws_stub import AwsStub
from tests.unit.clients.awsdoors import (
    LATE,
    NOTHING,
    PERMANENT,
    SOON,
    TIMEOUT,
    TRANSIENT,
    Doors,
    ask,
    configured,
    keys,
    trouble,
)
from tests.unit.clients.rawserver import RawServer, raw, reply

from interlock.clients import aws_deadline
from interlock.clients.aws import AwsDoor, AwsOptions, AwsTrouble
from interlock.core.traits import FailureCategory

pytestmark = pytest.mark.enable_socket
ROLE = "arn:aws:iam::123456789012:role/jobs"


# ------------------------------------------------------------ one request, by its deadline


class TestOneRequest:
    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.BROKEN, Fault.UNAVAILABLE, Fault.LOST_ANSWER])
    def test_nothing_is_asked_twice(self, door: AwsDoor, stub: AwsStub, fault: Fault) -> None:
        with stub.fault("Publish", fault):
            trouble(door)
        assert len(stub.calls) == 1

    @pytest.mark.parametrize(
        ("fault", "done", "category"),
        [
            (Fault.THROTTLED, False, TRANSIENT),
            (Fault.EXPIRED, False, TRANSIENT),
            (Fault.SKEWED, False, TRANSIENT),
            (Fault.UNKNOWN_CLIENT, False, PERMANENT),
            (Fault.FORBIDDEN, False, PERMANENT),
            (Fault.BROKEN, None, TRANSIENT),
            (Fault.UNAVAILABLE, None, TRANSIENT),
            (Fault.LOST_REQUEST, None, TRANSIENT),
            (Fault.LOST_ANSWER, None, TRANSIENT),
            (Fault.GARBAGE, None, TRANSIENT),
            (Fault.FROZEN, None, LATE),
            (Fault.DRIP, None, LATE),
        ],
        ids=lambda value: value.name if isinstance(value, Fault) else "",
    )
    @pytest.mark.parametrize("service", ["glue", "sns"])
    def test_it_is_said_whether_something_may_have_been_done(
        self, door: AwsDoor, stub: AwsStub, service: str, fault: Fault, done: bool | None, category: FailureCategory
    ) -> None:
        """An answer that cannot be read is no proof that nothing was started."""
        operation = {"glue": "StartJobRun", "sns": "Publish"}[service]
        timeout = timedelta(seconds=1) if category is LATE else TIMEOUT
        if category is LATE:
            # Making a client takes its time on a busy machine, and is not what is waited for here.
            ask(door, service=service)
        with stub.fault(operation, fault):
            found = trouble(door, timeout=timeout, service=service)
        assert (found.done, found.category) == (done, category)

    @pytest.mark.parametrize("answer", [b"[]", b"null", b"7", b'{"JobRunId": 7}', b'{"JobRunId": "' + b"\xff" * 9])
    def test_an_answer_of_another_shape_is_at_worst_one_that_cannot_be_read(
        self, door_to: Doors, answer: bytes
    ) -> None:
        with RawServer(reply("200 OK", answer)) as server:
            door = door_to(endpoint=server.url, region=REGION)
            try:
                door.call("glue", "start_job_run", NOTHING, timeout=TIMEOUT, JobName="daily")
            except AwsTrouble as exc:
                assert exc.done is None  # noqa: PT017  (an answer without an id is right, too: whoever asked looks for it)

    def test_nobody_there_is_known_to_have_done_nothing(self, door: AwsDoor, stub: AwsStub) -> None:
        stub.close()
        found = trouble(door)
        assert (found.done, found.category) == (False, TRANSIENT)

    @pytest.mark.parametrize("fault", [Fault.FROZEN, Fault.DRIP])
    def test_a_call_ends_by_its_deadline_however_slowly_it_is_answered(
        self, door: AwsDoor, stub: AwsStub, fault: Fault
    ) -> None:
        ask(door)
        began = monotonic()
        with stub.fault("Publish", fault):
            trouble(door, timeout=SOON)
        assert monotonic() - began < SOON.total_seconds() + 1

    def test_credentials_that_do_not_come_are_waited_for_no_longer_than_the_call(
        self, door_to: Doors, stub: AwsStub, aws_home: Path
    ) -> None:
        """And the request does not leave when they come at last."""
        waits = aws_home / "credentials.fifo"
        os.mkfifo(waits)
        configured(aws_home, f"[profile slow]\ncredential_process = cat {waits}\n", "config")
        door = door_to(endpoint=stub.url, region=REGION)
        began = monotonic()
        found = trouble(door, AwsOptions(profile="slow"), SOON)
        assert monotonic() - began < SOON.total_seconds() + 1
        assert (found.done, found.category) == (False, LATE)
        waits.write_text('{"Version": 1, "AccessKeyId": "AKIALATE", "SecretAccessKey": "keep-this-quiet"}')
        for thread in threading.enumerate():
            if thread.name == "interlock-aws":
                thread.join(10)
        assert stub.calls == []

    def test_credentials_that_do_not_come_keep_nobody_else_waiting(
        self, door: AwsDoor, stub: AwsStub, aws_home: Path
    ) -> None:
        waits = aws_home / "credentials.fifo"
        os.mkfifo(waits)
        configured(aws_home, f"[profile slow]\ncredential_process = cat {waits}\n", "config")
        trouble(door, AwsOptions(profile="slow"), SOON)
        ask(door, timeout=TIMEOUT)
        waits.write_text("never mind")
        assert len(stub.calls) == 1

    def test_no_connection_is_kept_for_another_request(self, door: AwsDoor, stub: AwsStub) -> None:
        ask(door)
        assert stub.calls[0].headers["connection"] == "close"

    def test_where_too_much_has_not_ended_nothing_more_is_begun(
        self, door: AwsDoor, stub: AwsStub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One place that drips costs so many threads, and no other place anything."""
        monkeypatch.setattr(aws_deadline, "LEFT_BEHIND", 2)
        # To make a client takes longer than these calls may; it is kept by whole seconds.
        door._client("sns", door._joined(NOTHING), 1)
        with stub.fault("Publish", Fault.DRIP):
            for _ in range(2):
                trouble(door, timeout=timedelta(seconds=0.05))
            found = trouble(door)
            assert (found.done, found.category) == (False, LATE)
            assert "2 earlier calls" in str(found)
            door.call("sts", "get_caller_identity", NOTHING, timeout=TIMEOUT)
            held = [thread for thread in threading.enumerate() if thread.name == "interlock-aws"]
        for thread in held:
            thread.join(10)
        ask(door)

    def test_how_long_aws_asks_to_be_left_alone_is_handed_on(self, door_to: Doors) -> None:
        with RawServer(reply("429 Slow Down", b"{}", "Retry-After: 30")) as server:
            found = trouble(door_to(endpoint=server.url, region=REGION), service="glue")
        assert (found.retry_after, found.done) == (timedelta(seconds=30), False)


# ------------------------------------------------------------ words


class TestWords:
    @pytest.mark.parametrize(
        ("service", "operation", "parameters", "words"),
        [
            ("glue", "start_job", {}, "no such operation"),
            ("glue", "close", {}, "no such operation"),
            ("nowhere", "start", {}, "Unknown service: 'nowhere'"),
            ("glue", "start_job_run", {"JobName": "daily", "Speed": 3}, 'Unknown parameter in input: "Speed"'),
            ("glue", "start_job_run", {}, 'Missing required parameter in input: "JobName"'),
        ],
    )
    def test_what_botocore_does_not_know_is_named(
        self, door: AwsDoor, stub: AwsStub, service: str, operation: str, parameters: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(AwsTrouble) as caught:
            door.call(service, operation, NOTHING, timeout=TIMEOUT, **parameters)
        assert words in str(caught.value)
        assert (caught.value.done, caught.value.category) == (False, PERMANENT)
        assert stub.calls == []

    @pytest.mark.parametrize("endpoint", ["nonsense", "http://", "http://127.0.0.1:99999", "http://[::1"])
    def test_an_endpoint_that_is_no_address_is_a_fault_for_good(
        self, door_to: Doors, monkeypatch: pytest.MonkeyPatch, endpoint: str
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "keep-this-quiet")
        found = trouble(door_to(endpoint=endpoint, region=REGION))
        assert (found.done, found.category) == (False, PERMANENT)

    @pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
    def test_credentials_with_a_line_break_in_them_leave_no_doubt(
        self, door_to: Doors, stub: AwsStub, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "keep-this-quiet")
        monkeypatch.setenv(name, "keep-this-quiet\n")
        found = trouble(door_to(endpoint=stub.url, region=REGION), service="glue")
        assert (found.done, found.category) == (False, PERMANENT)
        assert "line break" in str(found)
        assert "quiet" not in str(found)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"JobName": ["keep-this-quiet"]},
            {"JobName": {"keep-this-quiet": "\n"}},
            {"JobName": "daily", "NumberOfWorkers": "keep\nthis-quiet"},
        ],
    )
    def test_a_value_that_botocore_does_not_take_is_not_repeated(
        self, door: AwsDoor, parameters: dict[str, Any]
    ) -> None:
        with pytest.raises(AwsTrouble, match="Invalid type for parameter") as caught:
            door.call("glue", "start_job_run", NOTHING, timeout=TIMEOUT, **parameters)
        assert "quiet" not in str(caught.value)

    def test_a_bucket_that_botocore_does_not_take_is_not_repeated(self, door: AwsDoor) -> None:
        with pytest.raises(AwsTrouble, match="Invalid bucket name") as caught:
            door.call("s3", "put_object", NOTHING, timeout=TIMEOUT, Bucket="keep this quiet", Key="k")
        assert "quiet" not in str(caught.value)

    @pytest.mark.parametrize(
        "said",
        [
            "the external id keep-this-quiet is wrong",
            "x-amz-security-token: keep-this-quiet",
            "https://host/path?X-Amz-Signature=keep-this-quiet&x=1",
            "https://user:keep-this-quiet@host/path",
            'secret_access_key="keep-this-quiet"',
        ],
    )
    def test_no_secret_comes_back_in_the_words_of_an_error(self, door: AwsDoor, stub: AwsStub, said: str) -> None:
        with stub.fault("Publish", AwsError("InvalidParameterException", said, 400)):
            found = trouble(door, AwsOptions(external_id="keep-this-quiet"))
        assert "quiet" not in str(found)
        assert "InvalidParameter" in str(found)

    def test_a_password_in_an_endpoint_is_not_shown(self, door_to: Doors, stub: AwsStub) -> None:
        stub.close()
        found = trouble(door_to(endpoint=stub.url.replace("//", "//user:keep-this-quiet@"), region=REGION))
        assert "quiet" not in str(found)

    def test_nothing_secret_is_logged(
        self, door: AwsDoor, stub: AwsStub, caplog: pytest.LogCaptureFixture, aws_home: Path
    ) -> None:
        configured(aws_home, keys("jobs", "AKIAOFJOBS"))
        caplog.set_level(logging.INFO)
        ask(door, AwsOptions(profile="jobs", assume_role=ROLE, external_id="keep-this-quiet"))
        with stub.fault("Publish", Fault.FORBIDDEN):
            trouble(door, AwsOptions(profile="jobs"))
        assert "quiet" not in caplog.text

    def test_an_error_is_one_short_line(self, door: AwsDoor, stub: AwsStub) -> None:
        with stub.fault("Publish", AwsError("InvalidParameterException", "no\n\x1b[2Jforged " * 500, 400)):
            words = str(trouble(door))
        assert "\n" not in words
        assert "\x1b" not in words
        assert len(words) < 600

    @pytest.mark.parametrize(
        ("service", "fault", "advice"),
        [
            ("glue", Fault.SKEWED, "clock"),
            ("sns", Fault.SKEWED, "clock"),
            ("glue", Fault.EXPIRED, "renew or correct them"),
            ("sns", Fault.UNKNOWN_CLIENT, "renew or correct them"),
            ("glue", Fault.FORBIDDEN, "allow this role the call"),
            ("sns", Fault.FORBIDDEN, "allow this role the call"),
        ],
        ids=lambda value: value.name if isinstance(value, Fault) else value,
    )
    def test_it_is_said_what_to_do(self, door: AwsDoor, stub: AwsStub, service: str, fault: Fault, advice: str) -> None:
        with stub.fault("*", fault):
            assert advice in str(trouble(door, service=service))


def test_half_an_answer_is_no_answer(door_to: Doors) -> None:
    with RawServer(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<half")) as server:
        found = trouble(door_to(endpoint=server.url, region=REGION))
    assert (found.done, found.category) == (None, TRANSIENT)
