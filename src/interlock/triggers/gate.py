"""The job of whoever was given leave: `interlock exec --server` and the clients' `gate`. Only the asking gives leave.

The job runs where the asker is; its end is told from there. A holder that promised to tell that it lives is missed when it
falls silent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from interlock.codec.documents import document, mapping
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.context import TriggerContext

HEARTBEAT: Final = "heartbeat"
CLAIM: Final = "claim"
HOLDER: Final = "holder"


class GateConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Empty on purpose: what is run is said where it is run."""


class Asker(Struct, frozen=True, kw_only=True):
    """Who asks for leave: in words, by a word of its own for this job, and whether it will tell that it lives."""

    holder: str = ""
    claim: str = ""
    heartbeat: bool = False


class GateTrigger:
    """Gives leave to one asker; without one it only looks at what leave was given."""

    Config = GateConfig
    local = True
    repeatable = True
    watchable = False

    def __init__(self, config: GateConfig, context: TriggerContext, asker: Asker | None = None) -> None:
        self._config = config
        self._context = context
        self._asker = asker

    @property
    def startable(self) -> bool:
        """Whether somebody is there to be given leave."""
        return self._asker is not None

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:  # noqa: ARG002  (nothing is called)
        """Give leave. Nothing is started from here."""
        if self._asker is None:
            raise TriggerError("nobody who asks for leave is here", category=FailureCategory.PERMANENT, started=False)
        said = {HOLDER: self._asker.holder, CLAIM: self._asker.claim, HEARTBEAT: self._asker.heartbeat}
        return JobHandle(id=f"gate:{job.key}", details=document(said))

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:  # noqa: ARG002  (nothing is asked)
        """Say that nobody was given leave: what gives it is the answer to a start being kept, and none was."""
        return Absent.CERTAINLY

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (nothing is asked)
        """Take the job to be running, or to be out of sight until its holder tells that it lives."""
        said = mapping(handle.details)
        if said.get(HEARTBEAT) is True:
            holder = str(said.get(HOLDER) or "whoever holds it")
            return JobReport(state=JobState.UNSEEN, reason=f"{holder} has not told that it lives")
        return JobReport(state=JobState.RUNNING, reason="its end is told from outside")

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (nothing is called)
        """Refuse: only its holder can stop it, and learns of the wish when it next tells that it lives.

        Raises:
            TriggerError: always.
        """
        raise TriggerError(
            "the job runs where its holder is, and can be stopped only there",
            category=FailureCategory.PERMANENT,
            started=True,
        )


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: GateTrigger) -> Trigger:
        return it
