"""The Glue trigger keeps the laws of the port: against the scripted AWS, and against MiniStack."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import boto3
import pytest
from tests.contract.aws_bench import AwsBench, on_ministack, word
from tests.servers.aws_faults import Fault
from tests.servers.aws_glue import JOB
from tests.servers.aws_jobs import Behaviour
from tests.servers.aws_stub import AwsStub
from tests.servers.dynamodb import MiniStackServer

from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobHandle, JobState
from interlock.testing.conformance.remote_triggers import RemoteBench, RemoteTriggerContract
from interlock.testing.conformance.triggers import TIMEOUT, Kind, a_job, the_end
from interlock.triggers.glue import GlueConfig, GlueTrigger

pytestmark = pytest.mark.enable_socket

FAILS = Behaviour(kind=Kind.FAILS)


class GlueBench(AwsBench):
    type = "glue"
    service = "glue"
    start = "StartJobRun"
    looks = ("GetJobRun", "GetJobRuns", "GetJob")
    stops = ("BatchStopJobRun",)
    trigger_type = GlueTrigger

    def config(self, kind: Kind) -> Any:
        return GlueConfig(job_name=JOB, arguments={"kind": word(kind)})


@pytest.fixture
def scripted(aws_stub: AwsStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[GlueBench]:
    bench = GlueBench(aws_stub, monkeypatch)
    yield bench
    bench.close()


class TestGlueTrigger(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, scripted: GlueBench) -> RemoteBench:
        return scripted


def retried(scripted: GlueBench, *attempts: Behaviour, most: int) -> None:
    """Let a run fail, and Glue make these attempts of it by itself; `most` is what the job allows."""
    scripted.stub.glue.max_retries[JOB] = most
    scripted.stub.behave("glue", Behaviour(kind=Kind.FAILS, retries=attempts), where=word(Kind.FAILS))


def test_two_watchers_whose_starts_met_no_answer_find_the_same_run(scripted: GlueBench) -> None:
    with scripted.stub.fault("StartJobRun", Fault.LOST_ANSWER), pytest.raises(TriggerError):
        scripted.trigger(Kind.LINGERS).start(a_job(), timeout=TIMEOUT)
    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(scripted.trigger(Kind.LINGERS).find, a_job(), timeout=TIMEOUT) for _ in range(2)]
    one, other = (look.result() for look in looks)
    assert isinstance(one, JobHandle)
    assert one == other
    assert scripted.starts() == 1


def test_a_run_that_glue_begins_again_is_followed_to_its_end(scripted: GlueBench) -> None:
    retried(scripted, Behaviour(states=["RUNNING", "SUCCEEDED"]), most=1)
    trigger = scripted.trigger(Kind.FAILS)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
    again = scripted.stub.jobs("glue")[-1]
    assert again.id == f"{handle.id}_attempt_1"
    again.goes("SUCCEEDED")
    assert the_end(trigger, a_job(), handle).state is JobState.SUCCEEDED


def test_a_run_found_after_a_crash_is_the_newest_of_glue_s_attempts(scripted: GlueBench) -> None:
    retried(scripted, FAILS, Behaviour(kind=Kind.LINGERS), most=2)
    first = scripted.trigger(Kind.FAILS).start(a_job(), timeout=TIMEOUT)
    found = scripted.trigger(Kind.FAILS).find(a_job(), timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert found.id == f"{first.id}_attempt_2"
    assert scripted.trigger(Kind.FAILS).poll(a_job(), found, timeout=TIMEOUT).state is JobState.RUNNING


def test_a_run_fails_when_glue_s_attempts_are_used_up(scripted: GlueBench) -> None:
    retried(scripted, FAILS, most=1)
    trigger = scripted.trigger(Kind.FAILS)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    report = trigger.poll(a_job(), handle, timeout=TIMEOUT)
    assert report.state is JobState.FAILED
    assert "(Glue's own retry 1)" in report.reason


def test_a_run_that_glue_may_begin_again_is_waited_for_by_the_clock_of_aws(scripted: GlueBench) -> None:
    scripted.stub.glue.max_retries[JOB] = 1
    trigger = scripted.trigger(Kind.FAILS)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
    scripted.stub.date = datetime.now(UTC) + timedelta(minutes=11)
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.FAILED


def test_stopping_reaches_the_attempt_that_is_under_way(scripted: GlueBench) -> None:
    retried(scripted, Behaviour(kind=Kind.LINGERS), most=1)
    trigger = scripted.trigger(Kind.FAILS)
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    trigger.cancel(a_job(), handle, timeout=TIMEOUT)
    assert scripted.stub.jobs("glue")[-1].state == "STOPPED"
    assert the_end(trigger, a_job(), handle).category == "PERMANENT"


def test_a_job_that_runs_as_often_as_it_may_is_tried_again_later(scripted: GlueBench) -> None:
    scripted.stub.glue.limit = 1
    scripted.trigger(Kind.LINGERS).start(a_job(), timeout=TIMEOUT)
    with pytest.raises(TriggerError) as caught:
        scripted.trigger(Kind.LINGERS).start(a_job("other"), timeout=TIMEOUT)
    assert (caught.value.category, caught.value.started) == ("TRANSIENT", False)
    assert scripted.starts() == 1


def test_a_search_among_ten_thousand_runs_finds_the_oldest_or_says_that_it_had_no_time(scripted: GlueBench) -> None:
    trigger = scripted.trigger(Kind.SUCCEEDS)
    first = trigger.start(a_job(), timeout=TIMEOUT)
    with scripted.stub.lock:
        shelf = scripted.stub.glue.shelf
        for number in range(10_000):
            shelf.put(f"jr_{number}", JOB, {"JobName": JOB, "Arguments": {"--interlock-key": f"other/{number}"}}, FAILS)
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
    def trigger(self, ministack_server: MiniStackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[GlueTrigger]:
        client = boto3.client("glue", **ministack_server.client_options)
        job = ministack_server.fresh_table()
        role = "arn:aws:iam::123456789012:role/glue"
        client.create_job(Name=job, Role=role, Command={"Name": "glueetl", "ScriptLocation": "s3://code/sales.py"})
        client.close()
        config = GlueConfig(
            job_name=job, arguments={"day": "2026-03-07"}, worker_type="G.1X", number_of_workers=2, job_timeout=5
        )
        with on_ministack(ministack_server, monkeypatch) as self.context:
            yield GlueTrigger(config, self.context)

    def test_a_run_is_started_found_and_seen_to_succeed(self, trigger: GlueTrigger) -> None:
        assert trigger.find(a_job(), timeout=TIMEOUT) is Absent.CERTAINLY
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        assert trigger.find(a_job(), timeout=TIMEOUT) == handle
        assert the_end(trigger, a_job(), handle).state is JobState.SUCCEEDED
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)

    @pytest.mark.usefixtures("trigger")
    def test_a_job_that_is_not_there_is_refused(self) -> None:
        trigger = GlueTrigger(GlueConfig(job_name="nobody-s"), self.context)
        with pytest.raises(TriggerError, match="correct `jobName`") as caught:
            trigger.start(a_job(), timeout=TIMEOUT)
        assert (caught.value.category, caught.value.started) == ("PERMANENT", False)
