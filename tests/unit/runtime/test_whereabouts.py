"""A text that changes when the same configuration would start a job somewhere else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.clients.aws import AwsDoor, AwsOptions
from interlock.codec.documents import document
from interlock.core.ids import RunKey
from interlock.core.pipelines import TriggerSpec
from interlock.ports.triggers import Job, place_of
from interlock.runtime.measured import MeasuredTrigger
from interlock.runtime.triggers import TriggerFactory
from interlock.runtime.wiring import LazyHttp
from interlock.telemetry.several import Several
from interlock.testing.builders import a_slot
from interlock.triggers.context import TriggerContext

JOB = Job(run=RunKey(a_slot()), attempt=1, key="k")
HTTP: dict[str, object] = {
    "url": "https://${env:HOST}/start?day={{date}}",
    "headers": {"authorization": "Bearer ${env:TOKEN}"},
    "body": {"tellMe": "{{callback_url}}"},
    "secret": "${secret:signing}",
}


def _http(*, secret: str = "sesame", public: str = "https://me.example", **env: str) -> str:
    context = TriggerContext(
        state_dir=Path("/"),
        root=Path("/"),
        env_allow=("HOST", "TOKEN"),
        http=LazyHttp(()),
        public_url=public,
        now=lambda: datetime(2026, 3, 7, tzinfo=UTC),
    )
    given = {"HOST": "a.example", "TOKEN": "t-1"} | env
    factory = TriggerFactory(context, given, {"signing": secret}, lambda: "a-store")
    trigger = factory(TriggerSpec(type="http", config=document(HTTP)), JOB)
    return place_of(MeasuredTrigger(trigger, "http", Several(())))


def _glue(aws: AwsOptions, **config: object) -> str:
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), aws=AwsDoor(aws))
    spec = TriggerSpec(type="glue", config=document({"jobName": "sales", **config}))
    return place_of(TriggerFactory(context, {}, {}, lambda: "a-store")(spec, JOB))


def test_a_target_that_the_environment_names_is_another_place_when_that_changes() -> None:
    assert _http() == _http()
    assert _http(HOST="b.example") != _http()


def test_a_renewed_secret_and_a_server_that_has_moved_lead_nowhere_else() -> None:
    assert _http(TOKEN="t-2") == _http(secret="open") == _http(public="https://you.example") == _http()


@pytest.mark.parametrize(
    "other",
    [
        AwsOptions(region="us-east-1"),
        AwsOptions(region="eu-west-1", profile="test"),
        AwsOptions(region="eu-west-1", assume_role="arn:aws:iam::123456789012:role/other"),
        AwsOptions(region="eu-west-1", endpoint="http://127.0.0.1:4566"),
    ],
)
def test_another_region_or_account_of_the_project_is_another_place(other: AwsOptions) -> None:
    """G2: a job of the same name may be in both, and nothing of this run in the other one."""
    here = AwsOptions(region="eu-west-1")
    assert _glue(here) == _glue(here)
    assert _glue(other) != _glue(here)


def test_what_the_region_of_the_machine_is_counts_where_nothing_else_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    here = _glue(AwsOptions())
    assert here == _glue(AwsOptions(region="eu-west-1"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert _glue(AwsOptions()) != here
    assert _glue(AwsOptions(), region="eu-west-1") != here, "the pinned spec names it: another spec, another text"


def test_jobs_of_this_projects_own_are_in_one_place(tmp_path: Path) -> None:
    context = TriggerContext(state_dir=tmp_path, root=tmp_path)
    spec = TriggerSpec(type="command", config=document({"command": "true"}))
    assert place_of(TriggerFactory(context, {}, {}, lambda: "a-store")(spec, JOB)) == ""
