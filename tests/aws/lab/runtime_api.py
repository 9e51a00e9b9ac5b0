"""What a function runs in: a real process of `awslambdaric`, and the Runtime API that it asks for work.

A `Sandbox` handles one invocation at a time, stays warm for the next one, and ends with a timeout or a crash, as on AWS.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic, time
from typing import Final, NamedTuple

from tests.servers.aws_http import Listener, Reply, Request
from tests.servers.guard import forget, watch_over

_NEXT: Final = "/2018-06-01/runtime/invocation/next"
_INIT_ERROR: Final = "/2018-06-01/runtime/init/error"
_LOOK: Final = 0.02
# Starting a process and importing a handler has a limit of its own, which a busy machine does not reach.
_BEGIN: Final = 60.0


class Outcome(NamedTuple):
    """What became of an invocation: a payload, and whether it is the error of a function."""

    payload: bytes
    failed: bool = False


class Invocation(NamedTuple):
    """What a function is asked: `request` is the id, `timeout` in seconds."""

    request: str
    arn: str
    payload: bytes
    timeout: float


def fault(kind: str, message: str) -> Outcome:
    """Return the error of an invocation that the function did not report itself."""
    return Outcome(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)


class RuntimeApi:
    """The Runtime API for one process: it hands out one invocation at a time and takes what became of it."""

    def __init__(self) -> None:
        self.taken_at: float | None = None
        self.never_began = False
        self._asked: SimpleQueue[Invocation | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._current = ""
        self._listener = Listener(self._answer)

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API is set to."""
        return f"127.0.0.1:{self._listener.port}"

    def ask(self, invocation: Invocation) -> None:
        """Hand out an invocation to whoever asks next."""
        self.taken_at = None
        self._asked.put(invocation)

    def outcome(self, patience: float) -> Outcome | None:
        """Return what became of the invocation, or None if that is not known yet."""
        try:
            return self._outcomes.get(timeout=patience)
        except Empty:
            return None

    def close(self) -> None:
        """Stop listening; whoever asks for work is not answered."""
        self._asked.put(None)
        self._listener.close()

    def _answer(self, request: Request) -> Reply | None:
        if request.method == "GET" and request.target == _NEXT:
            return self._next()
        outcomes = {f"{self._current}/response": False, f"{self._current}/error": True}
        ending = request.target.removeprefix("/2018-06-01/runtime/invocation/")
        if request.target == _INIT_ERROR or ending in outcomes:
            self.never_began = request.target == _INIT_ERROR
            self._outcomes.put(Outcome(request.body, outcomes.get(ending, True)))
            return _json(202, {"status": "OK"})
        return _json(400, {"errorType": "InvalidRequestID", "errorMessage": f"not the current one: {request.target}"})

    def _next(self) -> Reply | None:
        invocation = self._asked.get()
        if invocation is None:
            return None
        self._current, self.taken_at = invocation.request, monotonic()
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request,
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            "Lambda-Runtime-Deadline-Ms": str(int((time() + invocation.timeout) * 1000)),
        }
        return Reply(200, headers, invocation.payload)


def _json(status: int, content: object) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


class Sandbox:
    """One process of a function, with all that it starts. One that is not `alive` any more is of no further use."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], *, folder: Path, log: Path) -> None:
        self._api = RuntimeApi()
        with log.open("ab") as said:
            self._process = subprocess.Popen(
                argv,
                cwd=folder,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        watch_over(self._process.pid)

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def call(self, invocation: Invocation) -> Outcome:
        """Have it handle an invocation, and end it if it takes longer than allowed."""
        self._api.ask(invocation)
        began = monotonic()
        while True:
            alive = self.alive
            outcome = self._api.outcome(_LOOK)
            if outcome is None and not alive:
                outcome = fault("Runtime.ExitError", f"RequestId: {invocation.request} Error: {self._last_words()}")
            elif outcome is None and self._is_late(began, invocation.timeout):
                said = f"Task timed out after {invocation.timeout:.2f} seconds"
                outcome = fault("Sandbox.Timedout", f"RequestId: {invocation.request} Error: {said}")
            elif outcome is None:
                continue
            elif not self._api.never_began:
                return outcome
            self.close()
            return outcome

    def _is_late(self, began: float, timeout: float) -> bool:
        taken = self._api.taken_at
        return monotonic() > (began + _BEGIN if taken is None else taken + timeout)

    def _last_words(self) -> str:
        status = self._process.wait()
        how = f"exit status {status}" if status >= 0 else f"signal: {signal.Signals(-status).name}"
        return f"Runtime exited with error: {how}"

    def close(self) -> None:
        """End it at once, with whatever it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        forget(self._process.pid)
        self._api.close()
