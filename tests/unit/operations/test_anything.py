"""Whatever is asked, the answer is an answer or an error that says what was wrong: never a fault."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from tests.unit.api.shapes import made_up, requests
from tests.unit.operations.office import Office

from interlock.api.contract import answer_of
from interlock.api.wire import decode_answer, encode_answer
from interlock.errors import InterlockError, StoreError
from interlock.operations.performing import perform

TOPICS = ("looking", "alerting", "controlling", "running", "rerunning", "gating")
KINDS = [kind for kind in requests() if kind.__module__.rpartition(".")[2] in TOPICS]
PIPELINES = ("orders", "sales", "order", "\0", "a/b", "ü", "..", "-", "x" * 255)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_request_has_an_answer_or_an_error_that_was_foreseen(
    kind: type[Any], data: st.DataObject, office: Office
) -> None:
    request = data.draw(made_up(kind))
    for field in fields(kind):
        if field.encode_name in ("pipelineId", "pipeline"):
            request = replace(request, **{field.name: data.draw(st.sampled_from(PIPELINES))})
    with suppress(InterlockError):
        try:
            answer = perform(request, office.desk)
        except StoreError as exc:
            raise AssertionError(f"{request} has shaken the store: {exc}") from exc
        assert decode_answer(answer_of(kind), encode_answer(answer)) == answer
