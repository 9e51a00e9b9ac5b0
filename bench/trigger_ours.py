"""Triggers as the app makes and calls them: placeholders, secrets, the store's name in every key."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from interlock.clients.aws import AwsDoor
from interlock.clients.http import HttpClient
from interlock.codec.documents import document
from interlock.config.project import SecretSpec
from interlock.core.ids import RunKey, start_key
from interlock.core.pipelines import TriggerSpec
from interlock.ports.triggers import Absent, Job, JobHandle, JobState
from interlock.runtime.clock import SystemClock
from interlock.runtime.keyed import StoreName
from interlock.runtime.secrets import Secrets
from interlock.runtime.triggers import TriggerFactory
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import a_slot
from interlock.triggers.context import TriggerContext

TIMEOUT: Final = timedelta(seconds=30)
SETTINGS: Final = {"token": SecretSpec(env="BENCH_TOKEN"), "password": SecretSpec(env="BENCH_PASSWORD")}


def a_job(number: int) -> Job:
    """Return the job of a run of its own."""
    run = RunKey(a_slot(pipeline=f"pipeline-{number:06d}"))
    return Job(run=run, attempt=1, key=start_key(run.run_id, 1))


class Ours:
    """One type of trigger, made anew for each call, which is how the app does it."""

    def __init__(self, factory: TriggerFactory, kind: str, config: Mapping[str, Any]) -> None:
        self._factory = factory
        self._spec = TriggerSpec(type=kind, config=document(config))

    def start(self, job: Job) -> JobHandle:
        return self._factory(self._spec, job).start(job, timeout=TIMEOUT)

    def find(self, job: Job, handle: JobHandle) -> None:
        found = self._factory(self._spec, job).find(job, timeout=TIMEOUT)
        if isinstance(found, Absent) or found.id != handle.id:
            raise AssertionError(f"the job is there: {found}")

    def poll(self, job: Job, handle: JobHandle) -> None:
        report = self._factory(self._spec, job).poll(job, handle, timeout=TIMEOUT)
        if report.state not in (JobState.RUNNING, JobState.SUCCEEDED):
            raise AssertionError(f"the job runs: {report}")


@contextmanager
def factory_of(root: Path, secrets: Mapping[str, str], bundle: str = "") -> Iterator[TriggerFactory]:
    """Return what makes triggers of a project in a directory. `bundle` is the file of certificates that are trusted."""
    tls = ssl.create_default_context(cafile=bundle) if bundle else None
    http, aws, clock = HttpClient(allow=["127.0.0.1"], tls=tls), AwsDoor(), SystemClock()
    known = Secrets(SETTINGS, secrets, aws, clock)
    context = TriggerContext(
        state_dir=root / ".interlock", root=root, http=http, aws=aws, known_secrets=known.known, now=clock.now
    )
    try:
        yield TriggerFactory(context, {}, known, StoreName(MemoryKernel()))
    finally:
        aws.close()
        http.close()
