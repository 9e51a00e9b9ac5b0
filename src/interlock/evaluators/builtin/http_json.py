"""`builtin:http-json`: does a value in a JSON answer of some service satisfy a rule?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from interlock.clients.http import HttpTrouble
from interlock.clients.redaction import without_secrets
from interlock.codec.evaluator_protocol import failure, shown
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.evaluators.builtin.rules import Ruled, judge
from interlock.evaluators.context import CheckContext, expand
from interlock.evaluators.http import place_of, refusal, traced, trouble_answer
from interlock.ports.evaluators import Answer, Question

_STEP: Final = re.compile(r"[^.\[\]]+")


class HttpJsonConfig(Ruled, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `http-json` takes."""

    url: Annotated[
        str,
        Meta(
            pattern="^https?://",
            description="What to GET. {{date}}, {{hour}}, {{schedule}}, {{pipeline}} and ${env:NAME} are replaced.",
        ),
    ]
    path: Annotated[
        str,
        Meta(description="Keys and list indexes, such as data.items[0].lag. Empty: the whole answer."),
    ] = ""
    headers: Annotated[dict[str, str], Meta(description="Headers to send; replaced like the url.")] = msgspec.field(
        default_factory=dict
    )


class HttpJson:
    """GETs a document and compares one value in it. A path that leads nowhere is FAIL: nothing satisfies no rule."""

    Config = HttpJsonConfig

    def __init__(self, config: HttpJsonConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Ask the service; see `Check.evaluate`."""
        url = expand(self._config.url, question, self._context)
        headers = {name: expand(text, question, self._context) for name, text in self._config.headers.items()}
        try:
            headers = {"accept": "application/json", **traced(question), **headers}
            reply = self._context.http().send("GET", url, headers=headers, timeout=timeout)
        except HttpTrouble as exc:
            return trouble_answer(url, exc, timeout)
        refused = refusal(url, reply)
        if refused is not None:
            return refused
        try:
            found = msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            said = f"{place_of(url)} answered with something that is not JSON ({exc})"
            words = shown(without_secrets(reply.body[:2000].decode(errors="replace")))
            return failure(FailureCategory.PERMANENT, f"{said}: {words}")
        return self._judged(found)

    def _judged(self, found: Any) -> Answer:
        path = self._config.path
        gone: list[str] = []
        for step in _STEP.findall(path):
            gone.append(step)
            try:
                found = found[int(step)] if isinstance(found, list) else found[step]
            except (KeyError, IndexError, TypeError, ValueError):
                reason = f"the answer has no {shown('.'.join(gone))}, and nothing satisfies no rule"
                return Answer(status=TraitStatus.FAIL, reason=reason)
        if isinstance(found, dict | list):
            reason = (
                f"{path or 'the answer'} is {'an object' if isinstance(found, dict) else 'a list'}, not a single value"
            )
            return Answer(status=TraitStatus.ERROR, reason=reason, category=FailureCategory.PERMANENT)
        return judge(self._config, found, what=path or "the answer")
