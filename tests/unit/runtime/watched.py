"""What the tests of the watcher have in common."""

from __future__ import annotations

from datetime import time, timedelta

from interlock.core.ids import RunKey
from interlock.core.pipelines import ScheduleSpec
from interlock.testing.builders import a_spec

DAILY = ScheduleSpec(after=time(6))
SPEC = a_spec(schedules=(DAILY,))
HOUR = timedelta(hours=1)


def first_start(key: RunKey) -> str:
    return f"{key.run_id}/1"
