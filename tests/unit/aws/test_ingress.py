"""Requests out of a queue: what is done, what is kept for people, what comes again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.acceptance.cli import a_script
from tests.unit.aws.queues import ARN, DAY, SENDER, Line, a_line
from tests.unit.aws.urls import Call

from interlock.aws import ingress
from interlock.aws.ingress import called
from interlock.aws.requests import PATIENCE
from interlock.core.runs import RunStatus
from interlock.errors import Contention, Invalid, NotFound, StoreUnavailable
from interlock.operations import controlling, sensing
from interlock.operations.performing import function_of
from interlock.runtime.clock import SystemPacer
from interlock.runtime.driver import Driver
from interlock.server.doorway import SAFE
from interlock.server.kinds import Kind, kinds

ACTING = [kind for kind in kinds() if kind.endpoint.method not in SAFE]
LOOKING = [kind for kind in kinds() if kind.endpoint.method in SAFE]
MARKER = {"request": "SendMarker", "pipelineId": "orders", "source": "a file", "date": DAY}


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with a_line(tmp_path / "project") as found:
        yield found


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def fail(module: Any, name: str, error: Exception) -> None:
        def raising(*_: object) -> None:
            raise error

        monkeypatch.setattr(module, name, raising)
        function_of.cache_clear()

    yield fail
    function_of.cache_clear()


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("kind", ACTING, ids=lambda kind: kind.__name__)
def test_whatever_changes_something_can_be_sent_by_its_name(kind: Kind) -> None:
    with suppress(Invalid):
        assert type(ingress.said_by({"request": kind.__name__}).request) is kind
        return
    with pytest.raises(Invalid, match="missing"):  # a field, and not the request
        ingress.said_by({"request": kind.__name__})


@pytest.mark.parametrize("kind", LOOKING, ids=lambda kind: kind.__name__)
def test_what_only_looks_has_nobody_to_answer_in_a_queue(kind: Kind) -> None:
    with pytest.raises(Invalid, match="only looks"):
        ingress.said_by({"request": kind.__name__})


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[]", "expected a JSON object"),
        ("7", "expected a JSON object"),
        ("{}", "there are: Evaluate"),
        ('{"request": "SendMarkr", "pipelineId": "orders"}', "did you mean SendMarker"),
        ('{"request": 7}', "request"),
        ('{"request": "SendMarker", "request": "Pause"}', "there twice"),
        ('{"request": "SendMarker", "source": "x"}', "missing: `pipelineId`"),
        ('{"request": "SendMarker", "pipelineId": "orders", "source": "x", "dat": "2026-03-07"}', "did you mean date"),
        ('{"request": "SendMarker", "pipelineId": "orders", "source": 7}', "source: expected"),
        ('{"request": "Resume", "pipelineId": "orders", "reason": "x"}', "'reason'"),
        ('{"request": "RegisterPipeline", "name": "x", "document": {}}', "'name' is no field"),
        (
            '{"request": "SendMarker", "pipelineId": "ordres", "source": "x", "date": "2026-03-07"}',
            "did you mean orders",
        ),
        ('{"request": "Pause", "pipelineId": "ordres", "reason": "x", "for": "2h"}', "did you mean orders"),
        ('{"request": "Pause", "pipelineId": "orders", "reason": " ", "for": "2h"}', "reason: say something"),
        ('{"request": "CompleteRun", "runId": "orders:daily:2026-03-07:1", "status": "success"}', "there is no run"),
        ('{"request": "OpenGate", "pipelineId": "orders"}', "a queue has none"),
    ],
)
def test_what_is_refused_for_good_is_kept_with_the_reason_and_taken_away(line: Line, body: str, word: str) -> None:
    message = line.message(body)
    assert line.take(message) == []
    ((reason, kept),) = line.kept.items
    assert word in reason
    assert kept["message"] == body
    assert kept["messageId"] == message["messageId"]
    assert kept["attributes"] == message["attributes"]
    assert kept["receivedAt"].startswith("2026-03-07T12:00")


def test_a_request_may_be_what_an_event_of_eventbridge_tells(line: Line) -> None:
    event = {"version": "0", "id": "event-1", "detail-type": "arrived", "source": "loader", "detail": MARKER}
    assert line.take(line.message(event)) == []
    assert [run.key.run_id for run in line.runs()] == [f"orders:daily:{DAY}:1"]
    put = {"request": "IncrementSensor", "pipelineId": "orders", "key": "rows", "field": "n"}
    # EventBridge itself may put an event into the queue twice, as two messages.
    for _ in range(2):
        assert line.take(line.message({**event, "id": "event-2", "detail": put})) == []
    assert called({"request": "IncrementSensor", **put, "by": 0}, Call(), line.work)["sensor"]["data"] == {"n": 1}
    assert line.kept.items == []


# ---------------------------------------------------------------- taking


def test_who_sent_a_message_is_written_down_by_the_name_that_the_queue_knows(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "interlock.audit"):
        line.send("Pause", pipelineId="orders", reason="a story", **{"for": "2h"})
    (record,) = (vars(each) for each in caplog.records if each.name == "interlock.audit")
    assert (record["actor"], record["operation"], record["status"]) == (f"queue:{SENDER}", "Pause", 200)
    (pause,) = line.work.hands.controls.pauses(line.work.clock.now())
    assert pause.actor == f"queue:{SENDER}"


def test_who_cannot_be_known_is_written_down_as_the_queue(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "interlock.audit"):
        line.take(line.message({"request": "Resume", "pipelineId": "orders"}, SenderId=""))
    assert f"queue:{ARN.rpartition(':')[2]} Resume orders" in caplog.text


@pytest.mark.parametrize("trouble", [StoreUnavailable("no answer"), Contention("others were faster")])
def test_trouble_that_may_pass_brings_back_that_message_alone(line: Line, failing: Any, trouble: Exception) -> None:
    failing(controlling, "pause", trouble)
    good = [
        line.message({"request": "PutSensor", "pipelineId": "orders", "key": key, "data": {}}) for key in ("a", "b")
    ]
    bad = line.message({"request": "Pause", "pipelineId": "orders", "reason": "x", "for": "2h"})
    assert line.take(good[0], bad, good[1]) == [bad["messageId"]]
    assert len(line.work.sensors.sensors("orders", limit=9)) == 2  # type: ignore[arg-type]
    assert line.kept.items == []


def test_a_fault_that_nobody_foresaw_is_told_and_brings_back_that_message_alone(
    line: Line, failing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    failing(sensing, "put_sensor", ZeroDivisionError("a bug"))
    bad = line.message({"request": "PutSensor", "pipelineId": "orders", "key": "a", "data": {}})
    assert line.take(bad, line.message(MARKER)) == [bad["messageId"]]
    assert len(line.runs()) == 1
    assert any(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


def test_what_cannot_be_kept_in_the_failure_queue_comes_again(line: Line) -> None:
    line.kept.broken = True
    bad, good = line.message("{"), line.message(MARKER)
    assert line.take(bad, good) == [bad["messageId"]]


def test_what_there_is_no_time_for_is_not_begun_and_comes_again(line: Line) -> None:
    message = line.message(MARKER)
    assert line.take(message, left=4.0) == [message["messageId"]]
    assert line.runs() == ()
    assert line.kept.items == []


def test_in_a_group_of_a_fifo_queue_nothing_overtakes_what_comes_again(line: Line, failing: Any) -> None:
    failing(controlling, "pause", StoreUnavailable("no answer"))
    put = {"request": "PutSensor", "pipelineId": "orders", "key": "a", "data": {}}
    first = line.message({"request": "Pause", "pipelineId": "orders", "reason": "x", "for": "2h"}, MessageGroupId="one")
    behind, beside = line.message(put, MessageGroupId="one"), line.message(put, MessageGroupId="two")
    assert line.take(first, behind, beside) == [first["messageId"], behind["messageId"]]
    (sensor,) = line.work.sensors.sensors("orders", limit=9)  # type: ignore[arg-type]
    assert sensor.version == 1


def test_records_of_anything_but_a_queue_are_not_taken_for_messages(line: Line) -> None:
    with pytest.raises(Invalid, match="only messages of SQS"):
        line.take({"eventSource": "aws:s3", "s3": {}})


def test_a_run_that_is_not_ready_waits_and_that_is_no_failure(line: Line) -> None:
    line.send("Run", pipelineId="pushed")
    assert [run.status for run in line.runs("pushed")] == ["PENDING"]
    assert line.kept.items == []


# ---------------------------------------------------------------- waiting for what comes of it


@pytest.fixture
def waits(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Put the function over the project; what is returned fills with the instants until which something waits."""
    until: list[datetime] = []

    def wait(_pacer: SystemPacer, when: datetime) -> None:
        until.append(when)
        line.later(seconds=1)

    monkeypatch.setattr(SystemPacer, "until", wait)
    monkeypatch.setattr(ingress, "_OFFICE", lambda: SimpleNamespace(work=line.work, failures=line.kept))
    return until


def test_nothing_waits_for_a_run_that_a_message_asked_for(line: Line, waits: list[datetime]) -> None:
    """AWS-33: nobody hears the answer, and ten messages that wait take the function's time away."""
    message = line.message({"request": "Run", "pipelineId": "orders"})
    assert ingress.handler({"Records": [message]}, Call(60)) == {"batchItemFailures": []}
    (run,) = line.runs()
    assert (run.status, waits, line.kept.items) == (RunStatus.PENDING, [], [])


def test_nothing_waits_for_a_job_to_stop_that_a_message_asked_for(line: Line, waits: list[datetime]) -> None:
    a_script(line.root / "job", "sleep 60")
    line.send("Run", pipelineId="orders")
    (run,) = line.runs()
    assert run.status is RunStatus.RUNNING
    line.later(seconds=5)
    waits.clear()
    message = line.message({"request": "CancelRun", "runId": run.key.run_id, "reason": "a story"})
    assert ingress.handler({"Records": [message]}, Call(60)) == {"batchItemFailures": []}
    (run,) = line.runs()
    assert (run.status, waits, line.kept.items) == (RunStatus.CANCELLED, [], [])
    Driver(line.work.hands, SystemPacer(line.work.clock)).catch_up(run.key)


def test_a_direct_call_waits_for_a_while_because_it_hears_the_answer(line: Line, waits: list[datetime]) -> None:
    began = line.work.clock.now()
    assert ingress.handler({"request": "Run", "pipelineId": "orders"}, Call(60))["status"] == "PENDING"
    assert waits
    assert PATIENCE <= line.work.clock.now() - began < PATIENCE + timedelta(seconds=2)


# ---------------------------------------------------------------- directly


def test_a_direct_call_gets_the_answer_or_what_went_wrong(line: Line) -> None:
    assert called(MARKER, Call(), line.work)["source"] == "a file"
    assert called({"request": "Resume", "pipelineId": "orders"}, Call(), line.work) == {
        "pipelineId": "orders",
        "resumed": False,
    }
    with pytest.raises(NotFound, match="did you mean orders"):
        called({"request": "Pause", "pipelineId": "ordres", "reason": "x", "for": "2h"}, Call(), line.work)
    assert line.runs()[0].note == "a file"


def test_a_direct_call_may_ask_for_leave_because_it_hears_the_answer(line: Line) -> None:
    asked = {"request": "OpenGate", "pipelineId": "orders", "holder": "me"}
    given = called(asked, Call(), line.work)
    assert given["runId"] == f"orders:daily:{DAY}:1"
    # Lambda repeats a call under the same id: it is the same question.
    assert called(asked, Call(), line.work)["token"] == given["token"]
    assert line.started == []


def test_a_direct_call_that_lambda_repeats_runs_nothing_again(line: Line) -> None:
    line.send("Run", pipelineId="others")
    (run,) = line.runs("others")
    line.send("CancelRun", runId=run.key.run_id, reason="a story")
    asked = {"request": "Rerun", "pipelineId": "others", "originalDate": DAY, "reason": "a story"}
    assert called(asked, Call(), line.work)["rerunId"].endswith(":2")
    line.send("CompleteRun", runId=f"others:daily:{DAY}:2", status="success", attempt=1)
    assert "was opened for it" in called(asked, Call(), line.work)["message"]
    assert len(line.runs("others")) == 2


def test_an_event_of_eventbridge_may_call_directly(line: Line) -> None:
    sent = (line.work.clock.now() - timedelta(seconds=3)).isoformat()
    event = {"id": "event-1", "detail-type": "arrived", "time": sent, "detail": json.loads(json.dumps(MARKER))}
    called(event, Call(), line.work)
    (marker,) = line.work.hands.controls.markers("orders", limit=9)  # type: ignore[arg-type]
    assert marker.at.isoformat() == sent
