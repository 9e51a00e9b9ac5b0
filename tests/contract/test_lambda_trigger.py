"""The Lambda trigger keeps those laws of the port that can be kept where nothing can be looked at but one answer."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from tests.contract.aws_bench import AwsBench, on_ministack
from tests.servers.aws_errors import REGION
from tests.servers.aws_faults import Fault as Scripted
from tests.servers.aws_lambda import Function
from tests.servers.aws_stub import ACCESS_KEY, AwsStub
from tests.servers.dynamodb import MiniStackServer

from interlock.clients.aws import AwsDoor, AwsOptions
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.remote_triggers import SECRET, Fault, RemoteBench, RemoteTriggerContract, Verb
from interlock.testing.conformance.triggers import TIMEOUT, Kind, TriggerBench, a_job, the_end
from interlock.triggers.context import TriggerContext
from interlock.triggers.lambda_function import LambdaConfig, LambdaTrigger

pytestmark = pytest.mark.enable_socket


class LambdaBench(AwsBench):
    can_find = False
    can_cancel = False
    type = "lambda"
    service = "lambda"
    start = "Invoke"
    looks = ()
    stops = ()
    trigger_type = LambdaTrigger
    idempotent = False

    def __init__(self, stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}-key")
        self.stub = stub
        self.options = AwsOptions(endpoint=stub.url, region=REGION)
        self.door = AwsDoor(self.options)
        self.context = TriggerContext(state_dir=Path("/"), root=Path("/"), aws=self.door)
        # What a function does follows from its name.
        raised = json.dumps({"errorMessage": "no rows", "errorType": "ValueError", "stackTrace": []}).encode()
        stub.functions.functions |= {
            Kind.SUCCEEDS.name: Function(payload=b'{"rows": 7}'),
            Kind.FAILS.name: Function(payload=raised, error="Unhandled"),
            # There is no answer while a function runs: in the laws that a lingering one may keep, this has just ended.
            Kind.LINGERS.name: Function(),
        }

    def config(self, kind: Kind) -> LambdaConfig:
        return LambdaConfig(function_name=kind.name, idempotent=self.idempotent)


class HeedingBench(LambdaBench):
    """Its functions heed the key: what they are asked twice they do once."""

    idempotent = True

    def starts(self) -> int:
        return len({one.event["interlock"]["key"] for one in self.stub.functions.invocations})


@pytest.fixture
def scripted(aws_stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaBench]:
    bench = LambdaBench(aws_stub, monkeypatch)
    yield bench
    bench.close()


class TestLambdaTrigger(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, scripted: LambdaBench) -> RemoteBench:
        return scripted

    def test_a_running_job_is_not_seen_to_end(self, bench: TriggerBench) -> None:
        """LAT-46: a function that runs longer than one may wait for it is in doubt, and no handle says that it runs."""
        assert isinstance(bench, LambdaBench)
        trigger = bench.trigger(Kind.LINGERS)
        trigger.start(a_job("another"), timeout=TIMEOUT)  # makes the client, which takes its time on a busy machine
        with bench.stub.hold("Invoke"), pytest.raises(TriggerError) as caught:
            trigger.start(a_job(), timeout=TIMEOUT / 20)
        assert (caught.value.started, caught.value.category) == (None, "TIMEOUT")
        assert "`startTimeout` longer than the function's own timeout" in str(caught.value)
        assert bench.starts() == 2

    @pytest.mark.parametrize("fault", list(Fault))
    def test_a_look_that_fails_is_neither_an_end_nor_a_loss(self, bench: RemoteBench, fault: Fault) -> None:
        """No look can fail: the outcome stands in the handle, and nobody is asked."""
        trigger = bench.trigger(Kind.SUCCEEDS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        with bench.broken(fault, Verb.ALL):
            assert bench.trigger(Kind.SUCCEEDS).poll(a_job(), handle, timeout=TIMEOUT).state is JobState.SUCCEEDED

    def test_a_vanished_job_is_said_to_have_vanished_and_not_to_have_ended(self, bench: RemoteBench) -> None:
        """T-22: Lambda cannot lose the job; a handle without the outcome has."""
        handle = bench.trigger(Kind.LINGERS).start(a_job(), timeout=TIMEOUT)
        report = bench.trigger(Kind.LINGERS).poll(a_job(), JobHandle(id=handle.id), timeout=TIMEOUT)
        assert report.state is JobState.VANISHED
        assert report.reason


class TestLambdaTriggerOfAFunctionThatHeedsTheKey(TestLambdaTrigger):
    @pytest.fixture
    def bench(self, aws_stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteBench]:
        bench = HeedingBench(aws_stub, monkeypatch)
        yield bench
        bench.close()


class TestAsynchronous:
    """Nothing is seen of such an invocation but that Lambda has taken it."""

    @pytest.fixture
    def trigger(self, scripted: LambdaBench) -> LambdaTrigger:
        self.stub = scripted.stub
        return LambdaTrigger(LambdaConfig(function_name="FAILS", invocation="async"), scripted.context)

    def test_it_goes_on_until_it_reports_its_own_end(self, trigger: LambdaTrigger) -> None:
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert handle.id
        assert not trigger.watchable
        assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
        (invocation,) = self.stub.functions.invocations
        assert invocation.kind == "Event"
        assert invocation.event["interlock"]["key"] == a_job().key

    def test_its_handle_says_so_to_a_process_configured_otherwise(
        self, trigger: LambdaTrigger, scripted: LambdaBench
    ) -> None:
        """T-23: what was started under an earlier configuration goes on under it."""
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        waiting = scripted.trigger(Kind.SUCCEEDS)
        assert waiting.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING

    @pytest.mark.parametrize("fault", [Scripted.LOST_ANSWER, Scripted.BROKEN, Scripted.GARBAGE, Scripted.FROZEN])
    def test_a_start_without_an_answer_is_in_doubt(self, trigger: LambdaTrigger, fault: Scripted) -> None:
        trigger.start(a_job("another"), timeout=TIMEOUT)  # makes the client, which takes its time on a busy machine
        with self.stub.fault("Invoke", fault, acts=True), pytest.raises(TriggerError) as caught:
            trigger.start(a_job(), timeout=TIMEOUT / 20 if fault is Scripted.FROZEN else TIMEOUT)
        assert caught.value.started is None
        assert trigger.find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN
        assert not trigger.repeatable


@pytest.mark.service
class TestOnMiniStack:
    """A server that runs functions takes what is sent, and runs them."""

    @pytest.fixture
    def context(self, ministack_server: MiniStackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TriggerContext]:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(
                "job.py",
                "def run(event, context):\n"
                "    if event['wanted'] == 'fail':\n"
                "        raise ValueError('no rows')\n"
                "    return {'statusCode': event['wanted'], 'key': event['interlock']['key']}\n",
            )
        client = boto3.client("lambda", **ministack_server.client_options)
        self.name = ministack_server.fresh_table()
        client.create_function(
            FunctionName=self.name,
            Runtime="python3.12",
            Handler="job.run",
            Role="arn:aws:iam::123456789012:role/jobs",
            Code={"ZipFile": packed.getvalue()},
        )
        client.close()
        with on_ministack(ministack_server, monkeypatch) as context:
            yield context

    @pytest.mark.parametrize(
        ("wanted", "state"), [(200, JobState.SUCCEEDED), (503, JobState.FAILED), ("fail", JobState.FAILED)]
    )
    def test_a_function_runs_and_its_answer_is_judged(
        self, context: TriggerContext, wanted: object, state: JobState
    ) -> None:
        """LAT-21."""
        trigger = LambdaTrigger(LambdaConfig(function_name=self.name, payload={"wanted": wanted}), context)
        report = the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))
        assert report.state is state
        assert ("no rows" in report.reason) == (wanted == "fail")

    def test_a_function_that_is_not_there_is_refused(self, context: TriggerContext) -> None:
        trigger = LambdaTrigger(LambdaConfig(function_name="nobody"), context)
        with pytest.raises(TriggerError) as caught:
            trigger.start(a_job(), timeout=TIMEOUT)
        assert (caught.value.started, caught.value.category) == (False, "PERMANENT")
