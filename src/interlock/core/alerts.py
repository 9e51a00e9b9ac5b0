"""Alerts: what people are told, and under which name machines can route it."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct

from interlock.core.documents import EMPTY, Document
from interlock.core.ids import RunKey


class AlertType(enum.StrEnum):
    """Everything Interlock tells people about: a closed list, so that every kind has a route and a page in the docs."""

    RUN_FAILED = "run_failed"
    START_UNKNOWN = "start_unknown"
    JOB_LOST = "job_lost"


class AlertLevel(enum.StrEnum):
    """How loud."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Alert(Struct, frozen=True, kw_only=True):
    """One fact that people should know. `alert_id` is derived from what it is about, so the same fact has the same id."""

    alert_id: str
    alert_type: AlertType
    level: AlertLevel
    run: RunKey
    at: datetime
    message: str
    details: Document = EMPTY
