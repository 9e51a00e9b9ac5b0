"""Alerts and ends of runs reach SNS and S3 out of a real `interlock`, by the outbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cli import Said, a_project, interlock
from tests.servers import aws_s3, aws_sns
from tests.servers.aws_errors import ACCOUNT, REGION
from tests.servers.aws_faults import Fault
from tests.servers.aws_stub import AwsStub

pytestmark = pytest.mark.enable_socket
ENDS = f"arn:aws:sns:{REGION}:{ACCOUNT}:pipeline-ends"


@pytest.fixture
def stub() -> Iterator[AwsStub]:
    with AwsStub() as made:
        made.sns.topics.add(ENDS)
        yield made
        assert made.refused == []


@pytest.fixture
def project(tmp_path: Path, stub: AwsStub) -> Path:
    root = a_project(tmp_path, job="exit 3", pipeline="retry: {maxAttempts: 1}\n")
    with (root / "interlock.yaml").open("a") as file:
        file.write(f"""\
  - {{type: sns, topicArn: "{aws_sns.TOPIC}", endpoint: "{stub.url}"}}
  - {{type: s3, bucketName: {aws_s3.BUCKET}, prefix: alerts/, region: {REGION}, endpoint: "{stub.url}"}}
lifecycle:
  - {{type: sns, topicArn: "{ENDS}", endpoint: "{stub.url}"}}
""")
    return root


def said(project: Path, *argv: str) -> Said:
    env = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "keep-this-quiet"}
    return interlock(*argv, cwd=project, env=env)


def messages(stub: AwsStub, topic: str) -> list[dict[str, Any]]:
    return [json.loads(one["Message"]) for one in stub.sns.messages if one["TopicArn"] == topic]


def kept(stub: AwsStub) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in stub.s3.objects.values()]


def test_alerts_test_reaches_a_topic_and_a_bucket(project: Path, stub: AwsStub) -> None:
    found = said(project, "alerts", "test")
    assert found.code == 0, found.err
    assert [one["notice"] for one in messages(stub, aws_sns.TOPIC)] == ["opened", "resolved"]
    assert [one["alertType"] for one in kept(stub)] == ["test", "test"]
    assert messages(stub, ENDS) == []


def test_a_run_that_fails_is_told_to_people_and_to_programs_once(project: Path, stub: AwsStub) -> None:
    assert said(project, "run", "orders").code == 4
    said(project, "watch", "--once")
    (alert,) = messages(stub, aws_sns.TOPIC)
    (end,) = messages(stub, ENDS)
    assert (alert["alertType"], alert["pipelineId"]) == ("run_failed", "orders")
    assert (end["eventType"], end["runId"]) == ("PIPELINE_FAILED", alert["runId"])
    assert [one["alertId"] for one in kept(stub)] == [alert["alertId"]]


def test_what_aws_says_no_to_is_told_without_secrets(project: Path, stub: AwsStub) -> None:
    with stub.fault("*", Fault.FORBIDDEN):
        found = said(project, "alerts", "test")
    assert found.code == 1
    assert "the SNS topic data-alerts: sns publish: AuthorizationError" in found.out + found.err
    assert "it needs s3:PutObject" in found.out + found.err
    assert "quiet" not in found.out + found.err
