from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest
from tests.servers.databricks_runs import LINGERS
from tests.servers.databricks_stub import DatabricksStub

from interlock.clients.http import HttpClient, HttpReply, HttpSender, HttpUnreachable
from interlock.errors import TriggerError
from interlock.ports.triggers import JobState
from interlock.testing.conformance.remote_triggers import Fault, Verb
from interlock.testing.conformance.triggers import TIMEOUT, a_job
from interlock.triggers.context import TriggerContext
from interlock.triggers.databricks import DatabricksTrigger
from interlock.triggers.databricks_auth import Token, Tokens, kept_tokens
from interlock.triggers.databricks_config import DatabricksConfig

pytestmark = pytest.mark.enable_socket
SECRET = "hunter2-never-shown"


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class Sender:
    """Answers the token's endpoint, and everything else, as the test says."""

    def __init__(self, token: Callable[[], HttpReply], other: HttpReply | None = None) -> None:
        self.token, self.other = token, other or HttpReply(200, (), b'{"run_id": 5}')
        self.sent: list[tuple[str, str]] = []

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] = {}, body: bytes | None = None, timeout: timedelta
    ) -> HttpReply:
        self.sent.append((url.partition("/api")[2] or "token", headers["authorization"]))
        return self.token() if "/oidc/" in url else self.other


@pytest.fixture
def stub() -> Iterator[DatabricksStub]:
    with DatabricksStub(client_secret=f"dose-{SECRET}", token=f"dapi-{SECRET}") as stub:
        stub.jobs = {17: LINGERS}
        yield stub


def trigger(stub: DatabricksStub, client: HttpSender, tokens: Tokens | None = None, **keys: Any) -> DatabricksTrigger:
    given = {"clientId": stub.client_id, "clientSecret": stub.client_secret, "jobId": 17, **keys}
    config = msgspec.convert({"workspaceUrl": stub.url, **given}, DatabricksConfig)
    return DatabricksTrigger(config, TriggerContext(state_dir=Path("/"), root=Path("/"), http=client), tokens)


def spoken(sender: Sender, tokens: Tokens | None = None) -> DatabricksTrigger:
    given = {"workspaceUrl": "https://x.example.com", "clientId": "me", "clientSecret": SECRET, "jobId": 17}
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=sender)
    return DatabricksTrigger(msgspec.convert(given, DatabricksConfig), context, tokens or Tokens())


def a_token(text: Any = "t-1", **others: Any) -> Callable[[], HttpReply]:
    return lambda: HttpReply(200, (), json.dumps({"access_token": text, **others}).encode())


def refused(made: DatabricksTrigger, timeout: timedelta = TIMEOUT) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        made.start(a_job(), timeout=timeout)
    assert SECRET not in str(caught.value)
    return caught.value


def test_one_token_serves_every_trigger_of_a_process(stub: DatabricksStub, client: HttpClient) -> None:
    """Triggers are made anew for every call."""
    handle = trigger(stub, client).start(a_job(), timeout=TIMEOUT)
    for _ in range(3):
        trigger(stub, client).poll(a_job(), handle, timeout=TIMEOUT)
    assert len(stub.issued) == 1


def test_each_principal_in_each_workspace_has_a_token_of_its_own() -> None:
    """A token must not reach another workspace, nor outlive a change of the secret."""
    kept = {kept_tokens(*who) for who in (("w", "a", "s"), ("v", "a", "s"), ("w", "b", "s"), ("w", "a", "t"))}
    assert len(kept) == 4


def test_a_token_is_renewed_before_its_end_by_this_machines_own_clock(stub: DatabricksStub, client: HttpClient) -> None:
    """T-20: dates on either side may be wrong, and Databricks refuses tokens half a minute early."""
    clock = Clock()
    stub.date = "Fri, 01 Jan 1999 00:00:00 GMT"
    made = trigger(stub, client, Tokens(clock))
    handle = made.start(a_job(), timeout=TIMEOUT)
    issued = []
    for clock.at in (1000.0 + 3600 - 121, 1000.0 + 3600 - 119):
        assert made.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
        issued.append(len(stub.issued))
    assert issued == [1, 2]


@pytest.mark.parametrize(
    ("expires_in", "good", "over"),
    [
        (3600, 3479, 3481),
        ("3600", 3479, 3481),
        (60, 29, 31),
        (None, 179, 181),
        ("soon", 179, 181),
        ("nan", 179, 181),
        (10**30, 86_279, 86_281),
        (-5, None, 0),
    ],
)
def test_how_long_a_token_is_kept(expires_in: Any, good: float | None, over: float) -> None:
    """One that never ends, or says nothing of its end, is not kept for ever."""
    clock = Clock()
    said = {} if expires_in is None else {"expires_in": expires_in}
    sender = Sender(a_token(**said))
    made = spoken(sender, Tokens(clock))

    def asked_at(after: float) -> int:
        clock.at = 1000.0 + after
        made.start(a_job(), timeout=TIMEOUT)
        return [what for what, _ in sender.sent].count("token")

    assert asked_at(0) == 1
    if good is not None:
        assert asked_at(good) == 1
    assert asked_at(over) == 2


def test_threads_that_want_a_token_at_once_ask_for_one(stub: DatabricksStub, client: HttpClient) -> None:
    made = trigger(stub, client)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(made.start, a_job(attempt=number), timeout=TIMEOUT) for number in range(1, 9)]
    assert len({call.result().id for call in calls}) == 8
    assert len(stub.issued) == 1


def test_threads_whose_token_ran_out_renew_it_once(stub: DatabricksStub, client: HttpClient) -> None:
    made = trigger(stub, client)
    handle = made.start(a_job(), timeout=TIMEOUT)
    stub.expire()
    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(made.poll, a_job(), handle, timeout=TIMEOUT) for _ in range(8)]
    assert {look.result().state for look in looks} == {JobState.RUNNING}
    assert len(stub.issued) == 2


def test_two_processes_renew_without_getting_in_each_others_way(stub: DatabricksStub, client: HttpClient) -> None:
    """Even where a new token were to end the older one."""
    stub.only_newest_token = True
    here, there = trigger(stub, client, Tokens()), trigger(stub, client, Tokens())
    handle = here.start(a_job(), timeout=TIMEOUT)
    for _ in range(3):
        assert there.start(a_job(), timeout=TIMEOUT) == handle
        assert here.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
    assert stub.starts() == 1


def test_a_refused_token_is_renewed_once_and_no_more() -> None:
    """T-20: what the principal may not do it may not do with a new token either."""
    answers = [a_token("t-0")(), a_token("t-1")()]
    denied = HttpReply(403, (), b'{"error_code": "PERMISSION_DENIED", "message": "no CAN_MANAGE_RUN"}')
    sender = Sender(lambda: answers.pop(0), denied)
    error = refused(spoken(sender))
    assert sender.sent[1::2] == [("/2.1/jobs/run-now", "Bearer t-0"), ("/2.1/jobs/run-now", "Bearer t-1")]
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "no CAN_MANAGE_RUN" in str(error)
    assert "allow this token's owner" in str(error)


def test_a_personal_token_that_is_refused_is_not_sent_again(stub: DatabricksStub, client: HttpClient) -> None:
    made = trigger(stub, client, clientId="", clientSecret="", token=f"wrong-{SECRET}")
    error = refused(made)
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "renew the token" in str(error)
    assert stub.issued == []


def test_wrong_credentials_say_so_and_start_nothing(stub: DatabricksStub, client: HttpClient) -> None:
    made = trigger(stub, client, clientSecret=f"old-{SECRET}")
    error = refused(made)
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "check `clientId` and `clientSecret`" in str(error)
    assert stub.starts() == 0


@pytest.mark.parametrize(
    ("fault", "category"),
    [
        (Fault.LOST_ANSWER, "TRANSIENT"),
        (Fault.LOST_REQUEST, "TRANSIENT"),
        (Fault.THROTTLED, "TRANSIENT"),
        (Fault.BROKEN, "TRANSIENT"),
        (Fault.GARBAGE, "TRANSIENT"),
        (Fault.UNAUTHORIZED, "PERMANENT"),
    ],
)
def test_without_a_token_nothing_was_started_for_certain(
    stub: DatabricksStub, client: HttpClient, fault: Fault, category: str
) -> None:
    """T-20: whatever becomes of the question for a token, it starts no job."""
    with stub.broken(fault, Verb.ALL):
        error = refused(trigger(stub, client))
    assert (error.started, error.category) == (False, category)
    assert "gave no OAuth token" in str(error)
    assert stub.starts() == 0


def test_a_frozen_token_endpoint_holds_a_start_no_longer_than_its_time(
    stub: DatabricksStub, client: HttpClient
) -> None:
    began = monotonic()
    with stub.broken(Fault.FROZEN, Verb.ALL):
        error = refused(trigger(stub, client), timedelta(seconds=0.5))
        assert monotonic() - began < 5
    assert (error.started, error.category) == (False, "TIMEOUT")


def test_who_waits_for_another_threads_token_waits_no_longer_than_its_own_time() -> None:
    tokens = Tokens()

    def slow(timeout: timedelta) -> Token:
        with pytest.raises(TriggerError, match="did not end in time"):
            tokens.get(lambda _: Token("never", 60), timeout=timedelta(seconds=0.05))
        return Token("mine", 60)

    assert tokens.get(slow, timeout=TIMEOUT) == "mine"


@pytest.mark.parametrize("text", ["", None, 5, ["t"], "two words", "line\nbreak", "späť"])
def test_what_is_no_token_is_not_sent(text: Any) -> None:
    sender = Sender(a_token(text))
    assert refused(spoken(sender)).started is False
    assert [what for what, _ in sender.sent] == ["token"]


def test_a_token_that_could_not_be_had_is_asked_for_again() -> None:
    answers: list[Callable[[], HttpReply]] = [a_token("t-1")]

    def first_not() -> HttpReply:
        if answers:
            raise HttpUnreachable("https://x.example.com could not be reached")
        return a_token("t-1")()

    sender = Sender(first_not)
    made = spoken(sender)
    assert refused(made).category == "TRANSIENT"
    answers.clear()
    assert made.start(a_job(), timeout=TIMEOUT).id == "5"


def test_a_token_does_not_show_itself() -> None:
    """T-76."""
    assert SECRET not in repr(Token(SECRET, 60))


@pytest.mark.parametrize("body", ["json", "page"])
def test_no_credential_that_a_target_echoes_is_repeated(body: str) -> None:
    """T-76: not the secret, not the token made of it, and not what is sent to get one."""
    echo = f"it came with opaque-4711, {SECRET} and bWU6aHVudGVyMi1uZXZlci1zaG93bg=="
    text = json.dumps({"error_code": "INVALID_STATE", "message": echo}) if body == "json" else f"<p>{echo}</p>"
    sender = Sender(a_token("opaque-4711"), HttpReply(400, (), text.encode()))
    words = str(refused(spoken(sender)))
    assert "bWU6" not in words
    assert "4711" not in words
    assert "it came with" in words
    assert "400" in words
