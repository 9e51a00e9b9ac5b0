from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.servers.databricks_runs import FAILS, LINGERS, SUCCEEDS
from tests.servers.databricks_stub import DatabricksStub

from interlock.clients.http import HttpClient
from interlock.ports.triggers import JobState, Trigger
from interlock.testing.conformance.remote_triggers import SECRET, Fault, RemoteBench, RemoteTriggerContract, Verb
from interlock.testing.conformance.triggers import TIMEOUT, Kind, a_job
from interlock.triggers.context import TriggerContext
from interlock.triggers.databricks import DatabricksTrigger
from interlock.triggers.databricks_config import DatabricksConfig

pytestmark = pytest.mark.enable_socket
SCRIPTS = {Kind.SUCCEEDS: SUCCEEDS, Kind.FAILS: FAILS, Kind.LINGERS: LINGERS}
JOBS = {Kind.SUCCEEDS: 101, Kind.FAILS: 102, Kind.LINGERS: 103}


class DatabricksBench:
    """A workspace that runs a job of its own for every kind, asked with a personal access token."""

    can_find = False
    can_cancel = True
    sees_vanished = True
    faults = frozenset(Fault) - {Fault.SKEWED}  # neither of its tokens is checked against our clock

    def __init__(self, stub: DatabricksStub, client: HttpClient) -> None:
        self.stub, self.client = stub, client
        stub.jobs = {JOBS[kind]: steps for kind, steps in SCRIPTS.items()}

    def config(self, kind: Kind) -> dict[str, Any]:
        return {"workspaceUrl": self.stub.url, "jobId": JOBS[kind], **self.credentials()}

    def credentials(self) -> dict[str, Any]:
        return {"token": self.stub.token, "headers": {"X-Team": f"key {SECRET}"}, "arguments": {"password": SECRET}}

    def trigger(self, kind: Kind) -> Trigger:
        context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=self.client)
        return DatabricksTrigger(msgspec.convert(self.config(kind), DatabricksConfig), context)

    def starts(self) -> int:
        return self.stub.starts()

    def broken(self, fault: Fault, verb: Verb) -> AbstractContextManager[None]:
        return self.stub.broken(fault, verb)

    def forget(self) -> None:
        self.stub.forget()

    def held(self, kind: Kind) -> AbstractContextManager[Callable[[], None]]:
        return self.stub.held()

    def child(self, kind: Kind) -> dict[str, Any]:
        return {"type": "databricks", "config": self.config(kind), "allow": ["127.0.0.1"]}


class SubmitBench(DatabricksBench):
    """Runs of their own, asked for by a service principal, with the newer API."""

    def __init__(self, stub: DatabricksStub, client: HttpClient) -> None:
        super().__init__(stub, client)
        stub.scripts = {kind.name: steps for kind, steps in SCRIPTS.items()}

    def config(self, kind: Kind) -> dict[str, Any]:
        task = {"task_key": kind.name, "notebook_task": {"notebook_path": "/Shared/work"}, "existing_cluster_id": "c-1"}
        return {"workspaceUrl": self.stub.url, "tasks": [task], "apiVersion": "2.2", **self.credentials()}

    def credentials(self) -> dict[str, Any]:
        return {"clientId": self.stub.client_id, "clientSecret": self.stub.client_secret}


@pytest.fixture
def stub() -> Iterator[DatabricksStub]:
    with DatabricksStub(token=f"dapi-{SECRET}", client_secret=f"dose-{SECRET}") as stub:
        yield stub


@pytest.fixture
def client() -> Iterator[HttpClient]:
    client = HttpClient(allow=["127.0.0.1"])
    yield client
    client.close()


class TestDatabricksRunNow(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, stub: DatabricksStub, client: HttpClient) -> RemoteBench:
        return DatabricksBench(stub, client)


class TestDatabricksSubmit(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, stub: DatabricksStub, client: HttpClient) -> RemoteBench:
        return SubmitBench(stub, client)

    def test_an_expired_token_in_the_middle_of_a_run_is_renewed(self, bench: RemoteBench, stub: DatabricksStub) -> None:
        """LAT-22: runs take longer than tokens last."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        stub.expire()
        assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
        stub.expire()
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)
        stub.expire()
        assert trigger.start(a_job(attempt=2), timeout=TIMEOUT).id != handle.id
        assert len(stub.issued) == 4
        assert stub.starts() == 2

    def test_a_look_without_a_token_is_neither_an_end_nor_a_loss(
        self, bench: RemoteBench, stub: DatabricksStub
    ) -> None:
        """AWS-15: the secret of the service principal was changed; the run goes on."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        stub.expire()
        right, stub.client_secret = stub.client_secret, "changed"
        report = trigger.poll(a_job(), handle, timeout=TIMEOUT)
        assert report.state is JobState.UNSEEN
        assert "clientSecret" in report.reason
        assert SECRET not in report.reason
        stub.client_secret = right
        assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
