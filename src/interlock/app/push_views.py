"""What people and programs are shown of a pushed result."""

from __future__ import annotations

from datetime import datetime

from interlock.app.views import View
from interlock.core.documents import Document
from interlock.ports.pushes import PushedResult


class PushView(View, frozen=True, kw_only=True, rename="camel"):
    """One pushed result. Without a schedule or a date it counts for every one."""

    pipeline_id: str
    trait_type: str
    schedule_id: str | None
    date: str | None
    status: str
    value: Document | None
    reason: str
    failure_category: str | None
    evaluated_at: datetime
    pushed_at: datetime
    expires_at: datetime | None
    pushed_by: str


def push_view(pipeline: str, pushed: PushedResult) -> PushView:
    """Show a pushed result."""
    return PushView(
        pipeline_id=pipeline,
        trait_type=pushed.trait,
        schedule_id=pushed.schedule,
        date=pushed.period,
        status=pushed.status,
        value=pushed.value,
        reason=pushed.reason,
        failure_category=pushed.category,
        evaluated_at=pushed.pushed_at,
        pushed_at=pushed.pushed_at,
        expires_at=pushed.pushed_at + pushed.ttl if pushed.ttl else None,
        pushed_by=pushed.pushed_by,
    )
