"""Whoever is asked or started is told the step of the trace in which that is done, each in its own way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from interlock.clients.http import HttpReply
from interlock.codec.evaluator_protocol import encode_question
from interlock.core.traits import TraitStatus
from interlock.evaluators.environment import child_environment
from interlock.evaluators.http import HttpEvaluator, traced
from interlock.ports.triggers import Job
from interlock.testing.builders import SECOND, a_key
from interlock.testing.evaluators import a_question
from interlock.triggers.context import TriggerContext
from interlock.triggers.http import HttpTrigger
from interlock.triggers.http_config import HttpConfig

NAMED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
QUESTION = a_question("http://h/check")
JOB = Job(run=a_key(), attempt=1, key="k")


class Ear:
    """An HTTP client that remembers the headers."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def send(
        self, method: str, url: str, *, headers: object = (), body: bytes | None = None, timeout: timedelta
    ) -> HttpReply:
        assert isinstance(headers, dict)
        self.headers = headers
        return HttpReply(200, (), b'{"status":"PASS"}')


@pytest.mark.parametrize("named", [NAMED, ""])
def test_a_program_finds_it_in_its_environment(named: str) -> None:
    found = child_environment({}, (), replace(QUESTION, traceparent=named))
    assert found.get("TRACEPARENT", "") == named


@pytest.mark.parametrize("named", [NAMED, ""])
def test_an_address_that_is_asked_finds_it_in_a_header(named: str) -> None:
    ear = Ear()
    answer = HttpEvaluator(ear).evaluate(replace(QUESTION, traceparent=named), timeout=SECOND)
    assert answer.status is TraitStatus.PASS
    assert ear.headers.get("traceparent", "") == named
    assert traced(replace(QUESTION, traceparent=named)) == ({"traceparent": named} if named else {})


def test_what_is_asked_is_the_same_document_with_a_trace_and_without() -> None:
    assert encode_question(replace(QUESTION, traceparent=NAMED)) == encode_question(QUESTION)


@pytest.mark.parametrize("named", [NAMED, ""])
def test_a_job_finds_it_in_its_environment(named: str) -> None:
    context = TriggerContext(state_dir=Path("/"), root=Path("/"))
    assert context.described(replace(JOB, traceparent=named)).get("TRACEPARENT", "") == named


def test_a_target_that_is_called_finds_it_in_a_header_whatever_the_file_says() -> None:
    ear = Ear()
    config = msgspec.convert({"url": "http://h/start", "headers": {"Traceparent": "forged"}}, HttpConfig)
    trigger = HttpTrigger(config, TriggerContext(state_dir=Path("/"), root=Path("/"), http=ear))
    trigger.start(replace(JOB, traceparent=NAMED), timeout=SECOND)
    assert ear.headers["traceparent"] == NAMED
