"""The airflow trigger before a stub that answers as Airflow 3 and Airflow 2 do. Real ones: `test_real_airflow.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.servers.airflow_stub import USER, AirflowStub, Dag, Run, Version

from interlock.clients.http import HttpClient
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState, Trigger
from interlock.testing.conformance.remote_triggers import SECRET, Fault, RemoteBench, RemoteTriggerContract, Verb
from interlock.testing.conformance.triggers import TIMEOUT, Kind, a_job, the_end
from interlock.triggers.airflow import AirflowTrigger, shared_run_id
from interlock.triggers.airflow_config import AirflowConfig
from interlock.triggers.context import TriggerContext

_ENDS = {Kind.SUCCEEDS: "success", Kind.FAILS: "failed", Kind.LINGERS: "running"}


class StubBench:
    can_find = True
    can_cancel = True
    sees_vanished = True
    faults = frozenset(Fault) - {Fault.SKEWED}

    def __init__(self, stub: AirflowStub, client: HttpClient) -> None:
        self.stub = stub
        self.client = client
        stub.dags = {kind.name: Dag(ends=_ENDS[kind]) for kind in Kind}

    def config(self, kind: Kind) -> dict[str, Any]:
        return {"url": self.stub.url, "dagID": kind.name, "username": USER, "password": self.stub.password}

    def trigger(self, kind: Kind) -> Trigger:
        context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=self.client)
        return AirflowTrigger(msgspec.convert(self.config(kind), AirflowConfig), context)

    def starts(self) -> int:
        return self.stub.starts()

    @contextmanager
    def broken(self, fault: Fault, verb: Verb) -> Iterator[None]:
        with self.stub.broken(fault, verb):
            yield

    def forget(self) -> None:
        self.stub.forget_runs()

    def held(self, kind: Kind) -> AbstractContextManager[Callable[[], None]]:
        return self.stub.broken(Fault.FROZEN, Verb.START)

    def child(self, kind: Kind) -> dict[str, Any]:
        return {"type": "airflow", "config": self.config(kind), "allow": ["127.0.0.1"]}


class ClearingBench(StubBench):
    """Every job is another attempt of a run whose first one has made a DAG run, and has failed."""

    def __init__(self, stub: AirflowStub, client: HttpClient) -> None:
        super().__init__(stub, client)
        stub.dags = {kind.name: Dag(ends="failed", then=_ENDS[kind]) for kind in Kind}
        for kind in Kind:
            run = Run(dag=kind.name, own=shared_run_id(a_job()), conf={}, logical_date=None, state="failed")
            run.ended = datetime(2026, 3, 7, 4, tzinfo=UTC)
            stub.runs[run.dag, run.own] = run

    def config(self, kind: Kind) -> dict[str, Any]:
        return {**super().config(kind), "onRetry": "clear"}

    def trigger(self, kind: Kind) -> Trigger:
        return _OneAttemptOn(super().trigger(kind))

    def child(self, kind: Kind) -> dict[str, Any]:
        return {**super().child(kind), "attempt": 2}


class _OneAttemptOn:
    """A trigger that is given the next attempt of every job."""

    def __init__(self, real: Trigger) -> None:
        self._real = real
        self.repeatable, self.watchable = real.repeatable, real.watchable

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        return self._real.start(_next(job), timeout=timeout)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        return self._real.find(_next(job), timeout=timeout)

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        return self._real.poll(_next(job), handle, timeout=timeout)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        self._real.cancel(_next(job), handle, timeout=timeout)


def _next(job: Job) -> Job:
    return a_job(job.run.slot.pipeline, attempt=job.attempt + 1)


@pytest.mark.enable_socket
class _OnAStub(RemoteTriggerContract):
    version: Version

    @pytest.fixture
    def bench(self) -> Iterator[RemoteBench]:
        client = HttpClient(allow=["127.0.0.1"])
        with AirflowStub(self.version, password=SECRET) as stub:
            yield StubBench(stub, client)
        client.close()


class TestAirflow3(_OnAStub):
    version = "3"


class TestAirflow2(_OnAStub):
    version = "2"


class _Clearing(_OnAStub):
    @pytest.fixture
    def bench(self) -> Iterator[RemoteBench]:
        client = HttpClient(allow=["127.0.0.1"])
        with AirflowStub(self.version, password=SECRET) as stub:
            yield ClearingBench(stub, client)
        client.close()

    def test_another_attempt_is_another_job(self, bench: RemoteBench) -> None:  # type: ignore[override]
        """It is a start of its own, but of the same DAG run, and only after that has failed: Airflow permits no other."""
        trigger = bench.trigger(Kind.FAILS)
        first = trigger.start(a_job(), timeout=TIMEOUT)
        assert the_end(trigger, a_job(), first).state is JobState.FAILED
        second = trigger.start(a_job(attempt=2), timeout=TIMEOUT)
        assert second.id == first.id
        assert second.details != first.details
        assert the_end(trigger, a_job(attempt=2), second).state is JobState.FAILED
        assert bench.starts() == 2


class TestClearingInAirflow3(_Clearing):
    version = "3"


class TestClearingInAirflow2(_Clearing):
    version = "2"
