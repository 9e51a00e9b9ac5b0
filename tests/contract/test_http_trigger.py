from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, reply

from interlock.clients.http import HttpClient
from interlock.core.traits import FailureCategory
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState, Trigger
from interlock.testing.conformance.remote_triggers import SECRET, Fault, RemoteBench, RemoteTriggerContract, Verb
from interlock.testing.conformance.triggers import TIMEOUT, Kind
from interlock.triggers.context import TriggerContext
from interlock.triggers.http import HttpTrigger
from interlock.triggers.http_config import HttpConfig

NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)
WORDS = {Kind.SUCCEEDS: "DONE", Kind.FAILS: "FAILED", Kind.LINGERS: "RUNNING"}
REFUSALS = {
    Fault.THROTTLED: "429 Too Many Requests",
    Fault.UNAUTHORIZED: "401 Unauthorized",
    Fault.SKEWED: "403 Forbidden",
}


class JobService:
    """A small job service. It repeats what it was sent in every error, as many do.

    With `keyed`, jobs go by the caller's key; otherwise by numbers of its own. With `heeds`, one key starts one job.
    """

    can_cancel = True
    faults = frozenset(Fault)
    sees_vanished = True

    def __init__(self, client: HttpClient, *, keyed: bool, heeds: bool) -> None:
        self.can_find = keyed
        self.client = client
        self.keyed = keyed
        self.heeds = heeds
        self.jobs: dict[str, Kind] = {}
        self.ids: dict[str, str] = {}
        self.begun = 0
        self.lock = threading.Lock()
        self.wrong: tuple[Fault, Verb] | None = None
        self.acted = threading.Event()
        self.thawed = threading.Event()
        self.server = RawServer(self.answer)

    # ------------------------------------------------------------ the service

    def answer(self, peer: socket.socket, request: bytes) -> None:
        head = request.partition(b"\r\n\r\n")[0].decode()
        method, path, _ = head.split(" ", 2)
        path = path.partition("?")[0]
        verb = Verb.START if method == "POST" else Verb.STOP if method == "DELETE" else Verb.LOOK
        fault = self.wrong[0] if self.wrong and self.wrong[1] in (verb, Verb.ALL) else None
        if fault is Fault.LOST_REQUEST:
            return
        if fault in REFUSALS:
            reply(REFUSALS[fault], request)(peer, request)
            return
        with self.lock:
            found = self.started(head, Kind[path[7:]]) if verb is Verb.START else path.removeprefix("/jobs/")
            if verb is Verb.STOP and self.jobs.get(found) is Kind.LINGERS:
                self.jobs[found] = Kind.FAILS
            known = self.jobs.get(found)
        self.acted.set()
        if fault is Fault.FROZEN:
            self.thawed.wait(20)
        if fault in (Fault.FROZEN, Fault.LOST_ANSWER):
            return
        if fault is Fault.BROKEN:
            reply("500 Internal Server Error", request)(peer, request)
        elif fault is Fault.GARBAGE:
            reply("200 OK", b"\xff<html>" + request)(peer, request)
        elif known is None:
            reply("404 Not Found", request)(peer, request)
        else:
            said = {"id": found, "accepted": True, "state": WORDS[known], "why": "3 files are missing"}
            reply("200 OK", json.dumps(said).encode())(peer, request)

    def started(self, head: str, kind: Kind) -> str:
        key = next(line[16:] for line in head.split("\r\n") if line.lower().startswith("idempotency-key:")).strip()
        if self.heeds and key in self.ids:
            return self.ids[key]
        self.begun += 1
        own = key.replace("/", "%2F").replace(":", "%3A") if self.keyed else str(self.begun)
        self.ids[key] = own
        self.jobs[own] = kind
        return own

    # ------------------------------------------------------------ the bench

    def config(self, kind: Kind) -> dict[str, Any]:
        here = self.server.url
        return {
            "url": f"{here}/start/{kind.name}?token={SECRET}",
            "headers": {"Authorization": f"Bearer {SECRET}"},
            "body": {"password": SECRET},
            "idempotent": self.heeds,
            "success": {"path": "accepted", "equals": True},
            "runIdPath": "" if self.keyed else "id",
            "statusUrl": here + "/jobs/{id}",
            "statusHeaders": {"X-Api-Key": SECRET},
            "status": {"path": "state", "reasonPath": "why"},
            "cancelUrl": here + "/jobs/{id}",
            "cancelMethod": "DELETE",
        }

    def trigger(self, kind: Kind) -> Trigger:
        context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=self.client, now=lambda: NOON)
        return HttpTrigger(msgspec.convert({**self.config(kind), "secret": SECRET}, HttpConfig), context)

    def starts(self) -> int:
        return self.begun

    @contextmanager
    def broken(self, fault: Fault, verb: Verb) -> Iterator[None]:
        self.acted.clear()
        self.thawed.clear()
        self.wrong = (fault, verb)
        try:
            yield
        finally:
            self.wrong = None
            self.thawed.set()

    def forget(self) -> None:
        self.jobs.clear()

    def held(self, kind: Kind) -> AbstractContextManager[Callable[[], None]]:
        @contextmanager
        def frozen() -> Iterator[Callable[[], None]]:
            with self.broken(Fault.FROZEN, Verb.START):
                yield acted

        def acted() -> None:
            assert self.acted.wait(TIMEOUT.total_seconds())

        return frozen()

    def child(self, kind: Kind) -> dict[str, Any]:
        return {"type": "http", "config": self.config(kind), "allow": ["127.0.0.1"]}


class SilentService(JobService):
    """The same without a status page and without a way to stop: its jobs tell their end themselves."""

    can_cancel = False

    def __init__(self, client: HttpClient, *, heeds: bool) -> None:
        super().__init__(client, keyed=True, heeds=heeds)
        self.can_find = False

    def config(self, kind: Kind) -> dict[str, Any]:
        left_out = ("statusUrl", "statusHeaders", "status", "cancelUrl", "cancelMethod")
        return {key: value for key, value in super().config(kind).items() if key not in left_out}

    def trigger(self, kind: Kind) -> Trigger:
        return _Told(super().trigger(kind), self)


class _Told:
    """A trigger whose looks are completed by what the jobs have told by callback; everything else is its own."""

    def __init__(self, trigger: Trigger, service: SilentService) -> None:
        self._trigger = trigger
        self._service = service
        self.repeatable = trigger.repeatable
        self.watchable = trigger.watchable

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        return self._trigger.start(job, timeout=timeout)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        return self._trigger.find(job, timeout=timeout)

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        report = self._trigger.poll(job, handle, timeout=timeout)
        told = self._service.jobs.get(self._service.ids.get(handle.id, ""))
        if told is Kind.SUCCEEDS:
            return JobReport(state=JobState.SUCCEEDED)
        if told is Kind.FAILS:
            return JobReport(state=JobState.FAILED, reason="told so", category=FailureCategory.TRANSIENT)
        return report

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        self._trigger.cancel(job, handle, timeout=timeout)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


@pytest.mark.enable_socket
class TestATargetThatKnowsOurKeys(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, client: HttpClient) -> Iterator[RemoteBench]:
        bench = JobService(client, keyed=True, heeds=True)
        with bench.server:
            yield bench


@pytest.mark.enable_socket
class TestATargetThatKnowsOurKeysAndNumbersItsJobs(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, client: HttpClient) -> Iterator[RemoteBench]:
        bench = JobService(client, keyed=False, heeds=True)
        with bench.server:
            yield bench


@pytest.mark.enable_socket
class TestATargetThatStartsAnewEachTime(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, client: HttpClient) -> Iterator[RemoteBench]:
        bench = JobService(client, keyed=False, heeds=False)
        with bench.server:
            yield bench


@pytest.mark.enable_socket
class TestATargetWithoutAStatusPage(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, client: HttpClient) -> Iterator[RemoteBench]:
        bench = SilentService(client, heeds=False)
        with bench.server:
            yield bench


@pytest.mark.enable_socket
class TestATargetThatKnowsOurKeysWithoutAStatusPage(RemoteTriggerContract):
    @pytest.fixture
    def bench(self, client: HttpClient) -> Iterator[RemoteBench]:
        bench = SilentService(client, heeds=True)
        with bench.server:
            yield bench
