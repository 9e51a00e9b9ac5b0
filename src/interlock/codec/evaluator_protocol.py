"""The evaluator protocol: one JSON object in, one JSON object out, the same over every transport.

In: `pipelineId` and `pipelineID` (both spellings are in the field), `traitType`, `scheduleId`, `date`, `runId` and `config`;
and every key of the config once more at the top level where it does not collide, so that an evaluator which expects
nothing but its config works as well as one which expects the envelope.

Out: `status` (exactly PASS, FAIL, STALE or ERROR), and optionally `value` (an object), `reason` (text) and
`failureCategory`. Other keys are left alone. Anything else is a *protocol error*: a FAIL of category PERMANENT with
origin runner, because nobody can know what the evaluator meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import msgspec

from interlock.codec.documents import document, mapping
from interlock.core.documents import Document
from interlock.core.traits import FailureCategory, Origin, TraitStatus
from interlock.ports.evaluators import Answer, Question

MAX_REASON: Final = 4096
MAX_VALUE: Final = 65_536
MAX_DEPTH: Final = 64
SHOWN: Final = 200

_STATUSES: Final = {status.value: status for status in TraitStatus}
_CATEGORIES: Final = {category.value: category for category in FailureCategory}
_EXPECTED: Final = 'expected one JSON object such as {"status": "PASS"}, with a status of PASS, FAIL, STALE or ERROR'


def envelope(question: Question) -> dict[str, Any]:
    """Return the object an evaluator is sent: fresh for each call, so that no two evaluators share it."""
    config = mapping(question.trait.config)
    return {
        **mapping(question.trait.config),
        "pipelineId": str(question.slot.pipeline),
        "pipelineID": str(question.slot.pipeline),
        "traitType": str(question.trait.name),
        "scheduleId": str(question.slot.schedule),
        "date": str(question.slot.period),
        "runId": question.run_id,
        "config": config,
    }


def encode_question(question: Question) -> bytes:
    """Return the object an evaluator is sent as JSON in UTF-8."""
    return msgspec.json.encode(envelope(question))


def parse_output(printed: bytes, *, redact: Callable[[str], str] = str) -> Answer:
    """Read what an evaluator printed. Never raises: what cannot be read is a protocol error.

    Args:
        printed: all of it.
        redact: applied to every text that is passed on, before it is shortened.
    """
    try:
        return _answer(_one_object(printed), redact)
    except _Breach as exc:
        return _protocol_error(str(exc), printed, redact)


def answer_from(printed: object) -> Answer:
    """Read what a function returned in place of printing, by the same rules."""
    try:
        return parse_output(json.dumps(printed, allow_nan=True).encode())
    except (TypeError, ValueError, RecursionError) as exc:
        return failure(
            FailureCategory.PERMANENT,
            f"the evaluator's answer is not JSON ({exc}): {shown(repr(printed)[: SHOWN * 2])}; {_EXPECTED}",
        )


def failure(category: FailureCategory, reason: str) -> Answer:
    """Return what a runner says when no answer could be had: FAIL, with a category, by origin runner."""
    return Answer(status=TraitStatus.FAIL, reason=harmless(reason, MAX_REASON), category=category, origin=Origin.RUNNER)


def harmless(text: str, limit: int) -> str:
    """Return a text on one line, at most about `limit` bytes long, that cannot move a terminal's cursor or forge a log line.

    Control, format and surrogate characters become visible escapes.
    """
    text = text[: limit + 1]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - 3].decode(errors="ignore") + "…"


def shown(text: str) -> str:
    """Return the first few words of something strange, made harmless, for use in a reason."""
    return harmless(text.strip(), SHOWN)


class _Breach(Exception):
    """What was printed breaks the protocol; the message says how."""


def _one_object(printed: bytes) -> dict[str, Any]:
    if not printed.strip():
        raise _Breach("the evaluator printed nothing")
    try:
        found = json.loads(printed.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except UnicodeDecodeError as exc:
        raise _Breach(f"what the evaluator printed is not UTF-8 (byte {exc.start})") from exc
    except json.JSONDecodeError as exc:
        what = "printed more than one JSON value" if exc.msg == "Extra data" else f"printed no valid JSON ({exc.msg})"
        raise _Breach(f"the evaluator {what}, at line {exc.lineno} column {exc.colno}") from exc
    except RecursionError as exc:
        raise _Breach("what the evaluator printed is nested too deeply") from exc
    except ValueError as exc:
        raise _Breach(f"the evaluator printed no valid JSON ({exc})") from exc
    if not isinstance(found, dict):
        raise _Breach(f"the evaluator printed {_kind(found)} and not an object")
    return found


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Breach(f"the evaluator printed the key {shown(twice)!r} twice in one object")
    return found


def _no_constant(name: str) -> float:
    raise _Breach(f"the evaluator printed {name}, which is not JSON")


def _answer(found: dict[str, Any], redact: Callable[[str], str]) -> Answer:
    status = _status(found)
    category = _category(found.get("failureCategory"))
    if status is TraitStatus.PASS:
        category = None
    elif status is TraitStatus.ERROR and category is None:
        category = FailureCategory.TRANSIENT
    return Answer(
        status=status,
        value=_value(found.get("value"), redact),
        reason=harmless(redact(_reason(found.get("reason"))), MAX_REASON),
        category=category,
    )


def _status(found: dict[str, Any]) -> TraitStatus:
    if "status" not in found:
        raise _Breach("the evaluator's answer has no status")
    said = found["status"]
    status = _STATUSES.get(said) if isinstance(said, str) else None
    if status is None:
        raise _Breach(f"the evaluator's status is {shown(json.dumps(said))}, not PASS, FAIL, STALE or ERROR")
    return status


def _category(said: object) -> FailureCategory | None:
    if said is None:
        return None
    category = _CATEGORIES.get(said) if isinstance(said, str) else None
    if category is None:
        known = ", ".join(_CATEGORIES)
        raise _Breach(f"the evaluator's failureCategory is {shown(json.dumps(said))}, not one of {known}")
    return category


def _reason(said: object) -> str:
    if said is None:
        return ""
    if not isinstance(said, str):
        raise _Breach(f"the evaluator's reason is {_kind(said)} and not text")
    _refuse_lone_surrogates(said)
    return said


def _value(said: object, redact: Callable[[str], str]) -> Document | None:
    if said is None:
        return None
    if not isinstance(said, dict):
        raise _Breach(f"the evaluator's value is {_kind(said)} and not an object")
    _refuse_depth(said)
    for key in said:
        _refuse_lone_surrogates(key)
    try:
        doc = document(said if redact is str else _redacted(said, redact))
    except (ValueError, OverflowError) as exc:
        raise _Breach(f"the evaluator's value cannot be kept ({exc})") from exc
    if len(doc.text.encode()) > MAX_VALUE:
        raise _Breach(f"the evaluator's value is larger than {MAX_VALUE // 1024} KiB")
    return doc


def _refuse_lone_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise _Breach("the evaluator printed half of a surrogate pair, which is not text") from exc


def _refuse_depth(value: object) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _Breach(f"the evaluator's value is nested more than {MAX_DEPTH} deep")
        level = [child for node in level for child in _children(node)]


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(key): _redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, redact) for item in value]
    return value


def _protocol_error(what: str, printed: bytes, redact: Callable[[str], str]) -> Answer:
    # Far more than is shown, so that a secret which straddles the cut is never shown in part.
    start = redact(printed[:65_536].decode("utf-8", "backslashreplace"))
    seen = f"; it printed: {shown(start)}" if start.strip() else ""
    return failure(FailureCategory.PERMANENT, f"{what}; {_EXPECTED}{seen}")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
