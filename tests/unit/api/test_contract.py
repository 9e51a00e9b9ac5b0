"""Laws of the contract: over every request there is, so that a new one cannot break them unseen."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from typing import Any, get_type_hints
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.api.shapes import fields_of, made_up, requests, structs_in

from interlock.api.contract import (
    IMPLIED,
    Endpoint,
    Limit,
    PipelineId,
    Request,
    Role,
    answer_of,
    arrived,
    in_path,
    travelling,
)
from interlock.api.running import CompleteRun
from interlock.api.wire import decode_answer, decode_bare, encode_answer, encode_bare
from interlock.errors import Invalid, ServerUnavailable
from interlock.operations.performing import function_of

KINDS = requests()
every = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
patient = settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))


def test_there_are_requests() -> None:
    assert len(KINDS) > 20


@every
def test_a_request_is_carried_out_by_the_function_of_its_name_and_answers_what_it_says(kind: Any) -> None:
    function = function_of(kind)
    assert function.__module__ == kind.__module__.replace("interlock.api.", "interlock.operations.")
    first, second, *others = inspect.signature(function).parameters
    hints = get_type_hints(function)
    assert (first, second, others) == ("request", "desk", [])
    assert hints["request"] is kind
    answer = answer_of(kind)
    assert hints["return"] == (type(None) if answer is None else answer)


@every
def test_a_request_says_in_its_docstring_what_it_does(kind: Any) -> None:
    summary = inspect.cleandoc(vars(kind)["__doc__"] or "").split("\n")[0]
    assert re.fullmatch(r"[A-Z].{10,118}[.:]", summary), summary


def test_no_two_requests_share_a_route() -> None:
    routes = Counter((kind.endpoint.method, re.sub(r"\{\w+\}", "{}", kind.endpoint.path)) for kind in KINDS)
    assert [route for route, count in routes.items() if count > 1] == []


def test_no_two_requests_share_a_name() -> None:
    names = Counter(kind.__name__ for kind in KINDS)
    assert [name for name, count in names.items() if count > 1] == []


@every
def test_what_travels_in_the_path_is_a_field_that_must_be_there(kind: Any) -> None:
    known = fields_of(kind)
    for name in in_path(kind):
        assert name in known
        assert known[name].required


@every
def test_what_may_be_missing_means_nothing_unless_it_is_said(kind: Any) -> None:
    """A None does not travel: were another value the default, the receiver would read that."""
    for field in msgspec.structs.fields(kind):
        if type(None) in getattr(field.type, "__args__", ()):
            assert field.default is None, field.name


@every
def test_who_only_reads_changes_nothing_and_who_changes_something_may_do_more_than_read(kind: Any) -> None:
    """T-97."""
    assert (kind.endpoint.method == "GET") == (kind.endpoint.role is Role.READ)


def test_every_role_implies_itself_and_the_highest_all() -> None:
    assert all(role in IMPLIED[role] for role in Role)
    assert IMPLIED[Role.ADMIN] == frozenset(Role)


# ------------------------------------------------------------------ travelling


@every
@patient
@given(data=st.data())
def test_a_request_arrives_as_it_was_sent(kind: Any, data: st.DataObject) -> None:
    request = data.draw(made_up(kind))
    sent = travelling(request)
    shape = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(kind.endpoint.path))
    matched = re.fullmatch(shape, sent.path)
    assert matched is not None, sent.path
    path = {name: unquote(value) for name, value in matched.groupdict().items()}
    body = None if sent.body is None else msgspec.json.decode(msgspec.json.encode(sent.body))
    assert arrived(kind, path, dict(sent.query), body) == request


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.endpoint.document], ids=lambda kind: kind.__name__)
def test_a_name_that_no_request_knows_is_refused_and_the_nearest_is_told(kind: Any) -> None:
    path = dict.fromkeys(in_path(kind), "x")
    known = [name for name in fields_of(kind) if name not in path]
    wrong = f"{known[0]}x" if known else "limitt"
    there = {wrong: "1"}
    query, body = (there, None) if kind.endpoint.method in ("GET", "DELETE") else ({}, there)
    with pytest.raises(Invalid, match=wrong):
        arrived(kind, path, query, body)


def test_an_address_may_say_which_attempt_a_report_is_about() -> None:
    """G2: who is given the address need not know of attempts, and a late report is none of the next one."""
    path, query = {"runId": "orders:daily:2026-03-07:1"}, {"attempt": "2"}
    wanted = CompleteRun(run_id=path["runId"], status="failed", attempt=2)
    assert arrived(CompleteRun, path, query, {"status": "failed"}) == wanted
    assert arrived(CompleteRun, path, query, {"status": "failed", "attempt": 2}) == wanted
    with pytest.raises(Invalid, match="attempt: the address says 2, and the body another"):
        arrived(CompleteRun, path, query, {"status": "failed", "attempt": 1})
    with pytest.raises(Invalid, match="attempt: "):
        arrived(CompleteRun, path, {"attempt": "two"}, {"status": "failed"})
    with pytest.raises(Invalid, match="'status' is no query parameter"):
        arrived(CompleteRun, path, {"status": "failed"}, {})


@pytest.mark.parametrize("body", [[], "x", 1, True, [{}]])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    kind = next(kind for kind in KINDS if kind.endpoint.method == "POST")
    with pytest.raises(Invalid, match="must be a JSON object"):
        arrived(kind, dict.fromkeys(in_path(kind), "x"), {}, body)


# ------------------------------------------------------------------ answers


@every
@patient
@given(data=st.data())
def test_an_answer_is_read_back_as_it_was_written(kind: Any, data: st.DataObject) -> None:
    answer = answer_of(kind)
    made = None if answer is None else data.draw(made_up(answer))
    assert decode_answer(answer, encode_answer(made)) == made
    if kind.endpoint.bare:
        assert decode_bare(answer, *encode_bare(made)) == made


@every
def test_a_list_in_an_answer_is_never_null(kind: Any) -> None:
    """T-94."""
    lists = (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)
    for struct in structs_in(answer_of(kind)):
        for field in struct.fields:
            if isinstance(field.type, msgspec.inspect.UnionType):
                assert not any(isinstance(each, lists) for each in field.type.types), f"{struct.cls}.{field.name}"


@every
def test_a_bare_answer_is_a_list_and_only_lists_have_limits(kind: Any) -> None:
    """T-96: what has a limit says whether there is more."""
    answer = answer_of(kind)
    names = fields_of(answer) if isinstance(answer, type) and issubclass(answer, msgspec.Struct) else {}
    if kind.endpoint.bare:
        assert "items" in names
        assert set(names) <= {"items", "next"}
    if "limit" in fields_of(kind):
        assert {"items", "next"} <= set(names)
        assert "cursor" in fields_of(kind)


@pytest.mark.parametrize("text", [b"", b"<html>", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_an_answer_of_something_else_is_no_answer(text: bytes) -> None:
    answer = answer_of(next(kind for kind in KINDS if kind.__name__ == "Status"))
    with pytest.raises(ServerUnavailable, match="cannot be read"):
        decode_answer(answer, text)


@pytest.mark.parametrize("text", [b"", b"<html>", b"{}", b'[{"x": 1}]'])
def test_a_list_of_something_else_is_no_answer(text: bytes) -> None:
    answer = answer_of(next(kind for kind in KINDS if kind.endpoint.bare))
    with pytest.raises(ServerUnavailable):
        decode_bare(answer, text, None)


def test_what_a_later_server_adds_is_let_be() -> None:
    kind = next(kind for kind in KINDS if kind.__name__ == "Resume")
    assert decode_answer(answer_of(kind), b'{"pipelineId":"x","resumed":true,"later":1}').resumed is True


class _Sized(Request[None], frozen=True, kw_only=True):
    """Something with bounds."""

    endpoint = Endpoint("GET", "/x/{pipelineId}", Role.READ)

    pipeline_id: PipelineId
    limit: Limit = 5


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", ""])
def test_a_limit_that_is_none_is_refused_and_never_another_limit(limit: str) -> None:
    """T-96."""
    with pytest.raises(Invalid, match=r"^limit: "):
        arrived(_Sized, {"pipelineId": "orders"}, {"limit": limit}, None)


@pytest.mark.parametrize(
    ("query", "hint"),
    [({"alertType": "run_fail"}, r"did you mean run_failed\?"), ({"state": "shut"}, r"there are: open, resolved")],
)
def test_a_word_that_is_none_of_those_known_is_told_the_nearest(query: dict[str, str], hint: str) -> None:
    """T-91."""
    kind = next(kind for kind in KINDS if kind.__name__ == "Alerts")
    with pytest.raises(Invalid, match=hint):
        arrived(kind, {}, query, None)


def test_a_word_that_is_very_long_is_not_said_back_whole() -> None:
    kind = next(kind for kind in KINDS if kind.__name__ == "Alerts")
    with pytest.raises(Invalid, match="there are: open, resolved") as told:
        arrived(kind, {}, {"state": "x" * 100_000}, None)
    assert len(str(told.value)) < 500
