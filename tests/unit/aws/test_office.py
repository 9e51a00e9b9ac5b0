"""The office of a function: what it works with, for how long, and what becomes of a failure to make it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.aws.offices import compiled, deploy

from interlock.aws import office as offices
from interlock.aws.functions import named
from interlock.aws.office import ALERT_CHANNEL, FRESH, LIFECYCLE_CHANNEL, Office, office_of
from interlock.codec.documents import document
from interlock.config.project import SinkSpec
from interlock.errors import ConfigError, NotDeployed, StoreUnavailable
from interlock.stores.memory import MemoryKernel

TOPIC = "arn:aws:sns:eu-central-1:123456789012:"
GIVEN = {
    "TABLE_NAME": "interlock",
    "STATE_MACHINE_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:interlock-pipeline",
    "FAILURE_QUEUE_URL": "https://sqs.example/failures",
    "ALERT_TOPIC_ARN": f"{TOPIC}alerts",
    "LIFECYCLE_TOPIC_ARN": f"{TOPIC}lifecycle",
}


class Table(MemoryKernel):
    """A table that says how it was opened, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.read_only = False
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    found = Table()

    def opened(_options: object, *, read_only: bool) -> Table:
        found.read_only = read_only
        return found

    monkeypatch.setattr(offices, "DynamoKernel", opened)
    return found


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds have passed since the sandbox began; the last one counts."""
    seconds = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[-1])
    return seconds


@pytest.fixture
def office(table: Table, tmp_path: Path, passed: list[float]) -> Iterator[Office]:
    deploy(table, compiled(tmp_path / "project"))
    found = Office(named("orchestrator"), GIVEN)
    yield found
    found.close()


def closings(work: Any) -> list[str]:
    """Return a list that grows when a work is let go of."""
    found: list[str] = []
    plain = type(work).__exit__

    class Watched(type(work)):  # type: ignore[misc]
        def __exit__(self, *given: object) -> None:
            found.append("closed")
            plain(self, *given)

    work.__class__ = Watched
    return found


def test_one_look_at_the_deployment_is_good_for_a_while(office: Office, table: Table, passed: list[float]) -> None:
    work = office.work
    table.get = _unavailable  # type: ignore[method-assign, assignment]
    passed.append(passed[-1] + FRESH.total_seconds() - 1)
    assert office.work is work


def test_a_deployment_that_is_the_same_is_gone_by_as_it_was(office: Office, passed: list[float]) -> None:
    work = office.work
    passed.append(passed[-1] + FRESH.total_seconds())
    assert office.work is work


def test_a_new_deployment_counts_after_a_while_and_the_old_one_is_let_go_of(
    office: Office, table: Table, passed: list[float], tmp_path: Path
) -> None:
    old = office.work
    closed = closings(old)
    deploy(table, compiled(tmp_path / "other", default_timeout=timedelta(seconds=7)))
    assert office.work is old
    passed.append(passed[-1] + FRESH.total_seconds())
    assert office.work is not old
    assert closed == ["closed"]
    assert table.closed == 0


def test_a_deployment_that_cannot_be_looked_at_is_an_error_and_not_yesterdays(
    office: Office, table: Table, passed: list[float]
) -> None:
    work, plain = office.work, table.get
    passed.append(passed[-1] + FRESH.total_seconds())
    table.get = _unavailable  # type: ignore[method-assign, assignment]
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            _ = office.work
    table.get = plain  # type: ignore[method-assign]
    assert office.work is work


def test_without_a_deployment_there_is_no_work_until_there_is_one(table: Table, tmp_path: Path) -> None:
    """AWS-31."""
    office = Office(named("scheduler"), GIVEN)
    for _ in range(2):
        with pytest.raises(NotDeployed):
            _ = office.work
    deploy(table, compiled(tmp_path / "project"))
    assert "sales" in office.work.catalog.specs
    office.close()


def test_a_function_that_may_only_read_opens_the_table_so(table: Table) -> None:
    Office(named("evaluator"), GIVEN)
    assert table.read_only
    Office(named("trigger"), GIVEN)
    assert not table.read_only


def test_everybody_tells_the_deployments_own_topics(office: Office) -> None:
    """AWS-47: whichever function keeps an alert knows the same channels as the one that delivers it."""
    assert ALERT_CHANNEL in {channel.name for channel in office.work.hands.alerting.channels}
    assert LIFECYCLE_CHANNEL in {name for name, _ in office.work.hands.alerting.subscribers}


def test_the_projects_own_channels_stay_beside_the_deployments(table: Table, tmp_path: Path) -> None:
    ours = SinkSpec(name="ours", type="sns", config=document({"topicArn": f"{TOPIC}ours"}))
    deploy(table, compiled(tmp_path / "project", sinks=(ours,), lifecycle=(ours,)))
    office = Office(named("orchestrator"), GIVEN)
    alerting = office.work.hands.alerting
    assert {channel.name for channel in alerting.channels} == {"ours", ALERT_CHANNEL}
    assert {name for name, _ in alerting.subscribers} == {"ours", LIFECYCLE_CHANNEL}
    office.close()


def test_closing_lets_go_of_everything(table: Table, tmp_path: Path) -> None:
    deploy(table, compiled(tmp_path / "project"))
    office = Office(named("orchestrator"), GIVEN)
    closed = closings(office.work)
    office.close()
    assert (closed, table.closed) == (["closed"], 1)


def test_an_office_that_could_not_be_made_is_made_by_the_next_call(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS-31: one throttled call at a cold start does not poison the sandbox."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "interlock-orchestrator")
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    opened: list[bool] = []

    def hesitant(_options: object, *, read_only: bool) -> Table:
        opened.append(read_only)
        if len(opened) < 3:
            raise StoreUnavailable("the store did not answer")
        return table

    monkeypatch.setattr(offices, "DynamoKernel", hesitant)
    office = office_of(named("orchestrator"))
    assert len(opened) == 1
    with pytest.raises(StoreUnavailable):
        office()
    assert office() is office()
    assert len(opened) == 3
    office().close()


def test_elsewhere_nothing_is_opened_until_a_call_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    monkeypatch.delenv("TABLE_NAME", raising=False)
    office = office_of(named("orchestrator"))
    for _ in range(2):
        with pytest.raises(ConfigError, match="TABLE_NAME"):
            office()


def _unavailable(*_: object) -> Any:
    raise StoreUnavailable("the store did not answer")
