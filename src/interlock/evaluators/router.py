"""Send each question to whatever can answer it, by the first word of its evaluator.

| evaluator | goes to |
|---|---|
| `builtin:NAME` | a check of Interlock, or of an installed plugin |
| `python:module:function` | a function of the project, in this process |
| `http://…`, `https://…` | that address |
| `push` | the last pushed result |
| `confined:NAME` | a program in one of the evaluator directories, and nowhere else |
| anything else | a program; or `{base URL}/{path}`, when a base URL is set and there is no such file |

Nothing that goes wrong on the way leaves this module as an exception.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from interlock import plugins
from interlock.codec.documents import mapping
from interlock.codec.evaluator_protocol import failure, shown
from interlock.core.traits import CONFINED, FailureCategory
from interlock.evaluators.context import Check, CheckContext, read_config
from interlock.evaluators.inprocess import PREFIX as PYTHON
from interlock.evaluators.inprocess import InProcessEvaluator
from interlock.evaluators.push import PushEvaluator
from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.evaluators.workers import Workers, raised
from interlock.ports.evaluators import Answer, Evaluator, Question
from interlock.ports.pushes import Pushes

if TYPE_CHECKING:
    from interlock.evaluators.http import HttpEvaluator

BUILTIN: Final = "builtin:"
PUSH: Final = "push"

_URLS: Final = ("http://", "https://")
_GRACE: Final = timedelta(milliseconds=500)


class RoutingEvaluator:
    """Answers every question, and never raises. Safe to call from many threads.

    `dirs` are the project's evaluator directories, `base_url` the address to which evaluators without a file are posted.
    """

    def __init__(self, context: CheckContext, pushes: Pushes, *, dirs: Sequence[Path] = (), base_url: str = "") -> None:
        self._context = context
        self._workers = Workers(halt=context.halt)
        self._programs = SubprocessEvaluator(context.root, dirs, env_allow=context.env_allow, halt=context.halt)
        self._functions = InProcessEvaluator(context.root, workers=self._workers)
        self._pushed = PushEvaluator(pushes, context.clock)
        self._base_url = base_url
        self._lock = threading.Lock()
        self._http: HttpEvaluator | None = None

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Ask the right one; see `Evaluator.evaluate`."""
        if not question.trait.evaluator or not question.trait.evaluator[0].strip():
            said = f"no evaluator is configured for the trait {question.trait.name}"
            return failure(FailureCategory.PERMANENT, said)
        name = question.trait.evaluator[0]
        try:
            if name.startswith(BUILTIN):
                return self._builtin(name.removeprefix(BUILTIN), question, timeout)
            return self._adapter(name).evaluate(question, timeout=timeout)
        except Exception as exc:  # noqa: BLE001  (a bug in an adapter must look like "could not tell", never like an answer)
            return raised(f"the evaluator {shown(name)!r}", exc)

    def close(self) -> None:
        """Stop the programs that are running and the pauses between tries. Questions under way still get an answer."""
        self._context.halt.set()
        if self._http is not None:
            self._http.close()

    def kind_of(self, question: Question) -> str:
        """Say in one word who answers a question: `builtin:sql`, `python`, `http`, `push` or `program`.

        There are as many words as there are checks of Interlock's own, and a few more: what a file says is never one.
        """
        name = "".join(question.trait.evaluator[:1])
        if name.startswith(BUILTIN):
            known = ("evaluator", name.removeprefix(BUILTIN)) in plugins.BUILTIN
            return name if known else "plugin"
        if name == PUSH:
            return "push"
        if name.startswith(PYTHON):
            return "python"
        return "http" if self._is_posted(name) else "program"

    def _adapter(self, name: str) -> Evaluator:
        if name == PUSH:
            return self._pushed
        if name.startswith(PYTHON):
            return self._functions
        return self._posted() if self._is_posted(name) else self._programs

    def _is_posted(self, name: str) -> bool:
        if name.startswith(CONFINED):
            return False
        return name.lower().startswith(_URLS) or (bool(self._base_url) and self._programs.find(name) is None)

    def _posted(self) -> Evaluator:
        # The HTTP client is slow to import, and most projects have none but programs.
        with self._lock:
            if self._http is None:
                from interlock.evaluators.http import HttpEvaluator

                self._http = HttpEvaluator(self._context.http(), base_url=self._base_url)
            return self._http

    def _builtin(self, name: str, question: Question, timeout: timedelta) -> Answer:
        kind: Any = plugins.load("evaluator", name)
        config = read_config(kind.Config, mapping(question.trait.config))
        check: Check = kind(config, self._context)
        what = f"the evaluator builtin:{name}"
        # It minds the time itself; the thread is for what cannot, such as a dead network file system.
        answer = self._workers.answer(
            lambda: check.evaluate(question, timeout=timeout), what=what, timeout=timeout, grace=_GRACE
        )
        return structs.replace(answer, reason=self._context.redact(answer.reason))


if TYPE_CHECKING:

    def _is_an_evaluator(it: RoutingEvaluator) -> Evaluator:
        return it
