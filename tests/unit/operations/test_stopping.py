from __future__ import annotations

from datetime import timedelta
from itertools import islice

from interlock.operations import stopping


def test_a_job_that_is_being_stopped_is_looked_at_soon_and_then_seldom() -> None:
    """Other systems count what they are asked: in the fifteen seconds of patience that is a few times."""
    waits = list(islice(stopping.pauses(), 9))
    assert waits[0] <= timedelta(milliseconds=200)
    assert waits == sorted(waits)
    assert sum(waits[:7], timedelta()) < timedelta(seconds=15) < sum(waits, timedelta())
