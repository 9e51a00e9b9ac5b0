"""Pauses, silences and markers, over every kernel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.ids import PipelineName
from interlock.errors import Contention
from interlock.ports.controls import Marker, Pause, Silence
from interlock.stores.controls import MARKERS_KEPT, ControlRows
from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.stores.sqlite.kernel import SqliteKernel
from interlock.testing.builders import MINUTE, NOON, SECOND, a_slot
from interlock.testing.conformance.kernel_values import at_once
from interlock.testing.faults import FaultyKernel

DAY = timedelta(days=1)
EXAMPLE = PipelineName("example")
FOR_EVER = datetime.max.replace(tzinfo=UTC)
AWKWARD = ("", "a", "A", "a#b", "a/b", "%", "%0023", "#", "nul\0", "日本", "x" * 5000, "x" * 5001, " a")
PAUSE = Pause(pipeline=EXAMPLE, at=NOON, until=NOON + DAY, actor="ann", reason="migration")
SILENCE = Silence(silence_id="s1", at=NOON, until=NOON + DAY, actor="ann", reason="known", pipeline="example")
MARKER = Marker(slot=a_slot(), source="landing", at=NOON)


@pytest.fixture
def rows(kernel: Kernel) -> ControlRows:
    return ControlRows(kernel)


def _told(kernel: Kernel, pipeline: str = "example") -> list[tuple[EventKind, str]]:
    return [(line.record.kind, line.record.message) for line in Repository(kernel).timeline(pipeline, limit=99)]


def test_a_pause_is_in_force_from_its_beginning_until_its_end(rows: ControlRows) -> None:
    rows.put_pause(PAUSE)
    assert rows.pause(EXAMPLE) == PAUSE
    assert [rows.pauses(at) for at in (NOON - SECOND, NOON, NOON + DAY - SECOND, NOON + DAY)] == [
        (),
        (PAUSE,),
        (PAUSE,),
        (),
    ]
    assert rows.pause(PipelineName("other")) is None


def test_pauses_come_by_pipeline_however_many_are_over(rows: ControlRows) -> None:
    """T-65, BUG-41."""
    for number in range(900):
        until = NOON + (DAY if number % 3 else -SECOND) + number * SECOND * (number % 3)
        rows.put_pause(replace(PAUSE, pipeline=PipelineName(f"p-{number:03d}"), at=NOON - DAY, until=until))
    assert [pause.pipeline for pause in rows.pauses(NOON)] == [f"p-{number:03d}" for number in range(900) if number % 3]


def test_a_pause_can_be_changed_and_ended_and_each_is_told(kernel: Kernel, rows: ControlRows) -> None:
    """T-107: who did it, until when, and why."""
    longer = replace(PAUSE, at=NOON + MINUTE, until=NOON + 2 * DAY)
    rows.put_pause(PAUSE)
    rows.put_pause(longer)
    assert rows.pauses(NOON + MINUTE) == (longer,)
    assert rows.end_pause(EXAMPLE, NOON + 2 * MINUTE, "bob")
    assert rows.pauses(NOON + 2 * MINUTE) == ()
    assert rows.pause(EXAMPLE) == replace(longer, until=NOON + 2 * MINUTE)
    assert _told(kernel) == [
        (EventKind.PIPELINE_PAUSED, "by ann until 2026-03-08T12:00:00+00:00: migration"),
        (EventKind.PIPELINE_PAUSED, "by ann until 2026-03-09T12:00:00+00:00: migration"),
        (EventKind.PIPELINE_RESUMED, "by bob"),
    ]
    line = Repository(kernel).timeline("example", limit=1)[0]
    assert (line.schedule, line.period, line.run_id) == ("", "", "")


def test_the_same_pause_twice_is_one_and_is_told_once(kernel: Kernel, rows: ControlRows) -> None:
    """T-119."""
    rows.put_pause(PAUSE)
    rows.put_pause(PAUSE)
    assert len(_told(kernel)) == 1


def test_a_pause_that_is_none_or_over_cannot_be_ended(kernel: Kernel, rows: ControlRows) -> None:
    assert not rows.end_pause(EXAMPLE, NOON, "bob")
    rows.put_pause(PAUSE)
    assert not rows.end_pause(EXAMPLE, NOON + DAY, "bob")
    assert rows.end_pause(EXAMPLE, NOON + MINUTE, "bob")
    assert not rows.end_pause(EXAMPLE, NOON + MINUTE, "bob")
    assert len(_told(kernel)) == 2


def test_a_pause_that_has_not_begun_can_be_ended(rows: ControlRows) -> None:
    rows.put_pause(PAUSE)
    assert rows.end_pause(EXAMPLE, NOON - DAY, "bob")
    assert rows.pauses(NOON) == ()


def test_of_many_who_end_a_pause_at_once_one_does(kernel: Kernel, rows: ControlRows) -> None:
    """BUG-05."""
    rows.put_pause(PAUSE)
    assert at_once(8, lambda _: rows.end_pause(EXAMPLE, NOON + MINUTE, "bob")).count(True) == 1
    assert len(_told(kernel)) == 2


def test_many_who_pause_at_once_leave_one_pause_and_tell_every_change(kernel: Kernel, rows: ControlRows) -> None:
    """LAT-29."""
    pauses = [replace(PAUSE, until=NOON + (me + 1) * DAY) for me in range(6)]
    at_once(6, lambda me: rows.put_pause(pauses[me]))
    assert rows.pause(EXAMPLE) in pauses
    assert len(_told(kernel)) == 6


def test_a_silence_is_listed_until_it_is_over(rows: ControlRows) -> None:
    other = replace(
        SILENCE, silence_id="s0", until=NOON + 2 * DAY, pipeline="", alert_type=AlertType.RUN_FAILED, tier=1
    )
    rows.put_silence(SILENCE)
    rows.put_silence(other)
    assert rows.silences(NOON - DAY) == rows.silences(NOON) == (other, SILENCE)
    assert rows.silences(NOON + DAY) == (other,)
    assert rows.silences(NOON + 2 * DAY) == ()


def test_a_silence_can_be_ended_early(rows: ControlRows) -> None:
    rows.put_silence(SILENCE)
    rows.put_silence(replace(SILENCE, until=NOON + MINUTE))
    assert rows.silences(NOON + MINUTE) == ()


def test_a_silence_about_one_pipeline_is_told_there_and_others_nowhere(kernel: Kernel, rows: ControlRows) -> None:
    rows.put_silence(SILENCE)
    rows.put_silence(SILENCE)
    for number, pattern in enumerate(("", "*", "example*", "exampl?")):
        rows.put_silence(replace(SILENCE, silence_id=f"p{number}", pipeline=pattern))
    assert _told(kernel) == [(EventKind.ALERTS_SILENCED, "by ann until 2026-03-08T12:00:00+00:00: known")]
    assert len(rows.silences(NOON)) == 5


def test_silences_have_any_id_and_come_by_it(rows: ControlRows) -> None:
    """T-64, LAT-17, BUG-122."""
    for silence_id in AWKWARD:
        rows.put_silence(replace(SILENCE, silence_id=silence_id, pipeline=""))
    assert [silence.silence_id for silence in rows.silences(NOON)] == sorted(AWKWARD)


def test_many_silences_are_all_there(rows: ControlRows) -> None:
    """BUG-41."""
    for number in range(501):
        rows.put_silence(replace(SILENCE, silence_id=f"s{number:03d}", pipeline=""))
    assert len(rows.silences(NOON)) == 501


def test_a_silence_is_garbage_some_time_after_its_end_and_can_come_again(kernel: Kernel, rows: ControlRows) -> None:
    rows.put_silence(SILENCE)
    assert kernel.purge(SILENCE.until, 9) == 0
    assert kernel.purge(SILENCE.until + DAY, 9) == 1
    rows.put_silence(replace(SILENCE, until=NOON + 9 * DAY))
    assert len(rows.silences(NOON + 8 * DAY)) == 1
    assert len(_told(kernel)) == 1


def test_a_silence_may_last_as_long_as_there_are_dates(rows: ControlRows) -> None:
    """BUG-107."""
    rows.put_silence(replace(SILENCE, until=FOR_EVER))
    rows.put_pause(replace(PAUSE, until=FOR_EVER))
    assert len(rows.silences(NOON)) == len(rows.pauses(NOON)) == 1


def test_markers_come_latest_first_and_of_one_pipeline(rows: ControlRows) -> None:
    """LAT-30."""
    markers = [replace(MARKER, at=NOON + minute * MINUTE) for minute in (1, 3, 2)]
    for marker in [*markers, replace(MARKER, slot=a_slot(pipeline="example-2"))]:
        rows.put_marker(marker)
    assert rows.markers(EXAMPLE, limit=9) == (markers[1], markers[2], markers[0])
    assert rows.markers(EXAMPLE, limit=2) == (markers[1], markers[2])
    assert rows.markers(PipelineName("exampl"), limit=9) == ()


def test_the_same_marker_twice_is_one_and_is_told_once(kernel: Kernel, rows: ControlRows) -> None:
    """T-119, LAT-24."""
    at_once(6, lambda _: rows.put_marker(MARKER))
    assert rows.markers(EXAMPLE, limit=9) == (MARKER,)
    assert _told(kernel) == [(EventKind.MARKER_RECEIVED, "from landing")]


@pytest.mark.parametrize(
    "change",
    [
        lambda marker: replace(marker, source="landing2"),
        lambda marker: replace(marker, at=NOON + timedelta(microseconds=1)),
        lambda marker: replace(marker, slot=a_slot("2026-03-08")),
        lambda marker: replace(marker, slot=a_slot(schedule="hourly")),
    ],
)
def test_markers_that_differ_in_anything_are_two(rows: ControlRows, change: Callable[[Marker], Marker]) -> None:
    """T-64, LAT-24."""
    rows.put_marker(MARKER)
    rows.put_marker(change(MARKER))
    assert len(rows.markers(EXAMPLE, limit=9)) == 2


def test_the_source_of_a_marker_is_any_text(rows: ControlRows) -> None:
    """T-64, T-82, LAT-17."""
    for source in AWKWARD:
        rows.put_marker(replace(MARKER, source=source))
    assert sorted(marker.source for marker in rows.markers(EXAMPLE, limit=99)) == sorted(AWKWARD)


def test_a_marker_is_garbage_after_a_month_and_its_line_is_kept(kernel: Kernel, rows: ControlRows) -> None:
    rows.put_marker(MARKER)
    assert kernel.purge(NOON + MARKERS_KEPT - SECOND, 9) == 0
    assert kernel.purge(NOON + MARKERS_KEPT, 9) == 1
    assert rows.markers(EXAMPLE, limit=9) == ()
    assert len(_told(kernel)) == 1
    rows.put_marker(replace(MARKER, at=FOR_EVER))


@pytest.mark.parametrize(
    "act",
    [
        lambda rows: rows.put_pause(PAUSE),
        lambda rows: rows.end_pause(EXAMPLE, NOON + MINUTE, "bob"),
        lambda rows: rows.put_silence(SILENCE),
    ],
)
def test_who_never_gets_a_turn_is_told_so(
    act: Callable[[ControlRows], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = MemoryKernel()
    ControlRows(kernel).put_pause(replace(PAUSE, reason="another"))
    monkeypatch.setattr(kernel, "commit", lambda _pk, _batch: False)
    with pytest.raises(Contention, match="Nothing was written; try again"):
        act(ControlRows(kernel))


@pytest.mark.parametrize("after", [False, True])
def test_a_pause_whose_answer_was_lost_is_put_again_without_harm(*, after: bool) -> None:
    """T-119: a commit of unknown outcome is repeated."""
    kernel = FaultyKernel(MemoryKernel())
    kernel.fail_at(1, after=after)
    with pytest.raises(Exception, match="did not answer"):
        ControlRows(kernel).put_pause(PAUSE)
    kernel.heal()
    ControlRows(kernel).put_pause(PAUSE)
    assert len(_told(kernel)) == 1


def test_controls_are_there_after_a_restart(tmp_path: Path) -> None:
    kernel = SqliteKernel(tmp_path / "store.db")
    rows = ControlRows(kernel)
    rows.put_pause(PAUSE)
    rows.put_silence(SILENCE)
    rows.put_marker(MARKER)
    kernel.close()
    kernel = SqliteKernel(tmp_path / "store.db")
    rows = ControlRows(kernel)
    assert (rows.pauses(NOON), rows.silences(NOON), rows.markers(EXAMPLE, limit=9)) == ((PAUSE,), (SILENCE,), (MARKER,))
    kernel.close()
