"""Lambda: real handlers in real processes, behind an address that answers `lambda:Invoke`.

    with Functions() as functions:
        functions.add(Function("greet", "handlers.greet", folders=[here]))
        functions.invoke("greet", {"name": "Ada"})

Clients of boto3 and tasks of state machines invoke at `functions.url`; names may be ARNs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sysconfig
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from tests.aws.lab.runtime_api import Invocation, Outcome, Sandbox
from tests.servers.aws_http import Listener, Reply, Request
from tests.servers.base import ROOT, TOOLS, tool, until
from tests.servers.dynamodb import REGION
from tests.servers.guard import forget, watch_over

# What a handler straight from the source needs beside the runtime: the source, and what the project has installed.
SOURCE: Final = (ROOT / "src", Path(sysconfig.get_path("purelib")))
_ARN: Final = f"arn:aws:lambda:{REGION}:123456789012:function:"
_INVOKE: Final = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_NAME: Final = re.compile(r"(?:(?:arn:aws:lambda:[a-z0-9-]+:)?\d{12}:function:)?([A-Za-z0-9_-]+)(?::[^:]+)?")
_LARGEST: Final = {"RequestResponse": 6 * 1024 * 1024, "Event": 1024 * 1024}
_REFUSALS: Final = {"TooManyRequestsException": 429, "ServiceException": 500, "ResourceNotFoundException": 404}


@dataclass(frozen=True)
class Function:
    """A function: where its handler is and how it is run.

    `folders` come first on the path of its modules, `SOURCE` or an unpacked bundle. At most `workers` invocations are
    handled at once; others wait for them.
    """

    name: str
    handler: str
    folders: Sequence[Path] = SOURCE
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    memory: int = 256
    workers: int = 2
    python: Path = TOOLS / "bin/python"


class Call(NamedTuple):
    """An invocation that took place, with what became of it."""

    function: str
    event: Any
    answer: Any
    error: str = ""


class FunctionFailed(Exception):
    """A function reported an error: `kind` is what Catch compares, `report` the whole of it."""

    def __init__(self, kind: str, report: Any) -> None:
        super().__init__(f"{kind}: {report}")
        self.kind = kind
        self.report = report


class Refused(Exception):
    """An invocation that Lambda did not accept; `code` is the name of the error."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(f"{code}: {said}")
        self.code = code
        self.said = said


class _Pool:
    """The sandboxes of one function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.idle: list[Sandbox] = []
        self.all: set[Sandbox] = set()
        self.places = threading.Semaphore(function.workers)


class Functions:
    """All functions of a test session, and the address at which they are invoked."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """`environment` is given to every function beside its own."""
        tool("lib/python3*/site-packages/awslambdaric", "awslambdaric")
        self.environment: dict[str, str] = dict(environment or {})
        self.calls: list[Call] = []
        self.root = Path(tempfile.mkdtemp(prefix="interlock-functions-"))
        watch_over(self.root)
        self._pools: dict[str, _Pool] = {}
        self._refusals: dict[str, list[str]] = {}
        self._under_way: Counter[str] = Counter()
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._front = Listener(self._answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """What to give a client of Lambda as `endpoint_url`."""
        return f"http://127.0.0.1:{self._front.port}"

    def close(self) -> None:
        """End all functions."""
        for name in list(self._pools):
            self.cool(name)
        self._front.close()
        shutil.rmtree(self.root, ignore_errors=True)
        forget(self.root)

    # ------------------------------------------------------------ functions

    def add(self, function: Function) -> str:
        """Make a function, in place of one of the same name; return its ARN."""
        if function.name in self._pools:
            self.cool(function.name)
        self._pools[function.name] = _Pool(function)
        return _ARN + function.name

    def cool(self, name: str) -> None:
        """End the processes of a function, also those that are at work: the next invocation starts cold."""
        pool = self._pools[name]
        with self._lock:
            sandboxes, pool.idle = list(pool.all), []
            pool.all.clear()
        for sandbox in sandboxes:
            sandbox.close()

    def warm(self, name: str) -> list[int]:
        """Return the numbers of the processes of a function."""
        return sorted(sandbox.pid for sandbox in self._pools[name].all)

    def said(self, name: str) -> str:
        """Return everything that a function wrote: its log."""
        log = self._log(name)
        return log.read_text(errors="replace") if log.exists() else ""

    # ------------------------------------------------------------ invoking

    def invoke(self, name: str, event: Any) -> Any:
        """Invoke a function and return its answer. Raises FunctionFailed and Refused."""
        call = self._call(self._accepted(name), json.dumps(event).encode())
        if call.error:
            raise FunctionFailed(call.error, call.answer)
        return call.answer

    def throttle(self, name: str, times: int) -> None:
        """Refuse the next invocations of a function as too many."""
        self.refuse(name, "TooManyRequestsException", times)

    def refuse(self, name: str, code: str, times: int) -> None:
        """Refuse the next invocations of a function with this error of Lambda."""
        assert code in _REFUSALS, code
        with self._lock:
            self._refusals.setdefault(name, []).extend([code] * times)

    def calls_of(self, name: str) -> list[Call]:
        """Return the invocations of a function that took place, in the order in which they ended."""
        return [call for call in self.calls if call.function == name]

    def settle(self) -> None:
        """Wait until no function is at work, those that were invoked as an event included."""
        until(lambda: not self._under_way.total(), f"functions are still at work: {dict(self._under_way)}")

    def _call(self, pool: _Pool, payload: bytes) -> Call:
        name = pool.function.name
        try:
            outcome = self._handled(pool, payload)
        finally:
            with self._lock:
                self._under_way[name] -= 1
        answer = json.loads(outcome.payload or b"null")
        error = str(answer.get("errorType") or "Lambda.Unknown") if outcome.failed else ""
        call = Call(name, json.loads(payload or b"null"), answer, error)
        self.calls.append(call)
        return call

    def _accepted(self, name: str) -> _Pool:
        """Return the processes for an invocation that is taken, which is under way from now on."""
        with self._lock:
            if self._refusals.get(name):
                raise Refused(self._refusals[name].pop(0), "as the test says")
            if name not in self._pools:
                raise Refused("ResourceNotFoundException", f"Function not found: {_ARN}{name}")
            self._under_way[name] += 1
            return self._pools[name]

    def _handled(self, pool: _Pool, payload: bytes) -> Outcome:
        function = pool.function
        request = f"00000000-0000-4000-8000-{next(self._numbers):012d}"
        with pool.places:
            sandbox = self._sandbox(pool)
            outcome = sandbox.call(Invocation(request, _ARN + function.name, payload, function.timeout))
            with self._lock:
                if sandbox.alive and sandbox in pool.all:
                    pool.idle.append(sandbox)
                else:
                    pool.all.discard(sandbox)
        return outcome

    def _sandbox(self, pool: _Pool) -> Sandbox:
        with self._lock:
            while pool.idle:
                sandbox = pool.idle.pop()
                if sandbox.alive:
                    return sandbox
                pool.all.discard(sandbox)
        function = pool.function
        argv = [str(function.python), "-m", "awslambdaric", function.handler]
        log = self._log(function.name)
        sandbox = Sandbox(argv, self._environment_of(function), folder=Path(function.folders[0]), log=log)
        with self._lock:
            pool.all.add(sandbox)
        return sandbox

    def _log(self, name: str) -> Path:
        return self.root / f"{name}.log"

    def _environment_of(self, function: Function) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "lab",
            "LAMBDA_TASK_ROOT": str(function.folders[0]),
            "_HANDLER": function.handler,
            "PYTHONPATH": os.pathsep.join(map(str, function.folders)),
            **self.environment,
            **function.environment,
        }

    # ------------------------------------------------------------ the front

    def _answer(self, request: Request) -> Reply | None:
        place = _INVOKE.fullmatch(urlsplit(request.target).path)
        named = _NAME.fullmatch(unquote(place[1])) if place else None
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        if request.method != "POST" or named is None or kind not in _LARGEST:
            return _error(400, "InvalidRequestContentException", f"no invocation: {request.method} {request.target}")
        if len(request.body) > _LARGEST[kind]:
            return _error(413, "RequestTooLargeException", f"{len(request.body)} byte payload is too large")
        try:
            json.loads(request.body or b"null")
        except ValueError:
            return _error(400, "InvalidRequestContentException", "Could not parse request body into json")
        try:
            pool = self._accepted(named[1])
        except Refused as exc:
            return _error(_REFUSALS[exc.code], exc.code, exc.said)
        if kind == "Event":
            # Lambda tries an event again that failed, a minute later: here it is tried once.
            threading.Thread(target=self._call, args=(pool, request.body), name="lambda-event", daemon=True).start()
            return Reply(202, {}, b"")
        call = self._call(pool, request.body)
        headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST"}
        if call.error:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return Reply(200, headers, json.dumps(call.answer).encode())


def _error(status: int, code: str, said: str) -> Reply:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code, "x-amzn-RequestId": "lab"}
    return Reply(status, headers, json.dumps({"Type": "User", "Message": said, "message": said}).encode())
