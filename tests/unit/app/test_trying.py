from __future__ import annotations

from datetime import timedelta
from threading import Barrier

import pytest

from interlock.app.channels import Alerting, Channel, Wants
from interlock.app.trying import try_channels
from interlock.core.alerts import AlertLevel, AlertType, Notice, NoticeKind
from interlock.errors import SinkError
from interlock.runtime.lanes import side_by_side
from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import RecordingSink


def test_every_channel_gets_a_test_and_its_end_whatever_it_takes_otherwise() -> None:
    sink = RecordingSink()
    alerting = Alerting(channels=(Channel("pager", sink, Wants(min_level=AlertLevel.ERROR)),))
    (tried,) = try_channels(alerting, FakeClock(NOON), actor="ann")
    assert tried.delivered
    assert [each.kind for each in sink.delivered] == [NoticeKind.OPENED, NoticeKind.RESOLVED]
    assert len({each.notice_id for each in sink.delivered}) == 2, (
        "receivers that know repeats must not take one for the other"
    )
    assert {each.alert_type for each in sink.alerts} == {AlertType.TEST}


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (SinkError("404"), "404"),
        (SinkError(""), "not delivered"),
        (RuntimeError("oh"), "the sink broke: RuntimeError: oh"),
    ],
)
def test_a_channel_that_fails_keeps_no_other_from_being_tried(trouble: Exception, words: str) -> None:
    """BUG-179."""
    good = RecordingSink()
    alerting = Alerting(channels=(Channel("bad", RecordingSink(trouble)), Channel("good", good)))
    bad, fine = try_channels(alerting, FakeClock(NOON), actor="ann")
    assert (bad.delivered, fine.delivered) == (False, True)
    assert words in bad.reason


def test_channels_are_tried_at_once_so_that_those_that_hang_take_the_time_of_one() -> None:
    meeting = Barrier(2, timeout=20)

    class Slow:
        def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
            meeting.wait()

    alerting = Alerting(channels=(Channel("one", Slow()), Channel("two", Slow())))
    tried = try_channels(alerting, FakeClock(NOON), actor="ann", together=side_by_side)
    assert [(each.channel, each.delivered) for each in tried] == [("one", True), ("two", True)]
