"""Moto does what the tests of EMR Serverless expect of it, and is a skip where it is not installed."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from tests.servers.fixtures import have
from tests.servers.moto import MotoServer

pytestmark = [pytest.mark.service, pytest.mark.enable_socket]


def client(server: MotoServer) -> Any:
    return boto3.client("emr-serverless", **server.client_options)  # type: ignore[call-overload, unused-ignore]


def test_a_run_of_moto_succeeds_and_is_listed(moto_server: MotoServer) -> None:
    emr = client(moto_server)
    made = emr.create_application(type="SPARK", releaseLabel="emr-7.5.0", clientToken="application")
    begun = emr.start_job_run(
        applicationId=made["applicationId"],
        clientToken="first",
        executionRoleArn="arn:aws:iam::123456789012:role/job",
        jobDriver={"sparkSubmit": {"entryPoint": "s3://sales/job.py"}},
        name="daily-sales",
    )
    run = emr.get_job_run(applicationId=made["applicationId"], jobRunId=begun["jobRunId"])["jobRun"]
    assert (run["state"], run["name"]) == ("SUCCESS", "daily-sales")
    listed = emr.list_job_runs(applicationId=made["applicationId"])["jobRuns"]
    assert [each["id"] for each in listed] == [begun["jobRunId"]]


def test_a_reset_moto_knows_no_application() -> None:
    with have("moto", MotoServer) as server:
        emr = client(server)
        emr.create_application(type="SPARK", releaseLabel="emr-7.5.0", clientToken="application")
        assert len(emr.list_applications()["applications"]) == 1
        server.reset()
        assert emr.list_applications()["applications"] == []
