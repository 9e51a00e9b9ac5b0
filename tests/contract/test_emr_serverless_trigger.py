"""The EMR Serverless trigger keeps the laws of the port: against the scripted AWS, and against Moto where all goes well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from tests.contract.aws_bench import AwsBench, word
from tests.servers.aws_emr_serverless import APPLICATION, ROLE
from tests.servers.aws_stub import AwsStub
from tests.servers.moto import MotoServer

from interlock.clients.aws import AwsDoor, AwsOptions
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.remote_triggers import RemoteBench, RemoteTriggerContract
from interlock.testing.conformance.triggers import TIMEOUT, Kind, a_job, the_end
from interlock.triggers.context import TriggerContext
from interlock.triggers.emr_serverless import EmrServerlessConfig, EmrServerlessTrigger, JobDriver, SparkSubmit

pytestmark = pytest.mark.enable_socket


def config_of(application: str, kind: Kind) -> EmrServerlessConfig:
    spark = SparkSubmit(entry_point="s3://jobs/load.py", entry_point_arguments=(word(kind),))
    return EmrServerlessConfig(
        application_id=application,
        job_name="load-sales",
        execution_role_arn=ROLE,
        job_driver=JobDriver(spark_submit=spark),
    )


class EmrServerlessBench(AwsBench):
    type = "emr-serverless"
    service = "emr-serverless"
    start = "StartJobRun"
    looks = ("GetJobRun", "ListJobRuns")
    stops = ("CancelJobRun",)
    trigger_type = EmrServerlessTrigger

    def config(self, kind: Kind) -> EmrServerlessConfig:
        return config_of(APPLICATION, kind)


@pytest.fixture
def scripted(aws_stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmrServerlessBench]:
    bench = EmrServerlessBench(aws_stub, monkeypatch)
    yield bench
    bench.close()


class TestEmrServerlessTrigger(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, scripted: EmrServerlessBench) -> RemoteBench:
        return scripted


def test_a_job_is_found_however_many_came_after_it(scripted: EmrServerlessBench) -> None:
    """A search reads every page, and what merely begins alike is not taken for it."""
    scripted.stub.emr_serverless.page_size = 2
    trigger = scripted.trigger(Kind.LINGERS)
    first = trigger.start(a_job(), timeout=TIMEOUT)
    for attempt in range(2, 12):
        trigger.start(a_job(attempt=attempt), timeout=TIMEOUT)
    assert trigger.find(a_job(), timeout=TIMEOUT) == first
    assert trigger.find(a_job(attempt=12), timeout=TIMEOUT) is Absent.CERTAINLY
    assert len(scripted.stub.called("ListJobRuns")) > 6


def test_a_start_with_another_request_under_the_same_key_joins_what_was_started(scripted: EmrServerlessBench) -> None:
    """The service minds that the request has changed; the job that was started under the key is still this one's."""
    first = scripted.trigger(Kind.SUCCEEDS).start(a_job(), timeout=TIMEOUT)
    again = scripted.trigger(Kind.LINGERS).start(a_job(), timeout=TIMEOUT)
    assert again == first
    assert scripted.starts() == 1


def test_a_job_of_another_region_and_application_is_still_looked_at_and_cancelled(scripted: EmrServerlessBench) -> None:
    """T-23: what was started under an earlier configuration goes on under it."""
    handle = scripted.trigger(Kind.LINGERS).start(a_job(), timeout=TIMEOUT)
    moved = EmrServerlessConfig(
        application_id="elsewhere",
        job_name="other",
        execution_role_arn=ROLE,
        job_driver=JobDriver(spark_submit=SparkSubmit(entry_point="s3://jobs/other.py")),
        region="us-west-2",
    )
    trigger = EmrServerlessTrigger(moved, scripted.context)
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
    trigger.cancel(a_job(), handle, timeout=TIMEOUT)
    assert the_end(trigger, a_job(), handle).state is JobState.FAILED
    assert {call.region for call in scripted.stub.calls} == {"eu-central-1"}


class TestOnMoto:
    """A server that knows botocore's own model takes what is sent."""

    def test_a_job_run_is_started_seen_found_and_may_be_cancelled_too_late(
        self, moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
            monkeypatch.setenv(f"AWS_{name}", value)
        client = boto3.client("emr-serverless", **moto_server.client_options)
        made = client.create_application(name="sales", releaseLabel="emr-7.5.0", type="SPARK", clientToken="t")
        client.start_application(applicationId=made["applicationId"])
        client.close()
        door = AwsDoor(AwsOptions(endpoint=moto_server.url, region=moto_server.region))
        context = TriggerContext(state_dir=Path("/"), root=Path("/"), aws=door)
        trigger = EmrServerlessTrigger(config_of(made["applicationId"], Kind.SUCCEEDS), context)
        try:
            handle = trigger.start(a_job(), timeout=TIMEOUT)
            assert the_end(trigger, a_job(), handle).state is JobState.SUCCEEDED
            found = trigger.find(a_job(), timeout=TIMEOUT)
            assert isinstance(found, JobHandle)
            assert found.id == handle.id
            assert trigger.find(a_job(attempt=2), timeout=TIMEOUT) is Absent.CERTAINLY
            trigger.cancel(a_job(), handle, timeout=TIMEOUT)
        finally:
            door.close()
