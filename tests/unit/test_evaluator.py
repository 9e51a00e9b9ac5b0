"""Laws of the SDK: one function, the same answer as a program, over HTTP and in process."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from tests.unit.evaluators.programs import write

from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.evaluator import ERROR, FAIL, PASS, STALE, Ask, Check, Verdict, evaluator
from interlock.testing.evaluators import assert_could_not_tell, assert_fails, assert_passes, run_evaluator

SCRIPT = """
from interlock.evaluator import ERROR, FAIL, PASS, Ask, Verdict, evaluator
from msgspec import Struct
import subprocess

class Freshness(Struct, rename="camel"):
    max_lag_seconds: int
    lag: int = 45

@evaluator
def check(config: Freshness, ask: Ask) -> Verdict:
    print("a stray line")
    subprocess.run(["echo", "and one of a child"])
    if config.lag < 0:
        raise ValueError(f"negative lag {config.lag}")
    if config.lag > config.max_lag_seconds:
        return FAIL("behind", lagSeconds=config.lag, of=ask.pipeline)
    return PASS(lagSeconds=config.lag, of=ask.pipeline, on=ask.date, trait=ask.trait)

if __name__ == "__main__":
    check.main()
"""

CONFIGS: list[dict[str, Any]] = [
    {"maxLagSeconds": 300},
    {"maxLagSeconds": 300, "lag": 400},
    {"maxLagSeconds": 300, "lag": -1},
    {"maxLagSeconds": "many"},
    {},
]


def loaded(path: Path) -> Check:
    namespace: dict[str, Any] = {"__name__": "checks"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    check = namespace["check"]
    assert isinstance(check, Check)
    return check


@pytest.mark.parametrize("config", CONFIGS)
def test_the_answer_is_the_same_as_a_program_over_http_and_in_process(
    tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One evaluator, three ways in."""
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    path = write(tmp_path, f"#!{sys.executable}\n{SCRIPT}")
    check = loaded(path)
    program = run_evaluator("check", root=tmp_path, config=config, env_allow=("PYTHONPATH",))
    function = run_evaluator(check, config=config)
    assert program == function
    asked = {"pipelineId": "example", "traitType": "source-freshness", "date": "2026-03-07", "config": config}
    status, body = check.handle(json.dumps(asked).encode())
    assert status == 200
    assert json.loads(body)["status"] == program.status
    assert json.loads(body) == check(asked)


def test_the_config_is_built_and_the_ask_is_told(tmp_path: Path) -> None:
    check = loaded(write(tmp_path, SCRIPT))
    answer = run_evaluator(check, config={"maxLagSeconds": 300}, pipeline="sales", date="2026-03-08")
    assert_passes(answer, lagSeconds=45, of="sales", on="2026-03-08", trait="source-freshness")
    assert_fails(run_evaluator(check, config={"maxLagSeconds": 1}), because="behind", lagSeconds=45)


def test_a_config_of_the_wrong_shape_names_the_key_and_is_permanent(tmp_path: Path) -> None:
    check = loaded(write(tmp_path, SCRIPT))
    answer = run_evaluator(check, config={"maxLagSeconds": "many"})
    assert_could_not_tell(answer, category="PERMANENT")
    assert "maxLagSeconds" in answer.reason


def test_an_exception_is_an_error_with_a_category() -> None:
    """BUG-12."""

    @evaluator
    def check() -> Verdict:
        raise KeyError("lag")

    answer = run_evaluator(check)
    assert (answer.status, answer.origin) == (TraitStatus.ERROR, Origin.EVALUATOR)
    assert answer.category is FailureCategory.EVALUATOR_CRASH
    assert "KeyError" in answer.reason


def test_a_word_alone_is_a_verdict_and_words_make_verdicts() -> None:
    assert run_evaluator(evaluator(lambda: PASS)).status is TraitStatus.PASS
    assert run_evaluator(evaluator(lambda config: STALE("old"))).reason == "old"
    failed = run_evaluator(evaluator(lambda: FAIL("no", {"category": 3}, lag=1)))
    assert_fails(failed, because="no", category=3, lag=1)
    unsure = run_evaluator(evaluator(lambda: ERROR("no route", category="TIMEOUT")))
    assert_could_not_tell(unsure, category=FailureCategory.TIMEOUT)


def test_a_type_that_cannot_be_found_is_an_error_of_configuration() -> None:
    """Text annotations are looked up in the module, so a type made inside a function is not seen."""

    class Local(Struct):
        limit: int

    def check(config: Local) -> Verdict:
        return PASS(limit=config.limit)

    answer = run_evaluator(evaluator(check), config={"limit": 3})
    assert_could_not_tell(answer, category="PERMANENT")
    assert "Local" in answer.reason


def test_a_config_of_no_particular_type_is_a_dict() -> None:
    def keep(config: dict[str, int], ask: Ask) -> Verdict:
        return PASS(limit=config["limit"], run=ask.run_id)

    assert_passes(run_evaluator(evaluator(keep), config={"limit": 3}, run_id="r"), limit=3, run="r")


def test_called_by_hand_with_a_bare_config_it_works_too() -> None:
    check = evaluator(lambda config: PASS(lag=config["lag"]))
    assert check({"lag": 5}) == {"status": "PASS", "value": {"lag": 5}}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_question_is_refused(body: bytes) -> None:
    status, answer = evaluator(lambda: PASS).handle(body)
    assert status == 400
    assert json.loads(answer)["status"] == "ERROR"


def test_an_answer_that_is_not_json_is_a_crash_and_not_an_exception() -> None:
    status, answer = evaluator(lambda: {"status": "PASS", "value": object()}).handle(b"{}")
    assert status == 200
    assert json.loads(answer)["failureCategory"] == "EVALUATOR_CRASH"


def test_more_than_config_and_ask_cannot_be_taken() -> None:
    with pytest.raises(TypeError, match="takes 3 parameters"):
        evaluator(lambda a, b, c: PASS)


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "2"}, "200 OK"),
        ({"REQUEST_METHOD": "POST"}, "400 Bad Request"),
        ({"REQUEST_METHOD": "GET"}, "405 Method Not Allowed"),
        ({"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "99999999"}, "413 Content Too Large"),
        ({"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "-1"}, "413 Content Too Large"),
    ],
)
def test_it_is_a_wsgi_application(environ: dict[str, str], status: str) -> None:
    seen: list[str] = []
    body = b"".join(
        evaluator(lambda: PASS).wsgi(
            {**environ, "wsgi.input": io.BytesIO(b"{}")}, lambda line, headers: seen.append(line)
        )
    )
    assert seen == [status]
    assert isinstance(json.loads(body), dict)


def test_the_assertions_refuse_what_they_should() -> None:
    passing = run_evaluator(lambda asked: {"status": "PASS", "value": {"lag": 1}})
    broken = run_evaluator(lambda asked: "nonsense")
    with pytest.raises(AssertionError):
        assert_fails(passing)
    with pytest.raises(AssertionError, match="lag"):
        assert_passes(passing, lag=2)
    with pytest.raises(AssertionError):
        assert_could_not_tell(passing)
    with pytest.raises(AssertionError, match="no answer"):
        assert_fails(broken)
    with pytest.raises(AssertionError):
        assert_could_not_tell(broken, category="TIMEOUT")
