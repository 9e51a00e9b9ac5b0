"""Write an evaluator as a Python function; use it as a program, as an HTTP endpoint, or in Interlock's own process.

    from interlock.evaluator import FAIL, PASS, Ask, Verdict, evaluator
    from msgspec import Struct

    class Freshness(Struct):
        max_lag_seconds: int

    @evaluator
    def check(config: Freshness, ask: Ask) -> Verdict:
        lag = lag_of(ask.date)
        if lag > config.max_lag_seconds:
            return FAIL(f"{lag} s behind", lagSeconds=lag)
        return PASS(lagSeconds=lag)

    if __name__ == "__main__":
        check.main()

The function takes nothing, the config, or the config and the `Ask`. The config is a plain dict, or whatever type the first
parameter is annotated with, if msgspec can build it. An exception becomes ERROR with category EVALUATOR_CRASH, and a
config of the wrong shape ERROR with category PERMANENT: in both cases nobody knows how the data are, and the answer says so.
The result is the same however the function is called.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import Struct

from interlock import reading
from interlock.core.traits import FailureCategory, TraitStatus

_MAX_BODY: Final = 1 << 20
_JSON: Final = "application/json"


class Ask(Struct, frozen=True, kw_only=True):
    """What is asked about. `date` is the period: a day `2026-03-07` or finer. `run_id` is empty outside a run."""

    pipeline: str = ""
    schedule: str = ""
    date: str = ""
    run_id: str = ""
    trait: str = ""
    config: dict[str, Any] = msgspec.field(default_factory=dict)


class Verdict(Struct, frozen=True, kw_only=True):
    """An answer: made by calling PASS, FAIL, STALE or ERROR."""

    status: TraitStatus
    reason: str = ""
    value: dict[str, Any] | None = None
    category: FailureCategory | None = None

    def as_output(self) -> dict[str, Any]:
        """Return the answer as the object an evaluator prints."""
        output: dict[str, Any] = {"status": self.status.value}
        if self.value:
            output["value"] = self.value
        if self.reason:
            output["reason"] = self.reason
        if self.category:
            output["failureCategory"] = self.category.value
        return output


class Word:
    """PASS, FAIL, STALE or ERROR: a verdict by itself, and a maker of verdicts with a reason and measurements."""

    def __init__(self, status: TraitStatus) -> None:
        self.status = status

    def __call__(
        self,
        reason: str = "",
        measured: Mapping[str, Any] | None = None,
        /,
        *,
        category: FailureCategory | str | None = None,
        **more: Any,
    ) -> Verdict:
        """Make a verdict. Measurements are keywords; those that are called `category` come as a mapping."""
        return Verdict(
            status=self.status,
            reason=reason,
            value={**(measured or {}), **more} or None,
            category=None if category is None else FailureCategory(category),
        )

    def __repr__(self) -> str:
        return self.status.value


PASS: Final = Word(TraitStatus.PASS)
FAIL: Final = Word(TraitStatus.FAIL)
STALE: Final = Word(TraitStatus.STALE)
ERROR: Final = Word(TraitStatus.ERROR)


class Check:
    """A function made an evaluator by the decorator `evaluator`."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", "check")
        self.__doc__ = function.__doc__
        parameters = list(inspect.signature(function).parameters.values())
        if len(parameters) > 2:
            raise TypeError(f"{self.__name__} takes {len(parameters)} parameters; an evaluator takes (config, ask)")
        self._count = len(parameters)
        self._annotation = parameters[0].annotation if parameters else inspect.Parameter.empty

    def __call__(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the object an evaluator reads with the object it prints. Never raises an ordinary exception."""
        try:
            ask = _ask_of(asked)
            config = self._config(ask.config)
        except (NameError, TypeError, ValueError) as exc:
            return ERROR(f"the config cannot be used: {exc}", category=FailureCategory.PERMANENT).as_output()
        try:
            return output_of(self.function(*(config, ask)[: self._count]))
        except Exception as exc:  # noqa: BLE001  (whatever a check raises, its answer is that nobody knows)
            traceback.print_exc(file=sys.stderr)
            return ERROR(f"{type(exc).__name__}: {exc}", category=FailureCategory.EVALUATOR_CRASH).as_output()

    def main(self) -> None:
        """Be a program: read the question from stdin, print the answer to stdout, exit 0.

        Everything else that is printed meanwhile, by this process or its children, goes to stderr, so that a stray
        `print` does not spoil the answer.
        """
        stdout = os.dup(1)
        os.dup2(2, 1)
        _, answer = self.handle(sys.stdin.buffer.read())
        sys.stdout.flush()
        with os.fdopen(stdout, "wb") as out:
            out.write(answer + b"\n")

    def handle(self, body: bytes) -> tuple[int, bytes]:
        """Be an HTTP endpoint in any framework: turn a request's body into a status and a body of JSON."""
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            refused = ERROR(f"the question is no JSON object: {exc}", category=FailureCategory.PERMANENT)
            return 400, msgspec.json.encode(refused.as_output())
        try:
            return 200, msgspec.json.encode(self(asked))
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.EncodeError) as exc:
            crash = ERROR(f"the answer is not JSON: {exc}", category=FailureCategory.EVALUATOR_CRASH)
            return 200, msgspec.json.encode(crash.as_output())

    def wsgi(self, environ: Mapping[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """Be a WSGI application: POST the question to any path."""
        if environ.get("REQUEST_METHOD") != "POST":
            return _respond(start_response, "405 Method Not Allowed", b'{"error":"POST the question"}')
        length = str(environ.get("CONTENT_LENGTH") or "0")
        if not length.isdigit() or int(length) > _MAX_BODY:
            return _respond(start_response, "413 Content Too Large", b'{"error":"the question is too long"}')
        status, answer = self.handle(environ["wsgi.input"].read(int(length)))
        return _respond(start_response, "200 OK" if status == 200 else "400 Bad Request", answer)

    def _config(self, config: dict[str, Any]) -> object:
        if self._annotation in (inspect.Parameter.empty, Any):
            return config
        # The first parameter alone is resolved: the others may be annotated with names that exist for type checkers only.
        holder = type("Holder", (), {"__annotations__": {"config": self._annotation}})
        hints = get_type_hints(holder, globalns=getattr(self.function, "__globals__", {}))
        return reading.value(config, hints["config"])


def evaluator(function: Callable[..., object]) -> Check:
    """Make a function an evaluator."""
    return Check(function)


def output_of(returned: object) -> dict[str, Any]:
    """Turn what a check returned into the object an evaluator prints: a verdict, a bare word, or a dict as it is.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(returned, Word):
        returned = returned()
    if isinstance(returned, Verdict):
        return returned.as_output()
    if isinstance(returned, dict):
        return returned
    if inspect.iscoroutine(returned):
        returned.close()
    raise TypeError(f"a check returns PASS, FAIL, STALE, ERROR or a dict, not {type(returned).__name__}")


def _ask_of(asked: Mapping[str, Any]) -> Ask:
    # Called by hand, people often send nothing but the config.
    enveloped = isinstance(asked.get("config"), dict)
    return Ask(
        pipeline=str(asked.get("pipelineId") or asked.get("pipelineID") or ""),
        schedule=str(asked.get("scheduleId") or ""),
        date=str(asked.get("date") or ""),
        run_id=str(asked.get("runId") or ""),
        trait=str(asked.get("traitType") or ""),
        config=dict(asked["config"] if enveloped else asked),
    )


def _respond(start_response: Callable[..., object], status: str, body: bytes) -> list[bytes]:
    start_response(status, [("content-type", _JSON), ("content-length", str(len(body)))])
    return [body]
