"""Requests whose body as a whole is one field, and fields whose name on the wire is a word of Python's."""

from __future__ import annotations

from datetime import date

import pytest

from interlock.api.contract import arrived, travelling
from interlock.api.planning import PreviewSchedule
from interlock.api.registering import CalendarDays, Pipelines, RegisterPipeline
from interlock.errors import Invalid

DOCUMENT = {"name": "orders", "unheard-of": [1, None], "tier": None}


def test_a_document_travels_as_it_is_and_arrives_so() -> None:
    sent = travelling(RegisterPipeline(document=DOCUMENT))
    assert (sent.method, sent.path, sent.query, sent.body) == ("POST", "/api/pipelines", {}, DOCUMENT)
    assert arrived(RegisterPipeline, {}, {}, sent.body) == RegisterPipeline(document=DOCUMENT)


@pytest.mark.parametrize("body", [[], "orders", 3, True])
def test_what_is_no_object_is_no_document(body: object) -> None:
    with pytest.raises(Invalid, match="must be a JSON object"):
        arrived(RegisterPipeline, {}, {}, body)


def test_a_document_that_has_a_field_of_the_requests_name_is_not_unwrapped() -> None:
    assert arrived(RegisterPipeline, {}, {}, {"document": {"name": "x"}}).document == {"document": {"name": "x"}}


def test_a_document_takes_no_query() -> None:
    with pytest.raises(Invalid, match="no query parameter"):
        arrived(RegisterPipeline, {}, {"dry": "true"}, DOCUMENT)


def test_from_is_called_from_on_the_wire() -> None:
    request = PreviewSchedule(pipeline_id="orders", since=date(2026, 12, 24), around_dst=True)
    sent = travelling(request)
    assert sent.query == {"from": "2026-12-24", "aroundDst": "true"}
    assert arrived(PreviewSchedule, {"pipelineId": "orders"}, sent.query, None) == request
    days = CalendarDays(calendar_name="closing", since=date(2026, 12, 24))
    assert arrived(CalendarDays, {"calendarName": "closing"}, travelling(days).query, None) == days


def test_numbers_in_a_query_are_numbers_within_bounds() -> None:
    assert arrived(Pipelines, {}, {"limit": "7"}, None).limit == 7
    for wrong in ("0", "-1", "many", "1.5", ""):
        with pytest.raises(Invalid, match="limit"):
            arrived(Pipelines, {}, {"limit": wrong}, None)
