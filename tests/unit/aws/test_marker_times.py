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
    rig.router.route(a_marker())
    assert rig.failures.kept == []
    assert rig.step().next is Next.EVALUATE


@pytest.mark.parametrize("later", [SECOND, 5 * SECOND])
def test_a_marker_that_is_read_late_was_written_in_its_own_second_all_the_same(later: timedelta) -> None:
    rig = Turning()
    rig.clock.advance(later)
    assert NOON < marker_of(read(a_marker()), rig.hands).at < NOON + SECOND


def test_no_marker_is_of_the_future() -> None:
    rig = Turning()
    rig.clock.advance(MOMENT)
    assert marker_of(read(a_marker()), rig.hands).at == NOON + MOMENT
