"""What triggers are given besides their configuration."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

from interlock.ports.triggers import Job

if TYPE_CHECKING:
    from interlock.clients.aws import AwsCaller
    from interlock.clients.http import HttpSender


class TriggerContext(Struct, frozen=True, kw_only=True):
    """The surroundings of every trigger.

    `state_dir` is Interlock's own directory of the project, `root` the project itself; both are absolute. `env_allow` names
    the environment variables that jobs may see; their values are kept out of every reason, and so are those of the
    project's secrets that `known_secrets` returns. `http` sends requests, `aws` makes calls of AWS; triggers that need none
    work without. `public_url` is where callers reach the server, or empty. `now` tells the time to who signs requests.
    """

    state_dir: Path
    root: Path
    env_allow: tuple[str, ...] = ()
    http: HttpSender | None = None
    aws: AwsCaller | None = None
    public_url: str = ""
    known_secrets: Callable[[], tuple[str, ...]] = tuple
    now: Callable[[], datetime] | None = None

    def callback_url(self, job: Job) -> str:
        """Return where a job may report the end of this attempt by HTTP; nothing when no server is known.

        A report that comes late, or again, is none of the next attempt.
        """
        if not self.public_url:
            return ""
        return f"{self.public_url}/api/runs/{quote(job.run.run_id, safe=':')}/complete?attempt={job.attempt}"

    def described(self, job: Job) -> dict[str, str]:
        """Return the environment variables that tell a job what it is for."""
        slot = job.run.slot
        traced = {"TRACEPARENT": job.traceparent} if job.traceparent else {}
        return {
            **traced,
            "INTERLOCK_ATTEMPT": str(job.attempt),
            "INTERLOCK_DATE": str(slot.period),
            "INTERLOCK_HOUR": slot.period.hour,
            "INTERLOCK_PIPELINE": slot.pipeline,
            "INTERLOCK_PROJECT": str(self.root),
            "INTERLOCK_RUN_ID": job.run.run_id,
            "INTERLOCK_SCHEDULE": slot.schedule,
        }

    def secrets(self) -> tuple[str, ...]:
        """Return what must not be repeated: the project's secrets, and the values of the variables that it lets in."""
        return (*(os.environ[name] for name in self.env_allow if name in os.environ), *self.known_secrets())
