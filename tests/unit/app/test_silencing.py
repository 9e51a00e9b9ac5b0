from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.app.alert_bench import AlertBench, about, about_nobody

from interlock.app.notifying import raise_alert, resolve_alert
from interlock.app.silencing import begin_silence, covers, end_silence, silence_named, silence_over
from interlock.core.alerts import AlertType
from interlock.errors import NotFound
from interlock.ports.controls import Silence
from interlock.testing.builders import MINUTE, NOON

HOUR = timedelta(hours=1)


def a_silence(**fields: Any) -> Silence:
    """Make a silence of two hours over everything."""
    chosen: dict[str, Any] = {
        "silence_id": "",
        "at": NOON,
        "until": NOON + 2 * HOUR,
        "actor": "ann",
        "reason": "maintenance",
    }
    return Silence(**(chosen | fields))


@pytest.mark.parametrize(
    ("fields", "is_covered"),
    [
        ({}, True),
        ({"pipeline": "example"}, True),
        ({"pipeline": "exam*"}, True),
        ({"pipeline": "exampl?"}, True),
        ({"pipeline": "exampl"}, False),
        ({"pipeline": "[a-z]*"}, False),
        ({"pipeline": "Example"}, False),
        ({"tier": 1}, True),
        ({"tier": 0}, False),
        ({"owner": "data"}, True),
        ({"owner": "dat"}, False),
        ({"alert_type": AlertType.RUN_FAILED}, True),
        ({"alert_type": AlertType.JOB_LOST}, False),
        ({"pipeline": "example", "tier": 2}, False),
    ],
)
def test_a_silence_covers_what_matches_all_that_it_says(fields: dict[str, Any], *, is_covered: bool) -> None:
    assert covers(a_silence(**fields), about()) is is_covered


def test_an_alert_about_interlock_itself_is_covered_only_by_what_names_no_pipeline() -> None:
    assert covers(a_silence(alert_type=AlertType.WATCHER_STALLED), about_nobody())
    assert not covers(a_silence(pipeline="example"), about_nobody())


def test_a_silence_is_over_at_its_very_end() -> None:
    silence = a_silence()
    assert silence_over(about(), (silence,), silence.at) == silence
    assert silence_over(about(), (silence,), silence.until) is None


def test_what_is_silenced_is_told_once_when_the_silence_is_over() -> None:
    bench = AlertBench()
    begin_silence(a_silence(), bench.hands)
    bench.told(about())
    for _ in range(12):
        bench.later(9 * MINUTE).turn()
    assert bench.pager.delivered == []
    assert bench.lines() == ["ALERT_SILENCED"]
    bench.later(HOUR).turn()
    assert len(bench.pager.delivered) == len(bench.chat.delivered) == 1


def test_what_ends_during_a_silence_is_never_told() -> None:
    bench = AlertBench()
    begin_silence(a_silence(), bench.hands)
    bench.told(about())
    resolve_alert(about().alert_id, "it ran", NOON + HOUR, bench.hands)
    bench.later(3 * HOUR).turn()
    assert bench.pager.delivered == []


def test_a_silence_that_is_made_longer_is_kept_to_its_new_end() -> None:
    bench = AlertBench()
    silence = begin_silence(a_silence(), bench.hands)
    bench.told(about())
    bench.hands.controls.put_silence(replace(silence, until=NOON + 4 * HOUR))
    bench.later(3 * HOUR).turn()
    assert bench.pager.delivered == []
    bench.later(HOUR).turn()
    assert len(bench.pager.delivered) == 1


def test_a_silence_that_is_ended_lets_everything_speak_at_once() -> None:
    bench = AlertBench()
    silence = begin_silence(a_silence(), bench.hands)
    alerts = [about(f"pipeline-{number:03d}") for number in range(250)]
    for alert in alerts:
        raise_alert(alert, bench.hands)
    bench.turn()
    assert end_silence(silence.silence_id, bench.hands) == 250
    bench.turn()
    assert sorted(each.alert_id for each in bench.pager.alerts) == [each.alert_id for each in alerts]


def test_a_silence_that_begins_later_silences_nothing_yet_and_can_be_ended_before() -> None:
    bench = AlertBench()
    silence = begin_silence(a_silence(at=NOON + HOUR), bench.hands)
    bench.told(about())
    assert len(bench.pager.delivered) == 1
    assert end_silence(silence.silence_id, bench.hands) == 0
    assert bench.hands.controls.silences(NOON + HOUR) == ()


def test_of_several_silences_the_one_that_lasts_longest_counts() -> None:
    bench = AlertBench()
    begin_silence(a_silence(), bench.hands)
    longest = begin_silence(a_silence(until=NOON + 3 * HOUR, reason="move"), bench.hands)
    bench.told(about())
    assert bench.record(about()).silenced_by == longest.silence_id


def test_a_silence_is_over_at_its_end_and_not_a_moment_later() -> None:
    silence = a_silence()
    assert silence_over(about(), (silence,), NOON) == silence
    assert silence_over(about(), (silence,), silence.until - timedelta(microseconds=1)) == silence
    assert silence_over(about(), (silence,), silence.until) is None
    assert silence_over(about(), (silence,), NOON - timedelta(microseconds=1)) is None


def test_what_another_silence_has_taken_over_is_not_freed_by_the_end_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list may lag behind: it shows the alert under the silence that it was under before."""
    bench = AlertBench()
    first = begin_silence(a_silence(), bench.hands)
    begin_silence(a_silence(until=NOON + 3 * HOUR, reason="move"), bench.hands)
    bench.told(about())
    before = bench.record(about())
    monkeypatch.setattr(type(bench.hands.dispatches), "silenced", lambda *_, **__: (before,))
    end_silence(first.silence_id, bench.hands)
    assert bench.record(about()) == before


def test_ending_what_is_not_there_says_so() -> None:
    bench = AlertBench()
    with pytest.raises(NotFound, match="no silence is named 'abc'"):
        end_silence("abc", bench.hands)


def test_ending_again_after_a_crash_in_the_middle_frees_the_rest() -> None:
    bench = AlertBench()
    silence = begin_silence(a_silence(), bench.hands)
    bench.told(about())
    bench.hands.controls.put_silence(replace(silence, until=NOON))
    assert end_silence(silence.silence_id, bench.hands) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"reason": "  "}, "needs a reason"), ({"until": NOON}, "over at"), ({"until": NOON - HOUR}, "over")],
)
def test_a_silence_without_reason_or_without_time_is_refused(fields: dict[str, Any], words: str) -> None:
    bench = AlertBench()
    with pytest.raises(ValueError, match=words):
        begin_silence(a_silence(**fields), bench.hands)
    assert bench.hands.controls.silences(NOON) == ()


def test_a_silence_is_named_after_what_it_says() -> None:
    one = silence_named(a_silence())
    assert one == silence_named(replace(one, silence_id="whatever"))
    assert one.silence_id != silence_named(a_silence(tier=2)).silence_id
