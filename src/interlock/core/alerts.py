"""Alerts: what people are told, and under which name machines can route it."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.ids import RunId, Slot


class AlertType(enum.StrEnum):
    """Everything Interlock tells people about: a closed list, so that every kind has a route and a place in the docs."""

    SCHEDULE_MISSED = "schedule_missed"
    STUCK_RUN = "stuck_run"
    EVALUATION_SLA_BREACH = "evaluation_sla_breach"
    COMPLETION_SLA_BREACH = "completion_sla_breach"
    VALIDATION_TIMEOUT = "validation_timeout"
    TRAIT_DRIFT = "trait_drift"
    EVALUATION_SLA_AT_RISK = "evaluation_sla_at_risk"
    COMPLETION_SLA_AT_RISK = "completion_sla_at_risk"
    EVALUATION_FAILED = "evaluation_failed"
    EVALUATION_TROUBLE = "evaluation_trouble"
    UPSTREAM_CANNOT_COMPLETE = "upstream_cannot_complete"
    WINDOW_CLOSED = "window_closed"
    RUN_FAILED = "run_failed"
    START_UNKNOWN = "start_unknown"
    JOB_LOST = "job_lost"
    VERIFICATION_TROUBLE = "verification_trouble"
    CANCEL_UNCONFIRMED = "cancel_unconfirmed"
    LATE_DATA = "late_data"
    RERUN_CAP_REACHED = "rerun_cap_reached"
    RUN_ORPHANED = "run_orphaned"
    RUN_POISONED = "run_poisoned"
    MONITORING_OVERDUE = "monitoring_overdue"
    TRIGGER_RECOVERED = "trigger_recovered"
    WATCHER_STALLED = "watcher_stalled"
    WATCHDOG_STALLED = "watchdog_stalled"
    WATCHDOG_DEGRADED = "watchdog_degraded"
    CONFIG_REJECTED = "config_rejected"
    ARCHIVE_BEHIND = "archive_behind"
    ARCHIVE_GAP = "archive_gap"
    TEST = "test"


class AlertLevel(enum.StrEnum):
    """How loud."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Alert(Struct, frozen=True, kw_only=True):
    """One fact that people should know.

    `alert_id` is derived from what it is about: the same fact has the same id, so it is also the key by which receivers
    tell repeats. `slot` and `run_id` are empty for facts about Interlock itself; `tier` and `owner` are the pipeline's.
    """

    alert_id: str
    alert_type: AlertType
    level: AlertLevel
    at: datetime
    message: str
    slot: Slot | None = None
    run_id: RunId = RunId("")
    tier: int = 0
    owner: str = ""
    details: Document = EMPTY


class NoticeKind(enum.StrEnum):
    """Which part of an alert's life a notice tells."""

    OPENED = "opened"
    REMINDED = "reminded"
    RESOLVED = "resolved"


class Notice(Struct, frozen=True, kw_only=True):
    """One telling of an alert. `number` counts the tellings from 1; `at` is when this one became due.

    `resolution` says what mended it, for the last; `folded` are alerts that have this one as their cause and were not
    told on their own; `grouped` are others of the same group that this notice tells together with its own.
    """

    alert: Alert
    kind: NoticeKind = NoticeKind.OPENED
    number: int = 1
    at: datetime
    resolution: str = ""
    folded: tuple[Alert, ...] = ()
    grouped: tuple[Alert, ...] = ()

    @property
    def notice_id(self) -> str:
        """What names this telling: the same however often it is delivered."""
        return f"{self.alert.alert_id}#{self.number}"


class LifecycleEvent(Struct, frozen=True, kw_only=True):
    """The news, for programs, that a run has ended: `PIPELINE_COMPLETED` or `PIPELINE_FAILED`, once per run."""

    event_type: str
    slot: Slot
    run_id: RunId
    status: str
    at: datetime

    @property
    def event_id(self) -> str:
        """What names this event: the same however often it is delivered."""
        return f"{self.event_type}/{self.run_id}"
