from __future__ import annotations

from tests.unit.core.alert_lives import PACE, PAGER, an_alert, an_open, tell
from tests.unit.core.test_dispatching import EVENT, HOUR

from interlock.core import dispatching
from interlock.core.chronicle import EventKind
from interlock.core.deliveries import Trouble
from interlock.core.dispatch_story import lines
from interlock.testing.builders import MINUTE, NOON


def test_raising_and_telling_an_alert_adds_nothing_to_the_timeline() -> None:
    record = an_open()
    assert lines(None, record, NOON) == ()
    assert lines(record, tell(record, NOON), NOON) == ()


def test_the_end_of_an_alert_is_told_once() -> None:
    record = tell(an_open(), NOON)
    ended = dispatching.resolved(record, "run 2 completed", NOON + HOUR)
    (line,) = lines(record, ended, NOON + HOUR)
    assert (line.kind, line.status, line.message) == (EventKind.ALERT_RESOLVED, "run_failed", "run 2 completed")
    assert lines(ended, tell(ended, NOON + HOUR), NOON + HOUR) == ()


def test_an_alert_that_opens_anew_tells_nothing_of_its_last_end() -> None:
    ended = dispatching.resolved(an_open(), "it ran", NOON)
    again = dispatching.raised(ended, an_alert(at=NOON + HOUR), (PAGER,), PACE, NOON + HOUR)
    assert lines(ended, again, NOON + HOUR) == ()


def test_each_silence_over_an_alert_is_told_once() -> None:
    record = an_open()
    hushed = dispatching.silenced(record, "s1", NOON + HOUR, NOON)
    (line,) = lines(record, hushed, NOON)
    assert (line.kind, line.message) == (EventKind.ALERT_SILENCED, "silenced by s1: the job failed")
    longer = dispatching.silenced(hushed, "s1", NOON + 2 * HOUR, NOON + HOUR)
    assert lines(hushed, longer, NOON + HOUR) == ()


def test_giving_up_is_told_with_its_reason() -> None:
    held = dispatching.begun(an_open(), NOON, NOON + MINUTE)
    lost = dispatching.failed(held, PAGER.name, 1, Trouble("404", retryable=False), PACE, NOON)
    (line,) = lines(held, lost, NOON)
    assert (line.kind, line.message) == (EventKind.ALERT_UNDELIVERABLE, "pager was given up at try 1: 404")
    assert lines(lost, dispatching.released(lost, NOON + MINUTE, NOON), NOON) == ()


def test_giving_up_an_event_is_told_too() -> None:
    held = dispatching.begun(dispatching.published(EVENT, ("audit",), NOON), NOON, NOON + MINUTE)
    lost = dispatching.failed(held, "audit", 1, Trouble("404", retryable=False), PACE, NOON)
    (line,) = lines(held, lost, NOON)
    assert (line.kind, line.status) == (EventKind.EVENT_UNDELIVERABLE, "PIPELINE_COMPLETED")
