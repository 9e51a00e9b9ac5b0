"""What the jobs of a project need outside of this machine is looked for, and none of it is touched."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.servers.aws_errors import REGION
from tests.servers.aws_stub import AwsStub
from tests.servers.databricks_stub import DatabricksStub
from tests.unit.clients.rawserver import RawServer
from tests.unit.config.projects import DATA, loaded

from interlock.runtime.examination import Finding
from interlock.runtime.outlook import examine_outside
from interlock.testing.builders import NOON

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "keep-this-quiet"}
PIPELINE = """\
name: orders
archetype: batch-ingestion
traits:
  source-freshness: {evaluator: push}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", *KEYS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    root = tmp_path / "project"
    (root / "pipelines").mkdir(parents=True)
    shutil.copytree(DATA / "good" / "archetypes", root / "archetypes")
    return root


def found(root: Path, project: str, trigger: str, env: Mapping[str, str] | None = None) -> dict[str, Finding]:
    (root / "interlock.yaml").write_text(project)
    (root / "pipelines/orders.yaml").write_text(f"{PIPELINE}trigger: {{{trigger}}}\n")
    return {finding.name: finding for finding in examine_outside(loaded(root), NOON, env or {})}


def outcomes(findings: Mapping[str, Finding]) -> dict[str, str]:
    return {name: str(finding.outcome) for name, finding in findings.items()}


def test_jobs_of_this_machine_need_nothing_outside(root: Path) -> None:
    assert found(root, "provider: sqlite\n", "type: command, command: 'true'") == {}


def test_each_secret_that_cannot_be_had_is_named_and_none_is_shown(root: Path) -> None:
    (root / "token").write_text("keep-this-quiet\n")
    project = "secrets: {good: {file: token}, gone: {file: gone}, unset: {env: UNSET}}\n"
    told = found(root, project, "type: command, command: 'true'")
    assert outcomes(told) == {"secrets": "fail"}
    assert "'gone'" in told["secrets"].message
    assert "UNSET is not set" in told["secrets"].message
    assert "'good'" not in told["secrets"].message
    assert "quiet" not in told["secrets"].message


def test_a_trigger_that_could_not_be_made_now_is_told_with_its_pipeline(root: Path) -> None:
    told = found(root, "env: {allow: [NAME]}\n", "type: lambda, region: eu-west-1, functionName: '${env:NAME}'")
    assert outcomes(told) == {"jobs": "fail"}
    assert "orders: " in told["jobs"].message
    assert "${env:NAME}: the variable is not set" in told["jobs"].message


@pytest.mark.enable_socket
class TestAws:
    def test_it_is_said_as_whom_aws_is_asked_and_no_job_is_touched(self, root: Path) -> None:
        with AwsStub() as stub:
            told = found(
                root, f"aws: {{region: {REGION}, endpoint: '{stub.url}'}}\n", "type: glue, jobName: daily-sales"
            )
            assert outcomes(told) == {"jobs": "ok", "aws": "ok"}
            assert told["aws"].message == f"asked as arn:aws:iam::123456789012:user/tests in {REGION}"
            assert [call.operation for call in stub.calls] == ["GetCallerIdentity"]

    def test_the_region_of_an_arn_is_enough(self, root: Path) -> None:
        with AwsStub() as stub:
            arn = f"arn:aws:states:{REGION}:123456789012:stateMachine:daily"
            told = found(root, f"aws: {{endpoint: '{stub.url}'}}\n", f"type: step-function, stateMachineArn: '{arn}'")
        assert told["aws"].message.endswith(f" in {REGION}")

    def test_each_account_is_asked_once(self, root: Path) -> None:
        with AwsStub() as stub:
            (root / "pipelines/more.yaml").write_text(
                PIPELINE.replace("orders", "more") + "trigger: {type: glue, jobName: more}\n"
            )
            found(root, f"aws: {{region: {REGION}, endpoint: '{stub.url}'}}\n", "type: glue, jobName: daily-sales")
            assert len(stub.called("GetCallerIdentity")) == 1


def test_without_credentials_nobody_is_asked(root: Path) -> None:
    told = found(root, "aws: {region: eu-west-1}\n", "type: glue, jobName: daily-sales")
    assert outcomes(told) == {"jobs": "ok", "aws": "fail"}
    assert "Unable to locate credentials" in told["aws"].message


def test_without_a_region_it_is_said_where_to_name_one(root: Path) -> None:
    told = found(root, "provider: sqlite\n", "type: glue, jobName: daily-sales")
    assert "aws.region" in told["aws"].advice


@pytest.mark.enable_socket
class TestHosts:
    def test_a_host_that_answers_is_fine_and_hears_no_credentials(self, root: Path) -> None:
        project = "secrets: {token: {env: TOKEN}}\nnetwork: {allow: [loopback]}\n"
        with DatabricksStub() as stub:
            trigger = f"type: databricks, workspaceUrl: '{stub.url}', jobId: 1, token: '${{secret:token}}'"
            told = found(root, project, trigger, {"TOKEN": "keep-this-quiet"})
            assert outcomes(told) == {"secrets": "ok", "jobs": "ok", "hosts": "ok"}
            assert (stub.starts(), stub.issued) == (0, [])

    def test_a_host_that_is_closed_to_the_project_fails(self, root: Path) -> None:
        told = found(root, "provider: sqlite\n", "type: http, url: 'http://10.1.2.3/start'")
        assert outcomes(told) == {"jobs": "ok", "hosts": "fail"}
        assert "network.allow" in told["hosts"].advice

    def test_a_host_that_is_down_is_a_warning(self, root: Path) -> None:
        with RawServer(lambda peer, request: None) as server:
            gone = server.url
        told = found(root, "network: {allow: [loopback]}\n", f"type: airflow, url: '{gone}', dagID: daily")
        assert outcomes(told) == {"jobs": "ok", "hosts": "warn"}
        assert "refused" in told["hosts"].message
