"""When a marker was written: the stream says so in whole seconds, rounded down, and runs go by more than that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.aws.rig import Turning
from tests.unit.aws.test_routing import Stream, a_record

from interlock.aws.markers import marker_of
from interlock.aws.records import read
from interlock.aws.state import Next
from interlock.core.traits import TraitStatus
from interlock.testing.builders import NOON, SECOND

MOMENT = timedelta(milliseconds=100)


def a_marker(name: str = "landing") -> dict[str, Any]:
    """Return the record of a marker that was written within the second that begins at noon."""
    image = {"PK": {"S": "PIPELINE#example"}, "SK": {"S": f"MARKER#{name}#1"}}
    return a_record(image, at=NOON.timestamp())


def test_what_arrives_in_the_second_of_the_last_question_is_asked_about() -> None:
    """AWS-04: else it would sleep on over what it waits for."""
    rig = Stream()
    rig.evaluator.script("freshness", TraitStatus.FAIL, TraitStatus.PASS)
    rig.clock.advance(3 * MOMENT)
    rig.until(Next.WAIT_FOR_READINESS)
    rig.clock.advance(MOMENT)
    rig.router._replace(pause=rig.clock.advance).route(a_marker())
    assert rig.failures.kept == []
    assert rig.step().next is Next.EVALUATE


@pytest.mark.parametrize("later", [MOMENT, SECOND, 5 * SECOND])
def test_a_marker_is_of_the_end_of_its_second_whenever_it_is_read(later: timedelta) -> None:
    """AWS-24: read again, it is the same marker, and no late data."""
    rig = Turning()
    rig.clock.advance(later)
    assert marker_of(read(a_marker()), rig.hands).at == NOON + SECOND - timedelta(microseconds=1)


def test_a_marker_of_a_second_that_is_not_over_is_told_when_it_is() -> None:
    """What arrives before its end, after a question that it brought about, must not count as older than that."""
    rig = Stream()
    waits: list[timedelta] = []
    rig.clock.advance(3 * MOMENT)
    rig.router._replace(pause=waits.append).route(a_marker())
    assert waits == [SECOND - 3 * MOMENT - timedelta(microseconds=1)]


def test_a_clock_that_is_far_behind_holds_nobody_up() -> None:
    rig = Stream()
    waits: list[timedelta] = []
    rig.clock.set(NOON - 3600 * SECOND)
    rig.router._replace(pause=waits.append).route(a_marker())
    assert waits == [SECOND]
