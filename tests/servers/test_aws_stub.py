"""The scripted AWS is one that botocore believes, and it fails exactly as it is told."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from tests.servers.aws_answers import NotInModel, answer
from tests.servers.aws_emr import CLUSTER
from tests.servers.aws_emr_serverless import APPLICATION
from tests.servers.aws_errors import REGION, AwsError, failure
from tests.servers.aws_faults import Fault
from tests.servers.aws_glue import JOB
from tests.servers.aws_lambda import FUNCTION
from tests.servers.aws_s3 import BUCKET
from tests.servers.aws_secrets import SECRET
from tests.servers.aws_sns import TOPIC
from tests.servers.aws_states import MACHINE
from tests.servers.aws_stub import ACCESS_KEY, AwsStub

pytestmark = pytest.mark.enable_socket
PATIENCE = 20.0
# One call of each service.
CALLS: dict[str, Callable[[Any], Any]] = {
    "glue": lambda client: client.get_job_runs(JobName=JOB),
    "emr": lambda client: client.describe_cluster(ClusterId=CLUSTER),
    "emr-serverless": lambda client: client.list_job_runs(applicationId=APPLICATION),
    "stepfunctions": lambda client: client.describe_state_machine(stateMachineArn=MACHINE),
    "lambda": lambda client: client.invoke(FunctionName=FUNCTION),
    "secretsmanager": lambda client: client.get_secret_value(SecretId=SECRET),
    "sts": lambda client: client.get_caller_identity(),
    "sns": lambda client: client.publish(TopicArn=TOPIC, Message="late"),
    "s3": lambda client: client.put_object(Bucket=BUCKET, Key="a/day 7.json", Body=b"{}"),
}
every_service = pytest.mark.parametrize("service", CALLS)


def begin(stub: AwsStub, **settings: Any) -> Any:
    return stub.client("glue", **settings).start_job_run(JobName=JOB)


class TestFaults:
    @every_service
    def test_a_call_is_answered_and_recorded(self, aws_stub: AwsStub, service: str) -> None:
        answered = CALLS[service](aws_stub.client(service))
        (call,) = aws_stub.calls
        assert (call.service, call.region, call.access_key, call.token) == (service, REGION, ACCESS_KEY, None)
        assert answered["ResponseMetadata"]["RequestId"] == call.request_id
        assert call.headers["user-agent"].startswith("Boto3")

    @every_service
    @pytest.mark.parametrize(
        "fault", [Fault.THROTTLED, Fault.EXPIRED, Fault.UNKNOWN_CLIENT, Fault.FORBIDDEN, Fault.SKEWED]
    )
    def test_refusals_are_worded_as_each_service_does(self, aws_stub: AwsStub, service: str, fault: Fault) -> None:
        words = {
            Fault.THROTTLED: {"ThrottlingException", "TooManyRequestsException", "Throttling", "SlowDown"},
            Fault.EXPIRED: {"ExpiredTokenException", "ExpiredToken"},
            Fault.UNKNOWN_CLIENT: {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"},
            Fault.FORBIDDEN: {"AccessDeniedException", "AccessDenied", "AuthorizationError"},
            Fault.SKEWED: {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"},
        }
        with aws_stub.fault("*", fault):
            code, status = failure(lambda: CALLS[service](aws_stub.client(service)))
        assert code in words[fault]
        assert 400 <= status < 500 or code == "SlowDown"
        assert not any((aws_stub.functions.invocations, aws_stub.sns.messages, aws_stub.s3.objects))

    @every_service
    def test_a_broken_service_says_so_in_its_protocol(self, aws_stub: AwsStub, service: str) -> None:
        client = aws_stub.client(service)
        with aws_stub.fault("*", Fault.BROKEN):
            code, status = failure(lambda: CALLS[service](client))
        assert (code[:8], status) in {("Internal", 500), ("ServiceE", 500)}
        with aws_stub.fault("*", Fault.UNAVAILABLE):
            assert failure(lambda: CALLS[service](client)) == ("503", 503)
        assert CALLS[service](client)["ResponseMetadata"]["HTTPStatusCode"] < 300

    @every_service
    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            (Fault.LOST_REQUEST, ConnectionClosedError),
            (Fault.LOST_ANSWER, ConnectionClosedError),
            (Fault.FROZEN, ReadTimeoutError),
        ],
    )
    def test_no_answer_comes(self, aws_stub: AwsStub, service: str, fault: Fault, error: type[Exception]) -> None:
        with aws_stub.fault("*", fault) as script:
            with pytest.raises(error):
                CALLS[service](aws_stub.client(service, read_timeout=0.05 if fault is Fault.FROZEN else PATIENCE))
            assert script.arrived.wait(PATIENCE)
        assert script.struck == 1

    @pytest.mark.parametrize(
        ("fault", "acts"),
        [
            *((fault, True) for fault in (Fault.LOST_ANSWER, Fault.GARBAGE, Fault.NONSENSE, Fault.HOLLOW)),
            *((fault, False) for fault in (Fault.LOST_REQUEST, Fault.BROKEN, Fault.UNAVAILABLE, Fault.THROTTLED)),
            (Fault.FROZEN, False),
        ],
    )
    def test_a_fault_acts_as_it_says_or_as_the_test_does(self, aws_stub: AwsStub, fault: Fault, acts: bool) -> None:
        for expected, wish in ((acts, None), (True, True), (False, False)):
            before = aws_stub.starts("glue")
            with aws_stub.fault("StartJobRun", fault, acts=wish) as script:
                try:
                    heard = begin(aws_stub, read_timeout=0.05 if fault is Fault.FROZEN else PATIENCE)
                except Exception:
                    heard = {}
                assert script.arrived.wait(PATIENCE)
            assert "JobRunId" not in heard
            assert aws_stub.starts("glue") - before == expected

    @pytest.mark.parametrize("fault", [Fault.TORN, Fault.NONSENSE, Fault.HOLLOW])
    def test_an_answer_that_cannot_be_read_as_json_is_an_empty_one_to_botocore(
        self, aws_stub: AwsStub, fault: Fault
    ) -> None:
        with aws_stub.fault("StartJobRun", fault):
            assert set(begin(aws_stub)) == {"ResponseMetadata"}
        assert aws_stub.starts("glue") == 1

    def test_a_torn_answer_breaks_off(self, aws_stub: AwsStub) -> None:
        with aws_stub.fault("Invoke", Fault.TORN), pytest.raises(ResponseStreamingError):
            aws_stub.client("lambda").invoke(FunctionName=FUNCTION)["Payload"].read()
        with pytest.raises(ValueError, match="carried out"):
            aws_stub.fault("Invoke", Fault.TORN, acts=False)

    def test_bytes_that_are_no_text_are_no_error_of_botocore(self, aws_stub: AwsStub) -> None:
        with aws_stub.fault("*", Fault.GARBAGE), pytest.raises(UnicodeDecodeError):
            begin(aws_stub)

    def test_a_frozen_call_goes_on_when_it_is_released(self, aws_stub: AwsStub) -> None:
        with aws_stub.fault("StartJobRun", Fault.FROZEN) as script, ThreadPoolExecutor(1) as pool:
            call = pool.submit(begin, aws_stub)
            assert script.arrived.wait(PATIENCE)
            assert aws_stub.starts("glue") == 0
            script.release()
            assert call.result(PATIENCE)["JobRunId"]
        assert aws_stub.starts("glue") == 1

    def test_a_frozen_call_that_is_taken_back_never_happens(self, aws_stub: AwsStub) -> None:
        with ThreadPoolExecutor(1) as pool:
            with aws_stub.fault("StartJobRun", Fault.FROZEN) as script:
                call = pool.submit(begin, aws_stub)
                assert script.arrived.wait(PATIENCE)
            assert isinstance(call.exception(PATIENCE), ConnectionClosedError)
        assert aws_stub.starts("glue") == 0

    def test_a_caller_can_be_killed_between_the_act_and_the_answer(self, aws_stub: AwsStub) -> None:
        program = (
            "import boto3, sys\n"
            "boto3.client('glue', endpoint_url=sys.argv[1], region_name='eu-central-1', aws_access_key_id='a',"
            " aws_secret_access_key='b').start_job_run(JobName='daily-sales')"
        )
        with aws_stub.hold("StartJobRun") as hold:
            child = subprocess.Popen([sys.executable, "-c", program, aws_stub.url])
            try:
                assert hold.arrived.wait(PATIENCE)
                assert aws_stub.starts("glue") == 1
            finally:
                child.kill()
                child.wait()
        assert begin(aws_stub)["JobRunId"] != aws_stub.jobs("glue")[0].id

    def test_a_dripping_answer_comes_byte_by_byte(self, aws_stub: AwsStub) -> None:
        with aws_stub.fault("StartJobRun", Fault.DRIP) as script, ThreadPoolExecutor(1) as pool:
            with socket.create_connection(aws_stub.address, timeout=PATIENCE) as wire:
                wire.sendall(signed_start())
                assert [len(wire.recv(100)) for _ in range(3)] == [1, 1, 1]
            call = pool.submit(begin, aws_stub)
            script.release()
            assert call.result(PATIENCE)["JobRunId"]

    def test_a_fault_strikes_as_often_as_it_was_told(self, aws_stub: AwsStub) -> None:
        glue = aws_stub.client("glue")
        aws_stub.fault("GetJobRuns", Fault.THROTTLED, times=1, after=1, service="glue")
        aws_stub.fault("GetJobRuns", Fault.BROKEN, service="emr")
        CALLS["glue"](glue)
        assert failure(lambda: CALLS["glue"](glue)) == ("ThrottlingException", 400)
        CALLS["glue"](glue)
        assert len(aws_stub.called("GetJobRuns", "glue")) == 3

    def test_a_code_of_the_test_is_answered_with_the_status_of_the_model(self, aws_stub: AwsStub) -> None:
        client = aws_stub.client("lambda")
        with aws_stub.fault("Invoke", AwsError("EC2ThrottledException", "no addresses")):
            assert failure(lambda: client.invoke(FunctionName=FUNCTION)) == ("EC2ThrottledException", 502)
        with aws_stub.fault("Invoke", AwsError("Novel", status=418)):
            assert failure(lambda: client.invoke(FunctionName=FUNCTION)) == ("Novel", 418)

    def test_a_closed_stub_refuses_connections(self) -> None:
        with AwsStub() as stub:
            stub.fault("StartJobRun", Fault.FROZEN)
            with pytest.raises(ReadTimeoutError):
                begin(stub, read_timeout=0.05)
            stub.close()
            with pytest.raises(EndpointConnectionError):
                begin(stub)

    def test_the_date_of_an_answer_can_be_set(self, aws_stub: AwsStub) -> None:
        aws_stub.date = datetime(2026, 3, 7, 6, 0, tzinfo=UTC)
        headers = begin(aws_stub)["ResponseMetadata"]["HTTPHeaders"]
        assert headers["date"] == "Sat, 07 Mar 2026 06:00:00 GMT"


def signed_start(
    service: str = "glue", target: str = "AWSGlue.StartJobRun", body: str = '{"JobName": "daily-sales"}'
) -> bytes:
    """Return a request as it goes over the wire, signed by nobody in particular."""
    credential = f"AWS4-HMAC-SHA256 Credential=KEY/20260307/eu-central-1/{service}/aws4_request, SignedHeaders=host"
    lines = ["POST / HTTP/1.1", f"X-Amz-Target: {target}", "Content-Type: application/x-amz-json-1.1"]
    lines += [f"Authorization: {credential}, Signature=0", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


class TestModels:
    """Requests and answers that do not fit the models of botocore."""

    @pytest.mark.parametrize(
        ("request_", "complaint"),
        [
            (signed_start(body="{}"), "JobName"),
            (signed_start(body='{"JobName": 7}'), "JobName"),
            (signed_start(body='{"JobName": "daily-sales", "Argument": {}}'), "Argument"),
            (signed_start(body='{"JobName": "daily-sales", "WorkerType": "\\u0000"}'), "WorkerType"),
            (signed_start(body=f'{{"JobName": "{"x" * 256}"}}'), "over 255"),
            (signed_start(body='{"JobName": "daily-sales", "ExecutionClass": "CHEAP"}'), "ExecutionClass"),
            (signed_start(body="[]"), "not a JSON object"),
            (signed_start(target="AWSGlue.StartJobRunning"), "StartJobRunning"),
            (signed_start(target="AWSGlue.StartCrawler", body='{"Name": "x"}'), "StartCrawler"),
            (signed_start(target="AmazonGlue.StartJobRun"), "AmazonGlue"),
            (signed_start(service="batch"), "batch"),
            (signed_start(service="lambda"), "nothing at POST /"),
            (b"GET / HTTP/1.1\r\n\r\n", "not signed"),
        ],
    )
    def test_what_a_model_does_not_accept_is_refused_and_kept(
        self, aws_stub: AwsStub, request_: bytes, complaint: str
    ) -> None:
        with socket.create_connection(aws_stub.address, timeout=PATIENCE) as wire:
            wire.sendall(request_)
            heard = wire.recv(65536)
        assert heard.startswith(b"HTTP/1.1 400 ")
        assert b"ValidationException" in heard
        assert complaint in aws_stub.refused.pop()
        assert (aws_stub.starts("glue"), aws_stub.calls) == (0, [])

    def test_an_answer_that_does_not_fit_the_model_is_a_bug_here(self) -> None:
        wrongs: list[dict[str, Any]] = [{"JobRun": {"State": "RUNNING"}}, {"JobRun": {"Id": 7}}, {"JobRun": []}]
        for wrong in wrongs:
            with pytest.raises(NotInModel):
                answer("glue", "GetJobRun", wrong, "request")
