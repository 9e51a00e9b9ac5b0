"""The HTTP API behind a function's URL: who comes in, what they may do, and how it ends in time."""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.aws.urls import ANNA, Call, Reply, an_event
from tests.unit.operations.office import Office, an_office

from interlock.api.contract import IMPLIED, Role
from interlock.aws import api
from interlock.errors import NotDeployed, StoreUnavailable
from interlock.operations import looking
from interlock.operations.performing import function_of
from interlock.runtime.wiring import Interlock

ORDERS = "/api/pipelines/orders"
BEN = "arn:aws:iam::123456789012:user/ben"


class Door:
    """The function's URL of a project at work."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.roles = ""
        self.opened = 0

    def ask(self, method: str, target: str, body: object = None, *, left: float = 30.0, **more: Any) -> Reply:
        return self.tell(an_event(method, target, body, **more), left)

    def tell(self, event: Mapping[str, Any], left: float = 30.0) -> Reply:
        found = api.answer(event, Call(left), self._open, self.roles)
        assert set(found) == {"statusCode", "headers", "body", "isBase64Encoded"}
        return Reply(found["statusCode"], found["headers"], found["body"])

    def _open(self) -> Interlock:
        self.opened += 1
        return self.office.work


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with an_office(tmp_path / "project") as office:
        yield Door(office)


# ---------------------------------------------------------------- who asks


@pytest.mark.parametrize("path", ["/api/pipelines", "/api/health", "/livez", "/nowhere", "/openapi.json"])
def test_a_url_that_was_made_public_by_mistake_answers_nobody(door: Door, path: str) -> None:
    reply = door.ask("GET", path, arn=None)
    assert reply.status == 403
    assert "AWS_IAM" in reply.document["detail"]
    assert door.opened == 0


@pytest.mark.parametrize(
    "arn", ["", "anna", "arn:aws:iam::1:user/x", "arn:aws:iam::123456789012:", f"{ANNA}\nx", f"{ANNA} x"]
)
def test_what_is_no_arn_of_iam_is_nobody(door: Door, arn: str) -> None:
    assert door.ask("GET", "/api/pipelines", arn=arn).status == 403


@pytest.mark.parametrize("context", [None, "x", {}, {"authorizer": None}, {"authorizer": {"iam": []}}, {"http": []}])
def test_an_event_of_another_make_is_nobodys(door: Door, context: object) -> None:
    assert door.tell({"requestContext": context}).status == 403
    assert door.tell({}).status == 403


def test_an_event_of_another_make_is_refused_even_of_somebody_known(door: Door) -> None:
    event = {**an_event("GET", "/api/pipelines"), "rawPath": 7, "rawQueryString": None, "headers": "x"}
    event["requestContext"]["http"] = None
    assert door.tell(event).status in (404, 405)


def test_whoever_asked_is_written_down_with_the_name_of_his_session(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "interlock.audit"):
        assert door.ask("POST", f"{ORDERS}/markers", {"source": "a file", "date": "2026-03-07"}).status == 202
    (line,) = (vars(record) for record in caplog.records if record.name == "interlock.audit")
    assert (line["actor"], line["operation"], line["pipeline"]) == (f"iam:{ANNA}", "SendMarker", "orders")
    assert (line["status"], line["address"]) == (202, "203.0.113.7")
    assert line["requestId"] == "e1506fd5-9e7b-434f-bd42-4f8fa224b599"
    events = door.ask("GET", f"{ORDERS}/events").document
    assert any(f"iam:{ANNA} asked for send marker" in each["message"] for each in events)


def test_no_part_of_the_callers_credentials_is_answered_or_logged(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        door.roles = '{"arn:aws:iam::*:user/x": ["read"]}'
        headers = {"authorization": "AWS4-HMAC-SHA256 Credential=ASIASECRET", "x-amz-security-token": "TOKENSECRET"}
        for method, path in (("GET", "/api/pipelines"), ("POST", f"{ORDERS}/run"), ("GET", "/nowhere")):
            reply = door.ask(method, path, {} if method == "POST" else None, headers=headers)
            assert "SECRET" not in reply.body + json.dumps(dict(reply.headers))
    assert "SECRET" not in caplog.text


# ---------------------------------------------------------------- what they may do


@pytest.mark.parametrize("roles", ["", "  "])
def test_without_roles_whoever_iam_lets_in_may_do_everything(door: Door, roles: str) -> None:
    door.roles = roles
    assert door.ask("POST", "/api/alerts/test", {}).status == 200


def test_roles_that_name_nobody_let_nobody_do_anything(door: Door) -> None:
    door.roles = "{}"
    assert door.ask("GET", "/api/pipelines").status == 403


def test_the_arn_of_a_role_stands_for_all_its_sessions_and_for_no_other_role(door: Door) -> None:
    door.roles = json.dumps({"arn:aws:iam::123456789012:role/data-team": ["read"]})
    assert door.ask("GET", "/api/pipelines").status == 200
    assert door.ask("GET", "/api/pipelines", arn=ANNA.replace("anna", "ben")).status == 200
    assert door.ask("GET", "/api/pipelines", arn=ANNA.replace("data-team", "data-team2")).status == 403
    assert door.ask("GET", "/api/pipelines", arn=ANNA.replace("123456789012", "999999999999")).status == 403
    assert (
        door.ask("GET", "/api/pipelines", arn="arn:aws:sts::123456789012:assumed-role/x/role/data-team").status == 403
    )


@pytest.mark.parametrize("role", list(Role))
def test_a_role_implies_what_it_implies_everywhere(door: Door, role: Role) -> None:
    door.roles = json.dumps({"arn:aws:sts::123456789012:assumed-role/data-team/*": [role]})
    asked: dict[Role, tuple[str, str, object]] = {
        Role.READ: ("GET", "/api/pipelines", None),
        Role.PUSH: ("PUT", f"{ORDERS}/sensors/rows", {"data": {}}),
        Role.OPERATE: ("POST", f"{ORDERS}/evaluate", {}),
        Role.ADMIN: ("POST", "/api/alerts/test", {}),
    }
    for needed, (method, path, body) in asked.items():
        assert (door.ask(method, path, body).status == 403) == (needed not in IMPLIED[role]), needed


def test_all_patterns_that_match_count_and_who_matches_none_may_do_nothing(door: Door) -> None:
    door.roles = json.dumps({"*": ["read"], "arn:aws:iam::123456789012:user/b?n": ["push"]})
    assert door.ask("GET", "/api/pipelines", arn=BEN).status == 200
    assert door.ask("PUT", f"{ORDERS}/sensors/rows", {"data": {}}, arn=BEN).status == 200
    assert door.ask("PUT", f"{ORDERS}/sensors/rows", {"data": {}}).status == 403
    door.roles = json.dumps(
        {"arn:aws:iam::123456789012:user/*": ["admin"], "arn:aws:sts::123456789012:assumed-role/data": ["admin"]}
    )
    reply = door.ask("GET", "/api/pipelines")
    assert reply.status == 403
    assert f"this takes the role read; {ANNA} has none" in reply.document["detail"]


def test_only_stars_and_question_marks_stand_for_others(door: Door) -> None:
    door.roles = json.dumps(
        {"arn:aws:iam::123456789012:user/[abc]en": ["read"], "arn:aws:iam::123456789012:user.ben": ["read"]}
    )
    assert door.ask("GET", "/api/pipelines", arn=BEN).status == 403


@pytest.mark.parametrize(
    ("roles", "word"),
    [
        ("{", "cannot be read"),
        ("[]", "no JSON object"),
        ('"admin"', "no JSON object"),
        ("null", "no JSON object"),
        ('{"*": "read"}', "a list of roles"),
        ('{"*": ["raed"]}', "'raed' is no role"),
        ('{"*": [7]}', "'7' is no role"),
        ('{"*": [["read"]]}', "is no role"),
        ('{"role/anna": ["read"]}', "matches no ARN"),
        ('{"*": ["read"], "*": ["admin"]}', "there twice"),
    ],
)
def test_roles_that_cannot_be_understood_let_nobody_in(door: Door, roles: str, word: str) -> None:
    door.roles = roles
    for method, path in (("GET", "/api/pipelines"), ("POST", f"{ORDERS}/run"), ("GET", "/livez")):
        reply = door.ask(method, path, {} if method == "POST" else None)
        assert reply.status == 403
        assert word in reply.document["detail"]
        assert "API_ROLES" in reply.document["detail"]
    assert door.opened == 0


# ---------------------------------------------------------------- what is asked


@pytest.mark.parametrize("binary", [True, False])
def test_a_body_is_the_same_however_lambda_wraps_it(door: Door, binary: bool) -> None:
    reply = door.ask("PUT", f"{ORDERS}/sensors/rows", {"data": {"größe": "ü😀"}}, binary=binary)
    assert reply.document["sensor"]["data"] == {"größe": "ü😀"}


def test_what_is_said_to_be_base64_and_is_not_is_refused(door: Door) -> None:
    event = {**an_event("POST", f"{ORDERS}/evaluate"), "body": "{}", "isBase64Encoded": True}
    assert door.tell(event).status == 400


@pytest.mark.parametrize(
    ("kind", "status"), [("text/plain", 415), ("application/json; charset=utf-16", 415), ("", 200)]
)
def test_a_body_is_said_to_be_json_or_to_be_nothing(door: Door, kind: str, status: int) -> None:
    assert door.ask("POST", f"{ORDERS}/evaluate", {}, headers={"content-type": kind}).status == status


def test_a_body_that_is_too_long_is_refused_without_a_word_of_the_connection(door: Door) -> None:
    reply = door.ask("POST", f"{ORDERS}/evaluate", b" " * 1_048_577, binary=True)
    assert reply.status == 413
    assert "connection" not in reply.headers


def test_a_page_of_somebody_else_may_not_change_anything(door: Door) -> None:
    assert door.ask("POST", f"{ORDERS}/evaluate", {}, headers={"origin": "https://evil.example"}).status == 403


def test_a_misspelt_route_is_answered_with_the_nearest_right_one(door: Door) -> None:
    detail = door.ask("POST", f"{ORDERS}/evalaute", {}).document["detail"]
    assert "did you mean /api/pipelines/{pipelineId}/evaluate?" in detail
    assert "did you mean /api/status?" in door.ask("GET", "/api/staus").document["detail"]
    assert "did you mean" not in door.ask("GET", "/quite/something/else").document["detail"]


def test_every_answer_has_its_number_the_callers_own_if_that_is_a_good_one(door: Door) -> None:
    assert door.ask("GET", "/version").headers["x-request-id"] == "e1506fd5-9e7b-434f-bd42-4f8fa224b599"
    assert door.ask("GET", "/nowhere", headers={"x-request-id": "mine-7"}).headers["x-request-id"] == "mine-7"
    assert "\n" not in door.ask("GET", "/version", headers={"x-request-id": "a\nb"}).headers["x-request-id"]
    assert door.ask("GET", "/version").headers["strict-transport-security"]


@pytest.mark.parametrize("path", ["/api/stream", "/metrics", "/debug/vars"])
def test_what_needs_somebody_who_stays_says_where_else_to_look(door: Door, path: str) -> None:
    reply = door.ask("GET", path)
    assert reply.status == 501
    assert "/api/" in reply.document["detail"] or "CloudWatch" in reply.document["detail"]


@pytest.mark.parametrize("path", ["/api/health", "/livez", "/readyz"])
def test_health_is_answered_in_the_servers_words(door: Door, path: str) -> None:
    door.roles = '{"arn:nobody": ["read"]}'  # whoever IAM lets in may ask how it is
    reply = door.ask("GET", path)
    assert (reply.status, reply.document["status"]) == (200, "ok")


def test_a_store_that_fails_is_not_healthy_and_a_function_that_answers_is_alive(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StoreUnavailable("no answer from the table of secrets")

    monkeypatch.setattr(door.office.work.kernel, "ping", fail)
    assert door.ask("GET", "/livez").status == 200
    assert door.ask("GET", "/api/health").document == {"status": "degraded"}
    reply = door.ask("GET", "/readyz")
    assert (reply.status, reply.document["checks"][0]["ok"]) == (503, False)
    assert "secrets" not in reply.body


@pytest.mark.parametrize(
    ("trouble", "status"), [(StoreUnavailable("no answer"), 503), (NotDeployed("nothing was deployed"), 500)]
)
def test_a_project_that_cannot_be_opened_is_a_problem_with_words(door: Door, trouble: Exception, status: int) -> None:
    def refuse() -> Interlock:
        raise trouble

    found = api.answer(an_event("GET", "/api/pipelines"), Call(), refuse, "")
    assert found["statusCode"] == status
    assert json.loads(found["body"])["detail"] == str(trouble)


def test_what_nobody_foresaw_is_an_answer_without_its_details(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    def fall() -> Interlock:
        raise ZeroDivisionError("the secret of everything")

    found = api.answer(an_event("GET", "/api/pipelines"), Call(), fall, "")
    assert found["statusCode"] == 500
    assert "secret" not in found["body"]
    assert "the secret of everything" in caplog.text


def test_an_answer_that_no_url_can_carry_says_so(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        body = {"data": {"text": '"' * 30_000}}
        assert door.ask("PUT", f"{ORDERS}/sensors/s{number}", body).status == 200
    monkeypatch.setattr(api, "LONGEST", 300_000)
    monkeypatch.setattr(api, "_SHORT", 50_000)
    reply = door.ask("GET", f"{ORDERS}/sensors")
    assert reply.status == 400
    assert "ask for less at once" in reply.document["detail"]
    assert door.ask("GET", f"{ORDERS}/sensors?limit=2").status == 200


# ---------------------------------------------------------------- in time


def test_with_no_time_left_nothing_is_begun(door: Door) -> None:
    reply = door.ask("POST", f"{ORDERS}/pause", {"for": "2h", "reason": "a story"}, left=1.5)
    assert reply.status == 503
    assert "nothing was done" in reply.document["detail"]
    assert door.ask("GET", "/api/pauses").document["items"] == []


def test_a_request_that_hangs_is_broken_off_in_time_to_say_so(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object) -> None:
        try:
            threading.Event().wait(20)
        except Exception as exc:
            raise AssertionError("what handles errors has taken the end of the time for one") from exc

    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(looking, "status", hang)
    function_of.cache_clear()
    try:
        reply = door.ask("GET", f"{ORDERS}/status", left=2.05)
    finally:
        function_of.cache_clear()
    assert reply.status == 503
    assert "may or may not be done" in reply.document["detail"]
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_request_in_time_leaves_no_alarm_behind(door: Door) -> None:
    assert door.ask("GET", "/api/pipelines").status == 200
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
