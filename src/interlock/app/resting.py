"""When waiting for a run alone brings nothing new."""

from __future__ import annotations

import enum
from datetime import datetime

from interlock.core.alerts import AlertType
from interlock.core.runs import SUCCEEDED, Run, RunStatus
from interlock.core.telling import told


class Rest(enum.StrEnum):
    """Why a run does not go on by itself for now."""

    ENDED = "ENDED"
    NOT_READY = "NOT_READY"
    HELD = "HELD"
    DOUBT = "DOUBT"
    UNVERIFIED = "UNVERIFIED"


def rest_of(run: Run, now: datetime) -> Rest | None:
    """Say why a run does not go on by itself for now; None when it does."""
    if run.ended or run.status in SUCCEEDED:
        return Rest.ENDED
    if run.doubt and run.wake_at is None:
        return Rest.DOUBT
    if run.verifying is not None and not run.asked and told(run, AlertType.VERIFICATION_TROUBLE):
        return Rest.UNVERIFIED
    judged = run.status is RunStatus.PENDING and not run.asked and run.not_before is None
    if judged and run.readiness is not None and not run.readiness.ready:
        return Rest.NOT_READY
    if judged and run.held_until is not None and now < run.held_until:
        return Rest.HELD
    return None
