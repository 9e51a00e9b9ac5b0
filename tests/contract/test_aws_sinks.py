"""The sinks of AWS: their laws before a scripted AWS, and what they send at MiniStack, which routes it on."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from tests.servers import aws_s3, aws_sns
from tests.servers.aws_errors import REGION
from tests.servers.aws_faults import Fault
from tests.servers.aws_stub import AwsStub
from tests.servers.dynamodb import MiniStackServer
from tests.unit.sinks.stubs import nobody, rude_http

from interlock.clients.aws import AwsDoor, AwsOptions
from interlock.core.alerts import AlertLevel, AlertType
from interlock.ports.sinks import Sink
from interlock.sinks.context import SinkContext
from interlock.sinks.s3 import S3Config, S3Sink
from interlock.sinks.sns import SnsConfig, SnsSink
from interlock.testing.conformance.sinks import (
    TIMEOUT,
    Behaviour,
    RemoteSinkBench,
    RemoteSinkContract,
    a_notice,
    a_resolved_notice,
    an_alert,
    an_event,
)

pytestmark = pytest.mark.enable_socket
SOON = timedelta(seconds=10)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def stub(stack: ExitStack) -> Iterator[AwsStub]:
    made = stack.enter_context(AwsStub())
    yield made
    assert made.refused == []


@pytest.fixture
def context(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> SinkContext:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    door = AwsDoor(AwsOptions(region=REGION))
    stack.callback(door.close)
    return SinkContext(stream=io.StringIO(), root=Path("/"), aws=door)


class Bench:
    """A sink at the stub, and sinks at servers that are rude in every way; `make` takes an address."""

    def __init__(
        self, stack: ExitStack, stub: AwsStub, make: Callable[[str], Sink], read: Callable[[], list[str]]
    ) -> None:
        self._stack = stack
        self._stub = stub
        self._make = make
        self.received = read

    def sink(self) -> Sink:
        return self._make(self._stub.url)

    def broken(self) -> Sink:
        return self.behaving(Behaviour.IN_TROUBLE)

    def behaving(self, how: Behaviour) -> Sink:
        scripted = {
            Behaviour.IN_TROUBLE: Fault.BROKEN,
            Behaviour.OVERLOADED: Fault.THROTTLED,
            Behaviour.DECLINES: Fault.FORBIDDEN,
        }
        if how is Behaviour.REFUSES:
            return self._make(f"http://127.0.0.1:{nobody()}")
        if how in scripted:
            other = self._stack.enter_context(AwsStub())
            other.fault("*", scripted[how])
            return self._make(other.url)
        return self._make(self._stack.enter_context(rude_http(how)).url)


class TestSnsSink(RemoteSinkContract):
    topic = aws_sns.TOPIC
    format: Literal["json", "text"] = "json"

    @pytest.fixture
    def bench(self, stack: ExitStack, stub: AwsStub, context: SinkContext) -> RemoteSinkBench:
        def make(url: str) -> Sink:
            return SnsSink(SnsConfig(topic_arn=self.topic, message_format=self.format, endpoint=url), context)

        return Bench(stack, stub, make, lambda: [one["Message"] for one in stub.sns.messages])


class TestSnsSinkForPeople(TestSnsSink):
    format = "text"


class TestSnsSinkOfAFifoTopic(TestSnsSink):
    topic = aws_sns.FIFO_TOPIC

    def test_a_repeated_delivery_arrives_once(self, bench: RemoteSinkBench) -> None:
        for _ in range(2):
            bench.sink().deliver(a_notice(), timeout=TIMEOUT)
        assert len(bench.received()) == 1


class TestS3Sink(RemoteSinkContract):
    @pytest.fixture
    def bench(self, stack: ExitStack, stub: AwsStub, context: SinkContext) -> RemoteSinkBench:
        def make(url: str) -> Sink:
            return S3Sink(S3Config(bucket_name=aws_s3.BUCKET, prefix="alerts", endpoint=url), context)

        return Bench(stack, stub, make, lambda: [one.body.decode() for one in stub.s3.objects.values()])

    def test_a_repeated_delivery_changes_nothing(self, bench: RemoteSinkBench, stub: AwsStub) -> None:
        with stub.fault("PutObject", Fault.LOST_ANSWER, times=1), pytest.raises(Exception, match="closed"):
            bench.sink().deliver(a_notice(), timeout=TIMEOUT)
        bench.sink().deliver(a_notice(folded=(an_alert("a-2"),)), timeout=TIMEOUT)
        (arrived,) = bench.received()
        assert "folded" not in arrived


class TestAtMiniStack:
    """What MiniStack accepts and hands on; it reads requests by botocore's models, too."""

    @pytest.fixture
    def client(self, ministack_server: MiniStackServer, stack: ExitStack) -> Callable[[str], Any]:
        def make(service: str) -> Any:
            made = boto3.client(service, **ministack_server.client_options)  # type: ignore[call-overload, unused-ignore]
            stack.callback(made.close)
            return made

        return make

    @pytest.fixture
    def queued(
        self, client: Callable[[str], Any], ministack_server: MiniStackServer
    ) -> Callable[[str, dict[str, list[str]]], Callable[[], list[dict[str, Any]]]]:
        """Return what subscribes a queue to a topic by a filter policy, and then returns what it holds."""
        sns, sqs = client("sns"), client("sqs")

        def subscribe(topic: str, policy: dict[str, list[str]]) -> Callable[[], list[dict[str, Any]]]:
            suffix = ".fifo" if topic.endswith(".fifo") else ""
            fifo = {"FifoQueue": "true"} if suffix else {}
            url = sqs.create_queue(QueueName=ministack_server.fresh_table() + suffix, Attributes=fifo)["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)

            def read() -> list[dict[str, Any]]:
                found: list[dict[str, Any]] = []
                while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                    for message in messages:
                        found.append(json.loads(message["Body"]))
                        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return found

            return read

        return subscribe

    def test_subscriptions_get_what_their_filter_policies_ask_for(
        self,
        client: Callable[[str], Any],
        queued: Callable[..., Callable[[], list[dict[str, Any]]]],
        context: SinkContext,
        ministack_server: MiniStackServer,
    ) -> None:
        topic = client("sns").create_topic(Name=ministack_server.fresh_table())["TopicArn"]
        errors, drifts = queued(topic, {"level": ["error"]}), queued(topic, {"alertType": ["trait_drift"]})
        ends = queued(topic, {"eventType": ["PIPELINE_FAILED"]})
        sink = SnsSink(SnsConfig(topic_arn=topic, endpoint=ministack_server.url), context)
        sink.deliver(a_notice(), timeout=SOON)
        drift = an_alert("d-1", "rows dropped", alert_type=AlertType.TRAIT_DRIFT, level=AlertLevel.WARNING)
        sink.deliver(a_notice(alert=drift), timeout=SOON)
        sink.publish(an_event("PIPELINE_COMPLETED"), timeout=SOON)
        sink.publish(an_event("PIPELINE_FAILED"), timeout=SOON)
        assert [one["Subject"] for one in errors()] == ["[ERROR] daily-sales: the job failed"]
        (message,) = drifts()
        assert json.loads(message["Message"])["alertId"] == "d-1"
        assert [json.loads(one["Message"])["eventType"] for one in ends()] == ["PIPELINE_FAILED"]

    def test_a_fifo_topic_hands_on_in_order_and_once(
        self,
        client: Callable[[str], Any],
        queued: Callable[..., Callable[[], list[dict[str, Any]]]],
        context: SinkContext,
        ministack_server: MiniStackServer,
    ) -> None:
        name = ministack_server.fresh_table() + ".fifo"
        topic = client("sns").create_topic(Name=name, Attributes={"FifoTopic": "true"})["TopicArn"]
        read = queued(topic, {})
        sink = SnsSink(SnsConfig(topic_arn=topic, endpoint=ministack_server.url), context)
        for notice in (a_notice(), a_notice(), a_resolved_notice()):
            sink.deliver(notice, timeout=SOON)
        assert [json.loads(one["Message"])["notice"] for one in read()] == ["opened", "resolved"]

    def test_an_object_is_put_once(
        self, client: Callable[[str], Any], context: SinkContext, ministack_server: MiniStackServer
    ) -> None:
        s3, bucket = client("s3"), ministack_server.fresh_table()
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": ministack_server.region})
        sink = S3Sink(S3Config(bucket_name=bucket, prefix="/alerts/", endpoint=ministack_server.url), context)
        sink.deliver(a_notice(), timeout=SOON)
        sink.deliver(a_notice(folded=(an_alert("a-2"),)), timeout=SOON)
        sink.publish(an_event(), timeout=SOON)
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        assert len(keys) == 2
        (notice,) = (key for key in keys if "-error-" in key)
        found = s3.get_object(Bucket=bucket, Key=notice)
        assert notice.startswith("alerts/2026-03-07/daily-sales/")
        assert found["ContentType"] == "application/json"
        with found["Body"] as body:
            said = json.loads(body.read())
        assert said["noticeId"] == "a-1#1"
        assert "folded" not in said
