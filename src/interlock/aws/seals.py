"""Answers on their way through an execution, sealed.

The evaluator cannot write the table, so its answers travel in the state of an execution; and whoever may start an execution
writes its first state. So each answer is sealed with a key that stands in the table and in no execution, and what has no
seal, or is about another run, counts as no answer. An answer travels as text: what carries it may write its numbers in
another way.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from interlock.aws.state import Asked
from interlock.codec import wire
from interlock.errors import Invalid, NotDeployed

_ANSWER: Final = "answer"
_SEAL: Final = "seal"
_FORGED: Final = {
    "Error": "Unsealed",
    "Cause": "what the execution holds was not given by this deployment's evaluator for this run: it counts as no answer",
}
_LOG: Final = logging.getLogger(__name__)


def sealed(asked: Asked, key: str) -> dict[str, str]:
    """Return an answer as it travels.

    Raises:
        NotDeployed: there is no key.
    """
    text = wire.to_json(asked).decode()
    return {_ANSWER: text, _SEAL: _seal_of(text, key)}


def opened(state: Any, key: str) -> Any:
    """Return a state with its answers as they were before they were sealed. Whoever was not sealed has not answered.

    Raises:
        Invalid, ValueError: an answer is none at all.
        NotDeployed: there is no key.
    """
    answers = state.get("answers") if isinstance(state, Mapping) else None
    if not answers:
        return state
    return {**state, "answers": [_opened(each, state.get("run"), key) for each in answers]}


def _opened(carried: Any, run: object, key: str) -> dict[str, Any]:
    given = carried if isinstance(carried, dict) else {}
    text, seal = given.get(_ANSWER), given.get(_SEAL)
    if text is None and given.get("lost") is not None:
        return {**given, "fact": None}  # its function died, and what was asked is as it was asked
    asked = msgspec.json.decode(text) if isinstance(text, str) else carried
    if not isinstance(asked, dict):
        raise Invalid(f"an answer is of the type {type(asked).__name__}, expected an object")
    if _is_sealed(text, seal, key) and asked.get("run") == run:
        return asked
    _LOG.error("an answer for %.300r has no seal of ours, and counts as none: who started its execution?", run)
    return {**asked, "fact": None, "lost": _FORGED}


def _is_sealed(text: object, seal: object, key: str) -> bool:
    if not isinstance(text, str) or not isinstance(seal, str):
        return False
    return hmac.compare_digest(_seal_of(text, key).encode(), seal.encode(errors="replace"))


def _seal_of(text: str, key: str) -> str:
    if not key:
        raise NotDeployed("the deployment has no key for the answers of its functions: interlock deploy sync once more")
    return hmac.digest(key.encode(), text.encode(errors="surrogatepass"), "sha256").hex()
