"""Nonsense at the ways in: every event has an answer or is refused in words, and none comes again for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.aws.queues import Line, a_line
from tests.unit.aws.urls import Call, an_event

from interlock.aws import api, ingress
from interlock.aws.callers import principal_of
from interlock.errors import Invalid, NotAllowed

NO_OBJECTS: tuple[Any, ...] = (None, [], [1], "text", 5, True)
TOO_EARLY = "0001-01-01T00:00:00+14:00"
TOO_LATE = "9999-12-31T23:59:59-14:00"


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with a_line(tmp_path / "project") as line:
        yield line


def nobody_is_asked() -> Any:
    raise AssertionError("a project was opened for nobody")


@pytest.mark.parametrize("event", NO_OBJECTS)
def test_the_api_answers_what_is_no_request_as_it_answers_nobody(event: Any) -> None:
    assert api.answer(event, Call(), nobody_is_asked, "")["statusCode"] == 403


def test_a_body_that_is_said_to_be_base64_and_is_no_ascii_is_the_callers_fault(line: Line) -> None:
    event = {**an_event("POST", "/api/pipelines/others/markers"), "body": "é", "isBase64Encoded": True}
    reply = api.answer(event, Call(), lambda: line.work, "")
    assert (reply["statusCode"], "base64" in reply["body"]) == (400, True)


def test_digits_of_other_scripts_are_no_account() -> None:
    with pytest.raises(NotAllowed, match="IAM has not said who asks"):
        principal_of(an_event("GET", "/", arn="arn:aws:iam::12345678901２:user/ben"), "")


def test_roles_that_are_no_text_let_nobody_in() -> None:
    with pytest.raises(NotAllowed, match="nobody is let in"):
        principal_of(an_event("GET", "/"), '{"*": ["\udcff"]}')


@pytest.mark.parametrize("event", NO_OBJECTS)
def test_a_direct_call_that_is_no_object_is_refused_in_words(event: Any) -> None:
    with pytest.raises(Invalid, match="expected a JSON object"):
        ingress.handler(event, Call())


@pytest.mark.parametrize("records", [None, "text", {}, [None], [{"eventSource": "aws:sqs"}]])
def test_a_batch_that_is_none_is_refused_in_words(line: Line, records: Any) -> None:
    with pytest.raises(Invalid, match="only messages of SQS"):
        ingress.Queue(line.work, line.kept, Call()).take({"Records": records})


@pytest.mark.parametrize("time", [TOO_EARLY, TOO_LATE, "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "soon", 5])
def test_a_time_that_no_event_can_have_counts_as_none(line: Line, time: object) -> None:
    """Whoever sends an event to EventBridge says when it was."""
    marker = {"request": "SendMarker", "pipelineId": "others", "source": "landing"}
    envelope = {"detail-type": "landed", "detail": marker, "id": "1", "time": time}
    assert ingress.said_by(envelope).at is None
    assert line.take(line.message(envelope)) == []
    assert line.kept.items == []


def test_the_time_of_an_event_counts_in_whichever_zone_it_is_said() -> None:
    marker = {"request": "SendMarker", "pipelineId": "others", "source": "landing"}
    said = ingress.said_by({"detail-type": "landed", "detail": marker, "time": "2026-03-07T13:00:00+01:00"})
    assert said.at == datetime(2026, 3, 7, 12, tzinfo=UTC)
