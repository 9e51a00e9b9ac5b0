"""`type: spool`: put a job into a directory, where another system picks it up.

    DIR/ID.job       what is to be done, written by us
    DIR/ID.cancel    please stop, written by us
    DIR/ID.result    {"status": "succeeded" | "failed", "reason": "…"}, written by the other system, in one step

The other system leaves the job where it is, so that the file is the proof that the job was handed over.
"""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from interlock.codec.documents import document
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.context import TriggerContext


class SpoolConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where jobs are put, and what they say."""

    directory: Annotated[str, Meta(min_length=1, description="It must exist; relative to the project.")]
    payload: Annotated[dict[str, Any], Meta(description="What the other system is told; takes placeholders.")] = {}


class SpoolResult(Struct, frozen=True):
    """What the other system writes when the job has ended."""

    status: Literal["succeeded", "failed"]
    reason: str = ""


class SpoolTrigger:
    """Hands jobs over as files. The name of the file follows from the key, so a start may be repeated at will."""

    Config = SpoolConfig
    repeatable = True
    watchable = True

    def __init__(self, config: SpoolConfig, context: TriggerContext) -> None:
        self._config = config
        self._place = context.root / config.directory

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Put the job there, or leave the one that is there already under this key.

        Raises:
            TriggerError: the directory cannot be written; nothing was started.
        """
        said = {"pipeline": job.run.slot.pipeline, "date": str(job.run.slot.period), "run": job.run.run_id}
        text = msgspec.json.encode({**said, "attempt": job.attempt, "payload": self._config.payload})
        name = _name(job)
        try:
            _put(self._place / f"{name}.job", text)
        except OSError as exc:
            message = f"the job could not be put into {self._place}: {exc.strerror}"
            raise TriggerError(message, category=FailureCategory.TRANSIENT, started=False) from exc
        return self._handle(name)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for the file; whether it is there is the whole truth."""
        name = _name(job)
        try:
            there = name + ".job" in os.listdir(self._place)  # noqa: PTH208
        except OSError:
            return Absent.UNKNOWN
        return self._handle(name) if there else Absent.CERTAINLY

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        """Look for the result."""
        try:
            result = msgspec.json.decode((self._place / f"{handle.id}.result").read_bytes(), type=SpoolResult)
        except FileNotFoundError:
            return self._unfinished(handle)
        except (OSError, msgspec.MsgspecError) as exc:
            return JobReport(state=JobState.UNSEEN, reason=f"its result cannot be read: {exc}")
        if result.status == "succeeded":
            return JobReport(state=JobState.SUCCEEDED, reason=result.reason)
        reason = result.reason or "its result says that it failed, and not why"
        return JobReport(state=JobState.FAILED, reason=reason, category=FailureCategory.TRANSIENT)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask the other system to stop the job.

        Raises:
            TriggerError: it could not be asked.
        """
        try:
            _put(self._place / f"{handle.id}.cancel", b"")
        except OSError as exc:
            message = f"nobody could be asked in {self._place} to stop the job: {exc.strerror}"
            raise TriggerError(message, category=FailureCategory.TRANSIENT, started=True) from exc

    def _unfinished(self, handle: JobHandle) -> JobReport:
        try:
            there = (self._place / f"{handle.id}.job").exists()
        except OSError as exc:
            return JobReport(state=JobState.UNSEEN, reason=f"{self._place} cannot be looked at: {exc.strerror}")
        if there:
            return JobReport(state=JobState.RUNNING)
        return JobReport(state=JobState.VANISHED, reason=f"{self._place} has neither the job nor its result")

    def _handle(self, name: str) -> JobHandle:
        return JobHandle(id=name, details=document({"directory": str(self._place)}))


def _name(job: Job) -> str:
    # A key holds `/` and `:`, and may be longer than the name of a file can be.
    return blake2b(job.key.encode(), digest_size=16).hexdigest()


def _put(path: Path, text: bytes) -> None:
    """Write a file that is there wholly and durably or not at all, unless it is there already."""
    waiting = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with waiting.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(waiting)
    finally:
        waiting.unlink(missing_ok=True)
    place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: SpoolTrigger) -> Trigger:
        return it
