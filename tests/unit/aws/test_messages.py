"""A queue delivers a message once or more often, and late: for each kind of request, the second time changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.aws.queues import DAY, Line, a_line

from interlock.core.runs import RunStatus
from interlock.ports.controls import Silence
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.server.doorway import SAFE
from interlock.server.kinds import kinds

RUN = f"others:daily:{DAY}:1"
WHY = {"reason": "a story"}
NAMES = ("orders", "others", "pushed")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with a_line(tmp_path / "project") as found:
        yield found


def running(line: Line) -> None:
    line.send("Run", pipelineId="others")


def failed(line: Line) -> None:
    running(line)
    line.send("CancelRun", runId=RUN, **WHY)


def again(line: Line) -> None:
    failed(line)
    line.send("Rerun", pipelineId="others", originalDate=DAY, **WHY)


def late_data(line: Line) -> None:
    running(line)
    line.send("CompleteRun", runId=RUN, status="success")
    line.later(minutes=1)
    line.send("SendMarker", pipelineId="others", source="a file", date=DAY)


def silenced(line: Line) -> None:
    line.send("BeginSilence", pipeline="orders", **WHY, **{"for": "2h"})


def nothing(_: Line) -> None:
    """Prepare nothing."""


SENSOR = {"pipelineId": "orders", "key": "rows"}
TWICE: dict[str, tuple[Callable[[Line], None], dict[str, Any]]] = {
    "Evaluate": (nothing, {"pipelineId": "orders"}),
    "PushTrait": (nothing, {"pipelineId": "pushed", "traitType": "data-check", "status": "PASS"}),
    "Run": (nothing, {"pipelineId": "others"}),
    "CompleteRun": (running, {"runId": RUN, "status": "failed"}),
    "AcceptRun": (late_data, {"runId": RUN, **WHY}),
    "CancelRun": (running, {"runId": RUN, **WHY}),
    "Cancel": (running, {"pipelineId": "others", **WHY}),
    "Rerun": (failed, {"pipelineId": "others", "originalDate": DAY, **WHY}),
    "CompleteRerun": (again, {"rerunId": f"others:daily:{DAY}:2", "status": "success"}),
    "Replay": (nothing, {"pipelineId": "others", "date": "2026-03-05", **WHY}),
    "Backfill": (nothing, {"pipelineId": "others", "from": "2026-03-01", "to": "2026-03-01"}),
    "KeepGate": (nothing, {"runId": RUN, "attempt": 1}),
    "Ping": (nothing, {"pipelineId": "others", "what": "success"}),
    "ResolveAlert": (late_data, {"alertId": f"late_data/{RUN}", **WHY}),
    "TestAlert": (nothing, {}),
    "BeginSilence": (nothing, {"pipeline": "orders", "for": "2h", **WHY}),
    "EndSilence": (silenced, {}),
    "Pause": (nothing, {"pipelineId": "orders", "for": "2h", **WHY}),
    "Resume": (nothing, {"pipelineId": "orders"}),
    "SendMarker": (nothing, {"pipelineId": "others", "source": "a file", "date": DAY}),
    "PutSensor": (nothing, {**SENSOR, "data": {"n": 1}}),
    "MergeSensor": (nothing, {**SENSOR, "data": {"n": 1}}),
    "IncrementSensor": (nothing, {**SENSOR, "field": "n"}),
    "AddToSensorSet": (nothing, {**SENSOR, "field": "parts", "members": ["a"]}),
}
REFUSED = {"OpenGate", "KeepGate", "RegisterPipeline", "RemovePipeline"}


def standing(line: Line) -> dict[str, Any]:
    """Return all that a second delivery could spoil."""
    hands, work = line.work.hands, line.work
    alerts = [hands.dispatches.alert(f"late_data/{RUN}")]
    return {
        "runs": [(run.key.run_id, run.status, run.attempt) for name in NAMES for run in line.runs(name)],
        "started": line.started,
        "sensors": [(each.data.text, each.version) for each in work.sensors.sensors("orders", limit=9)],  # type: ignore[arg-type]
        "pauses": [(each.until, each.reason) for each in hands.controls.pauses(work.clock.now())],
        "silences": [(each.silence_id, each.until) for each in hands.controls.silences(work.clock.now())],
        "markers": [(each.at, each.source) for name in NAMES for each in hands.controls.markers(name, limit=9)],  # type: ignore[arg-type]
        "pushed": [(each.status, each.pushed_at) for each in work.pushes.get_push("pushed", "data-check")],  # type: ignore[arg-type]
        "alerts": [(each.alert.alert_id, each.state, each.notices) for each in alerts if each is not None],
    }


def fields_of(line: Line, name: str) -> dict[str, Any]:
    fields = TWICE[name][1]
    return {"silenceId": the_silence(line).silence_id} if name == "EndSilence" else fields


def the_silence(line: Line) -> Silence:
    (silence,) = line.work.hands.controls.silences(line.work.clock.now())
    return silence


def test_every_kind_of_request_is_tried_twice_or_refused() -> None:
    assert set(TWICE) | REFUSED == {kind.__name__ for kind in kinds() if kind.endpoint.method not in SAFE}


@pytest.mark.parametrize("name", sorted(set(TWICE) - REFUSED))
def test_what_is_delivered_twice_is_done_once_and_is_no_failure(line: Line, name: str) -> None:
    TWICE[name][0](line)
    message = line.send(name, **fields_of(line, name))
    once = standing(line)
    assert line.kept.items == []
    line.later(minutes=7)
    assert line.once_more(message) == []
    assert standing(line) == once
    assert line.kept.items == []


@pytest.mark.parametrize("name", sorted(set(TWICE) - REFUSED - {"Evaluate", "TestAlert", "AcceptRun", "Resume"}))
def test_each_of_them_does_something_the_first_time(line: Line, name: str) -> None:
    """What does nothing at all is the same twice, too."""
    TWICE[name][0](line)
    before = standing(line)
    line.send(name, **fields_of(line, name))
    assert standing(line) != before


# ---------------------------------------------------------------- what was said later counts


def test_a_marker_that_comes_twice_is_not_taken_for_data_that_came_late(line: Line) -> None:
    message = line.send("SendMarker", pipelineId="orders", source="a file", date=DAY)
    line.send("Run", pipelineId="orders")
    line.send("CompleteRun", runId=f"orders:daily:{DAY}:1", status="success")
    line.later(minutes=10)
    assert line.once_more(message) == []
    assert line.work.hands.dispatches.alert(f"late_data/orders:daily:{DAY}:1") is None
    assert len(line.runs()) == 1


def test_an_older_result_that_comes_late_does_not_open_the_gate_that_a_newer_one_shut(line: Line) -> None:
    result = {"pipelineId": "pushed", "traitType": "data-check"}
    message = line.send("PushTrait", **result, status="PASS")
    line.later(minutes=1)
    line.send("PushTrait", **result, status="FAIL")
    line.later(minutes=1)
    assert line.once_more(message) == []
    (pushed,) = line.work.pushes.get_push("pushed", "data-check")  # type: ignore[arg-type]
    assert pushed.status == "FAIL"


def test_a_result_that_was_on_its_way_while_its_run_asked_wakes_it_all_the_same(line: Line) -> None:
    message = line.message(
        {"request": "PushTrait", "pipelineId": "pushed", "traitType": "data-check", "status": "PASS"}
    )
    line.later(seconds=5)
    line.send("Run", pipelineId="pushed")
    (before,) = line.runs("pushed")
    line.later(seconds=5)
    assert line.take(message) == []
    (after,) = line.runs("pushed")
    assert after.round > before.round


def test_a_failure_that_is_told_twice_does_not_end_the_next_attempt(line: Line) -> None:
    running(line)
    message = line.send("CompleteRun", runId=RUN, status="failed", category="TRANSIENT")
    (waits,) = line.runs("others")
    assert waits.not_before is not None
    line.clock.move_to(waits.not_before + timedelta(seconds=1))
    Driver(line.work.hands, SystemPacer(line.work.clock)).drive(waits.key, wait=False)
    assert [(run.status, run.attempt) for run in line.runs("others")] == [(RunStatus.RUNNING, 2)]
    assert line.once_more(message) == []
    assert [(run.status, run.attempt) for run in line.runs("others")] == [(RunStatus.RUNNING, 2)]


def test_a_run_that_is_asked_for_twice_starts_one_job(line: Line) -> None:
    message = line.send("Run", pipelineId="orders")
    line.later(minutes=7)
    assert line.once_more(message) == []
    assert line.kept.items == []
    assert line.runs()[0].attempt == 1


def test_a_report_from_before_the_first_attempt_tells_of_none(line: Line) -> None:
    early = line.message({"request": "CompleteRun", "runId": RUN, "status": "success"})
    line.later(minutes=1)
    running(line)
    assert line.take(early) == []
    assert "no attempt" in line.kept.reasons[0]
    assert line.runs("others")[0].status is RunStatus.RUNNING


def test_a_cancellation_never_ends_a_run_that_was_opened_after_it_was_sent(line: Line) -> None:
    message = line.message({"request": "Cancel", "pipelineId": "others", "reason": "a story"})
    line.later(minutes=1)
    running(line)
    assert line.take(message) == []
    assert "was opened since this message was sent" in line.kept.reasons[0]
    assert line.runs("others")[0].status is RunStatus.RUNNING


@pytest.mark.parametrize(
    "request_of", [{"request": "Rerun", "originalDate": DAY, **WHY}, {"request": "Replay", "date": DAY, **WHY}]
)
def test_a_slot_that_has_run_since_is_not_run_again(line: Line, request_of: dict[str, str]) -> None:
    failed(line)
    line.later(minutes=1)
    message = line.message({**request_of, "pipelineId": "others"})
    line.later(minutes=1)
    line.send("Rerun", pipelineId="others", originalDate=DAY, **WHY)
    line.send("CancelRun", runId=f"others:daily:{DAY}:2", **WHY)
    assert line.take(message) == []
    assert "since this message was sent" in line.kept.reasons[0]
    assert len(line.runs("others")) == 2


def test_a_rerun_is_known_by_its_message_when_it_has_ended_long_ago(line: Line) -> None:
    failed(line)
    line.later(minutes=1)
    message = line.send("Rerun", pipelineId="others", originalDate=DAY, **WHY)
    line.send("CancelRun", runId=f"others:daily:{DAY}:2", **WHY)
    line.later(minutes=1)
    line.send("Rerun", pipelineId="others", originalDate=DAY, **WHY)
    line.send("CancelRun", runId=f"others:daily:{DAY}:3", **WHY)
    line.later(minutes=1)
    assert line.once_more(message) == []
    assert len(line.runs("others")) == 3
    assert line.kept.items == []
    assert message["messageId"] in line.runs("others")[1].note


def test_a_backfill_does_not_run_again_what_has_failed_since(line: Line) -> None:
    message = line.send("Backfill", pipelineId="others", **{"from": "2026-03-01", "to": "2026-03-02"}, max=1)
    (run,) = line.runs("others")
    line.later(seconds=10)
    line.send("CancelRun", runId=run.key.run_id, **WHY)
    line.later(minutes=7)
    assert line.once_more(message) == []
    assert len(line.runs("others")) == 1
    assert "since this message was sent" in line.kept.reasons[0]


def test_a_run_that_was_asked_for_yesterday_does_not_take_todays_slot(line: Line) -> None:
    message = line.message({"request": "Run", "pipelineId": "orders"})
    line.later(days=1)
    assert line.take(message) == []
    assert "has begun since this message was sent" in line.kept.reasons[0]
    assert line.started == []


def test_a_ping_is_about_the_slot_that_was_the_current_one_when_it_was_sent(line: Line) -> None:
    message = line.message({"request": "Ping", "pipelineId": "others", "what": "start"})
    line.later(days=1)
    assert line.take(message) == []
    assert [run.key.slot.period for run in line.runs("others")] == [DAY]


def test_a_pause_that_somebody_ended_does_not_begin_again(line: Line) -> None:
    message = line.send("Pause", pipelineId="orders", **WHY, **{"for": "2h"})
    line.later(minutes=1)
    line.send("Resume", pipelineId="orders")
    line.later(minutes=1)
    assert line.once_more(message) == []
    assert line.work.hands.controls.pauses(line.work.clock.now()) == ()
    assert line.kept.items == []


def test_a_resumption_does_not_end_a_pause_that_began_after_it_was_sent(line: Line) -> None:
    message = line.send("Resume", pipelineId="orders")
    line.later(minutes=1)
    line.send("Pause", pipelineId="orders", **WHY, **{"for": "2h"})
    line.later(minutes=1)
    assert line.once_more(message) == []
    assert len(line.work.hands.controls.pauses(line.work.clock.now())) == 1
    assert "was paused by" in line.kept.reasons[0]


def test_a_pause_ends_when_it_would_have_ended_however_late_it_comes(line: Line) -> None:
    sent = line.work.clock.now()
    message = line.message({"request": "Pause", "pipelineId": "orders", **WHY, "for": "2h"}, sent=sent)
    line.later(hours=1)
    assert line.take(message) == []
    (pause,) = line.work.hands.controls.pauses(line.work.clock.now())
    assert abs(pause.until - sent - timedelta(hours=2)) < timedelta(seconds=1)
    late = line.message({"request": "Pause", "pipelineId": "others", **WHY, "for": "5m"}, sent=sent)
    assert line.take(late) == []
    assert "is over" in line.kept.reasons[0]


def test_a_silence_that_somebody_ended_does_not_begin_again(line: Line) -> None:
    message = line.send("BeginSilence", pipeline="orders", **WHY, **{"for": "2h"})
    line.later(minutes=1)
    line.send("EndSilence", silenceId=the_silence(line).silence_id)
    line.later(minutes=1)
    assert line.once_more(message) == []
    assert line.work.hands.controls.silences(line.work.clock.now()) == ()


def test_an_alert_that_was_opened_anew_is_not_resolved_by_what_was_said_before(line: Line) -> None:
    late_data(line)
    alert = f"late_data/{RUN}"
    sent = line.work.clock.now() - timedelta(minutes=5)
    message = line.message({"request": "ResolveAlert", "alertId": alert, **WHY}, sent=sent)
    assert line.take(message) == []
    record = line.work.hands.dispatches.alert(alert)
    assert record is not None
    assert record.resolved_at is None
    assert "was opened since" in line.kept.reasons[0]


def test_ending_a_silence_that_never_was_is_told_the_first_time(line: Line) -> None:
    line.send("EndSilence", silenceId="nothing")
    assert line.kept.reasons[0].startswith("not_found")
