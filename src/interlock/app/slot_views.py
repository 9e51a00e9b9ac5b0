"""What is shown of a slot, and of a pipeline as a whole."""

from __future__ import annotations

from datetime import datetime

from interlock.app.views import ReadinessView, RunView, View


class SlotView(View, frozen=True, kw_only=True, rename="camel"):
    """How a slot stands. `ready`: its latest verdict says so and is still fresh; `asked`: there is a verdict at all.

    `mode` is `live` or `shadow`: that of its latest run, or what the files say where there is none.
    """

    pipeline_id: str
    schedule_id: str
    date: str
    mode: str
    ready: bool
    asked: bool
    blocking: tuple[str, ...]
    run: RunView | None


class WindowView(View, frozen=True, kw_only=True, rename="camel"):
    """A slot: when it opens, is due and is over, and how its latest run stands.

    `evaluation_due_at` is by when the traits must have said yes, `due_at` by when the job must have ended; null where
    nobody said. `excluded` says why nothing new may start, `overdue` which deadline has passed without what it asks for.
    """

    schedule_id: str
    date: str
    opens_at: datetime
    evaluation_due_at: datetime | None
    due_at: datetime | None
    ends_at: datetime
    excluded: str
    overdue: str
    run_id: str | None
    run_status: str | None
    attempt: int | None


class StatusView(View, frozen=True, kw_only=True, rename="camel"):
    """How a pipeline stands now.

    `readiness` is the latest verdict as it counts now: READY, NOT_READY, or UNKNOWN when there is none; `decision` is that
    verdict with its traits, `readiness_at` when it was given. `slots` are the current slot of each schedule and those
    whose run has not ended. `mode` is `live` or `shadow`, as the files say now. `problems` is not empty when the pipeline's
    file or records cannot be read; `trouble` says in one word which: `file`, `records`, or `removed` when no file has it.
    """

    pipeline_id: str
    archetype: str
    tier: int
    trigger_type: str | None
    mode: str | None
    readiness: str
    readiness_at: datetime | None
    decision: ReadinessView | None
    slots: tuple[WindowView, ...]
    run: RunView | None
    runs: tuple[RunView, ...]
    problems: tuple[str, ...]
    trouble: str | None
