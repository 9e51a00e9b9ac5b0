"""Yards with something in them for a watchdog to find."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.unit.app.yard import DAILY, HOUR, MORNING, Yard

from interlock.core.pipelines import PipelineSpec, ScheduleSpec
from interlock.core.runs import Monitor, RunStatus
from interlock.testing.builders import MINUTE, a_slot, a_spec
from interlock.testing.faults import FaultyKernel

QUIET = a_spec(schedules=(ScheduleSpec(),))
"""A pipeline without any deadline."""

RUNNING: dict[str, Any] = {"status": RunStatus.RUNNING, "attempt": 1, "job_id": "job-7"}


def a_yard(spec: PipelineSpec = QUIET, **fields: Any) -> Yard:
    """Make a yard with one run in it, and a watcher at work."""
    yard = Yard(spec)
    yard.watch()
    yard.run(spec, **fields)
    return yard


def later(yard: Yard, span: timedelta, *, watched: bool = True) -> Yard:
    """Let time pass, and scan."""
    yard.go_to(yard.clock.now() + span)
    if watched:
        yard.watch()
    yard.scan()
    return yard


def troubled_yard(kernel: FaultyKernel | None = None) -> Yard:
    """Make a yard with one of each: a missed slot, a stuck run, one left alone, a watch without end, no watcher."""
    yard = Yard(DAILY)
    yard.run(DAILY, slot=a_slot("2026-03-06"), wake_at=MORNING + timedelta(days=3), **RUNNING)
    yard.run(DAILY, slot=a_slot("2026-03-05"), wake_at=MORNING + 5 * HOUR - 10 * MINUTE)
    watching = Monitor(until=MORNING + HOUR)
    yard.run(
        DAILY,
        slot=a_slot("2026-03-04"),
        status=RunStatus.COMPLETED_MONITORING,
        monitor=watching,
        wake_at=MORNING + HOUR,
        attempt=1,
    )
    yard.go_to(MORNING + 5 * HOUR)
    if kernel is not None:
        kernel.real = yard.memory
        yard.watchdog = yard.hands(kernel)
    return yard
