"""The EMR trigger keeps the laws of the port: against the scripted AWS, and against MiniStack."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from typing import Any

import boto3
import pytest
from tests.contract.aws_bench import AwsBench, on_ministack, word
from tests.servers.aws_emr import CLUSTER
from tests.servers.aws_errors import AwsError
from tests.servers.aws_faults import Fault
from tests.servers.aws_jobs import Behaviour
from tests.servers.aws_stub import AwsStub
from tests.servers.dynamodb import MiniStackServer

from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.remote_triggers import RemoteBench, RemoteTriggerContract
from interlock.testing.conformance.triggers import TIMEOUT, Kind, a_job, the_end
from interlock.triggers.context import TriggerContext
from interlock.triggers.emr import EmrConfig, EmrTrigger

pytestmark = pytest.mark.enable_socket

JAR = "command-runner.jar"


class EmrBench(AwsBench):
    type = "emr"
    service = "emr"
    start = "AddJobFlowSteps"
    looks = ("DescribeStep", "ListSteps")
    stops = ("CancelSteps",)
    trigger_type = EmrTrigger

    def config(self, kind: Kind) -> Any:
        return EmrConfig(cluster_id=CLUSTER, job_name="sales", command=JAR, args=("spark-submit", word(kind)))


@pytest.fixture
def scripted(aws_stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmrBench]:
    bench = EmrBench(aws_stub, monkeypatch)
    yield bench
    bench.close()


class TestEmrTrigger(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, scripted: EmrBench) -> RemoteBench:
        return scripted


def test_two_watchers_whose_starts_met_no_answer_find_the_same_step(scripted: EmrBench) -> None:
    with scripted.stub.fault("AddJobFlowSteps", Fault.LOST_ANSWER), pytest.raises(TriggerError):
        scripted.trigger(Kind.LINGERS).start(a_job(), timeout=TIMEOUT)
    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(scripted.trigger(Kind.LINGERS).find, a_job(), timeout=TIMEOUT) for _ in range(2)]
    one, other = (look.result() for look in looks)
    assert isinstance(one, JobHandle)
    assert one == other
    assert scripted.starts() == 1


def test_a_failed_step_says_why(scripted: EmrBench) -> None:
    behaviour = Behaviour(states=["PENDING", "RUNNING", "FAILED"], code="Main Class Error", error="no such class")
    scripted.stub.behave("emr", behaviour, where=word(Kind.FAILS))
    trigger = scripted.trigger(Kind.FAILS)
    report = the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))
    assert report.state is JobState.FAILED
    assert "FAILED: Main Class Error: no such class" in report.reason


@pytest.mark.parametrize("state", ["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_a_cluster_that_is_ending_takes_no_step(scripted: EmrBench, state: str) -> None:
    scripted.stub.emr.clusters[CLUSTER] = state
    with pytest.raises(TriggerError, match="not ending") as caught:
        scripted.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
    assert (caught.value.category, caught.value.started) == ("PERMANENT", False)


def test_a_step_of_a_cluster_that_has_ended_can_still_be_looked_at(scripted: EmrBench) -> None:
    trigger = scripted.trigger(Kind.LINGERS)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    scripted.stub.emr.clusters[CLUSTER] = "TERMINATED"
    scripted.stub.jobs("emr")[0].goes("INTERRUPTED")
    report = trigger.poll(a_job(), handle, timeout=TIMEOUT)
    assert (report.state, report.category) == (JobState.FAILED, "TRANSIENT")


def test_an_old_cluster_that_cannot_cancel_a_running_step_is_told_of(scripted: EmrBench) -> None:
    scripted.stub.behave("emr", Behaviour(kind=Kind.LINGERS, cancels=False), where=word(Kind.LINGERS))
    trigger = scripted.trigger(Kind.LINGERS)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    too_old = AwsError("InvalidRequestException", "Cancelling a running step needs release 5.28", 400)
    with scripted.stub.fault("CancelSteps", too_old), pytest.raises(TriggerError, match=r"release 5\.28"):
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)


def test_a_search_among_ten_thousand_steps_finds_the_oldest_or_says_that_it_had_no_time(scripted: EmrBench) -> None:
    trigger = scripted.trigger(Kind.SUCCEEDS)
    first = trigger.start(a_job(), timeout=TIMEOUT)
    step = {"ClusterId": CLUSTER, "HadoopJarStep": {"Jar": JAR}}
    with scripted.stub.lock:
        for number in range(10_000):
            scripted.stub.emr.shelf.put(f"s-{number}", f"other [{number}]", step, Behaviour())
    found = trigger.find(a_job(), timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert found.id == first.id
    began = monotonic()
    assert trigger.find(a_job("never"), timeout=timedelta(seconds=0.2)) is Absent.UNKNOWN
    assert monotonic() - began < 3


@pytest.mark.service
class TestOnMiniStack:
    """A server of another make takes what is sent."""

    @pytest.fixture
    def context(self, ministack_server: MiniStackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TriggerContext]:
        client = boto3.client("emr", **ministack_server.client_options)
        instances = {"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}
        self.cluster = client.run_job_flow(Name="sales", ReleaseLabel="emr-7.0.0", Instances=instances)["JobFlowId"]
        client.close()
        with on_ministack(ministack_server, monkeypatch) as context:
            yield context

    def made(self, context: TriggerContext, cluster: str) -> EmrTrigger:
        config = EmrConfig(
            cluster_id=cluster,
            job_name="sales",
            command=JAR,
            arguments={"day": "2026-03-07"},
            properties={"a": "1"},
            main_class="com.example.Sales",
        )
        return EmrTrigger(config, context)

    def test_a_step_is_added_found_and_seen_to_succeed(self, context: TriggerContext) -> None:
        trigger = self.made(context, self.cluster)
        assert trigger.find(a_job(), timeout=TIMEOUT) is Absent.CERTAINLY
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert trigger.find(a_job(), timeout=TIMEOUT) == handle
        assert the_end(trigger, a_job(), handle).state is JobState.SUCCEEDED
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)

    def test_a_cluster_that_is_not_there_takes_no_step(self, context: TriggerContext) -> None:
        with pytest.raises(TriggerError, match="clusterId") as caught:
            self.made(context, "j-NOBODYS").start(a_job(), timeout=TIMEOUT)
        assert (caught.value.category, caught.value.started) == ("PERMANENT", False)
