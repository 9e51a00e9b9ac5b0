"""Ask a Python function of the project, `python:module:function`, in Interlock's own process.

Fast, and trusting: the function shares memory, environment and standard output with Interlock, and cannot be killed.
At the deadline its thread is abandoned. A check that may hang or crash is better off as a program.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.codec.evaluator_protocol import answer_from, envelope, failure, shown
from interlock.core.traits import FailureCategory
from interlock.errors import ConfigError
from interlock.evaluator import output_of
from interlock.evaluators.workers import Workers
from interlock.ports.evaluators import Answer, Evaluator, Question

PREFIX = "python:"


class InProcessEvaluator:
    """Imports a function, from the project's directory before anywhere else, and calls it on a thread of its own.

    The function takes the object that a program gets on stdin, and returns a verdict of `interlock.evaluator` or the
    dict that a program would print.
    """

    def __init__(self, root: Path, *, workers: Workers | None = None) -> None:
        self._root = root.absolute()
        self._workers = workers or Workers()

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Call the function; see `Evaluator.evaluate`."""
        name = question.trait.evaluator[0]
        what = f"the evaluator {shown(name)!r}"
        return self._workers.answer(lambda: call(self._load(name), question), what=what, timeout=timeout)

    def _load(self, name: str) -> Callable[..., object]:
        module_name, colon, attribute = name.removeprefix(PREFIX).partition(":")
        if not colon or not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
            raise ConfigError("it is not of the form python:module:function")
        if str(self._root) not in sys.path:
            sys.path.insert(0, str(self._root))
        module = self._import(module_name)
        function = getattr(module, attribute, None)
        if function is None:
            known = [key for key, it in vars(module).items() if callable(it)]
            raise ConfigError(f"the module {module_name} has no {attribute!r}{_nearest(attribute, known)}")
        if not callable(function):
            raise ConfigError(f"{module_name}.{attribute} is {type(function).__name__} and not a function")
        found: Callable[..., object] = function
        return found

    def _import(self, name: str) -> Any:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as exc:
            missing = exc.name or name
            if not f"{name}.".startswith(f"{missing}."):
                raise ConfigError(f"the module {name} needs {missing!r}, which is not installed") from exc
            raise ConfigError(f"there is no module {missing!r}{self._near_module(missing)}") from exc
        except Exception as exc:
            raise ConfigError(f"the module {name} cannot be imported: {type(exc).__name__}: {exc}") from exc

    def _near_module(self, missing: str) -> str:
        parent, _, last = missing.rpartition(".")
        places = getattr(sys.modules.get(parent), "__path__", None) if parent else [str(self._root)]
        near = _nearest(last, [found.name for found in pkgutil.iter_modules(places)])
        return near or f" (looked in {self._root} first)"


def call(function: Callable[..., object], question: Question) -> Answer:
    """Call a function as an evaluator, with a fresh input of its own, and read what it returns. Its exceptions pass."""
    returned = function(envelope(question))
    try:
        output = output_of(returned)
    except TypeError as exc:
        return failure(FailureCategory.PERMANENT, str(exc))
    return answer_from(output)


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


if TYPE_CHECKING:

    def _is_an_evaluator(it: InProcessEvaluator) -> Evaluator:
        return it
