"""Laws of the evaluator protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.codec.documents import mapping
from interlock.codec.evaluator_protocol import (
    MAX_REASON,
    answer_from,
    encode_question,
    envelope,
    harmless,
    parse_output,
)
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.testing.evaluators import a_question

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("status", list(TraitStatus))
def test_the_four_statuses_are_taken_as_they_are(status: TraitStatus) -> None:
    answer = parse_output(json.dumps({"status": status}).encode())
    assert (answer.status, answer.origin) == (status, Origin.EVALUATOR)


@pytest.mark.parametrize(
    "printed",
    [
        b"",
        b" \n",
        b"null",
        b"[]",
        b'"PASS"',
        b"1",
        b"{}",
        b'{"Status":"PASS"}',
        b'{"status":null}',
        b'{"status":true}',
        b'{"status":["PASS"]}',
        b'{"status":"pass"}',
        b'{"status":"Pass"}',
        b'{"status":" PASS"}',
        b'{"status":"SKIP"}',
        b'{"status":"PASS"}{"status":"PASS"}',
        b'{"status":"PASS"} ok',
        b'{"status":"PASS"',
        b"{'status':'PASS'}",
        b'{"status":"PASS",}',
        b'{"status":"PASS","status":"PASS"}',
        b'{"status":"PASS","value":{"a":1,"a":1}}',
        b'{"status":"PASS","value":[]}',
        b'{"status":"PASS","value":1}',
        b'{"status":"PASS","value":"x"}',
        b'{"status":"PASS","reason":1}',
        b'{"status":"FAIL","reason":{}}',
        b'{"status":"FAIL","failureCategory":"transient"}',
        b'{"status":"FAIL","failureCategory":1}',
        b'{"status":"PASS","value":{"x":NaN}}',
        b'{"status":"PASS","other":Infinity}',
        b'{"status":"PASS","value":{"x":-Infinity}}',
        b'{"status":"PASS","value":{"x":1e400}}',
        b'{"status":"PASS","value":{"x":' + b"9" * 6000 + b"}}",
        b'{"status":"PASS","reason":"\\ud800"}',
        b'{"status":"PASS","value":{"\\udfff":1}}',
        b'{"status":"PASS","value":{"a":["\\ud800"]}}',
        b'{"status":"PASS","reason":"\xff"}',
        b'{"status":"PASS","reason":"\xed\xa0\x80"}',
        b'{"status":"PASS","reason":"a\nb"}',
        b'\xef\xbb\xbf{"status":"PASS"}',
        '{"status":"PASS"}'.encode("utf-16"),
        b'{"status":"PASS","value":' + b'{"a":' * 65 + b"1" + b"}" * 66,
        b'{"status":"PASS","value":' + b"[" * 100_000,
        b'{"status":"PASS","value":{"a":"' + b"x" * 70_000 + b'"}}',
    ],
)
def test_anything_else_is_a_protocol_error(printed: bytes) -> None:
    """T-25: FAIL, PERMANENT, by the runner, with what was wrong and what is expected."""
    answer = parse_output(printed)
    assert (answer.status, answer.origin) == (TraitStatus.FAIL, Origin.RUNNER)
    assert answer.category is FailureCategory.PERMANENT
    assert "expected one JSON object" in answer.reason
    assert answer.reason.isprintable()
    assert len(answer.reason.encode()) < 800


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_or_pass(printed: bytes) -> None:
    answer = parse_output(printed)
    assert answer.status is not TraitStatus.PASS
    assert answer.reason.isprintable()


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_was_measured_comes_back_as_it_was(value: dict[str, Any]) -> None:
    answer = parse_output(json.dumps({"status": "PASS", "value": value}).encode())
    assert answer.value is not None, answer.reason
    assert mapping(answer.value) == value


def test_keys_of_its_own_and_nulls_are_tolerated() -> None:
    answer = parse_output(b' {"status":"FAIL","value":null,"reason":null,"failureCategory":null,"took":[1,2]}\n')
    assert (answer.status, answer.value, answer.reason, answer.category) == (TraitStatus.FAIL, None, "", None)
    assert answer.origin is Origin.EVALUATOR


def test_an_error_always_has_a_category_and_a_pass_never() -> None:
    """BUG-12."""
    assert parse_output(b'{"status":"ERROR"}').category is FailureCategory.TRANSIENT
    assert parse_output(b'{"status":"ERROR","failureCategory":"PERMANENT"}').category is FailureCategory.PERMANENT
    assert parse_output(b'{"status":"PASS","failureCategory":"TRANSIENT"}').category is None


def test_a_long_reason_is_cut_and_made_harmless() -> None:
    """BUG-120."""
    said = "\x1b[31m\n\u202e" + "é" * 10_000
    reason = parse_output(json.dumps({"status": "FAIL", "reason": said}).encode()).reason
    assert reason.startswith("\\x1b[31m\\n\\u202eéé")
    assert reason.endswith("…")
    assert len(reason.encode()) <= MAX_REASON


@given(st.text(), st.integers(4, 300))
def test_a_harmless_text_is_one_printable_line_within_its_limit(text: str, limit: int) -> None:
    clean = harmless(text, limit)
    assert clean.isprintable()
    assert len(clean.encode()) <= limit
    if text.isprintable() and len(text.encode()) <= limit:
        assert clean == text


def test_a_secret_is_taken_out_before_anything_is_cut() -> None:
    """T-73."""
    secret = "s3cret" * 40
    printed = b"x" * 150 + secret.encode()
    answer = parse_output(printed, redact=lambda text: text.replace(secret, "${KEY}"))
    assert "s3cret" not in answer.reason
    assert "${KEY}" in answer.reason


def test_every_config_key_is_also_at_the_top_unless_it_collides() -> None:
    """T-110, BUG-45."""
    question = a_question("./x", config={"maxLagSeconds": 300, "pipelineId": "spoof", "config": {"a": 1}}, run_id="r")
    assert json.loads(encode_question(question)) == {
        "maxLagSeconds": 300,
        "pipelineId": "example",
        "pipelineID": "example",
        "traitType": "source-freshness",
        "scheduleId": "daily",
        "date": "2026-03-07",
        "runId": "r",
        "config": {"maxLagSeconds": 300, "pipelineId": "spoof", "config": {"a": 1}},
    }


def test_two_envelopes_of_one_question_share_nothing() -> None:
    """T-115."""
    question = a_question("./x", config={"tables": ["a"]})
    first, second = envelope(question), envelope(question)
    first["config"]["tables"].append("b")
    first["tables"].append("c")
    assert second["config"]["tables"] == second["tables"] == ["a"]
    assert question == a_question("./x", config={"tables": ["a"]})


@pytest.mark.parametrize(
    "returned", [{"status": float("nan")}, {1, 2}, object(), {"status": "PASS", "value": {"a": b"x"}}]
)
def test_a_function_is_held_to_the_same_rules(returned: object) -> None:
    answer = answer_from(returned)
    assert (answer.origin, answer.category) == (Origin.RUNNER, FailureCategory.PERMANENT)
