"""A Databricks workspace as far as runs go: the Jobs API 2.1 and 2.2 and OAuth, on loopback, by the rules of the real one.

The official SDK accepts it (tests/unit/triggers/test_databricks_stub.py); where the real one passes over a mistake in a
request, this one refuses it. A run moves on by one step of its script with every look at it.
"""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from tests.servers.aws_http import Listener, Reply, Request
from tests.servers.databricks_runs import Run, Step

from interlock.testing.conformance.remote_triggers import Fault, Verb

PAGE_SIZE: Final = 100
LONGEST_TOKEN: Final = 64
_START: Final = ("run-now", "runs/submit")
_LOOK: Final = ("runs/get", "runs/list", "runs/get-output")
_STOP: Final = ("runs/cancel",)
_PATHS: Final = {Verb.START: _START, Verb.LOOK: _LOOK, Verb.STOP: _STOP}
_TEXTS: Final = ("job_parameters", "notebook_params", "python_named_params", "sql_params")
_LISTS: Final = ("jar_params", "python_params", "spark_submit_params", "dbt_commands", "only")
RUN_NOW: Final = frozenset(
    {"job_id", "idempotency_token", "queue", "performance_target", "pipeline_params", *_TEXTS, *_LISTS}
)
SUBMIT: Final = frozenset(
    {
        *("run_name", "tasks", "idempotency_token", "timeout_seconds", "queue", "performance_target", "environments"),
        *("git_source", "access_control_list", "run_as", "email_notifications", "webhook_notifications", "health"),
        *("notification_settings", "budget_policy_id", "usage_policy_id"),
    }
)


class _Refused(Exception):
    """An error answer of the API."""

    def __init__(self, status: int, code: str | int, message: str, body: dict[str, Any] | None = None) -> None:
        self.status = status
        self.body: dict[str, Any] = body or {"error_code": code, "message": message}


class _Broken(NamedTuple):
    fault: Fault
    verb: Verb


class DatabricksStub:
    """The workspace. `jobs` and `scripts` say how runs go: by the number of the job, by the key of the first task.

    The truth is in `runs`, `requests` (path and body of every call of the API) and `issued`, the OAuth tokens given out.
    """

    def __init__(self, *, token: str = "dapi-1", client_id: str = "principal", client_secret: str = "dose-1") -> None:
        self.token, self.client_id, self.client_secret = token, client_id, client_secret
        self.jobs: dict[int, tuple[Step, ...]] = {}
        self.scripts: dict[str, tuple[Step, ...]] = {}
        self.runs: dict[int, Run] = {}
        self.requests: list[tuple[str, Any]] = []
        self.issued: list[str] = []
        self.expires_in: Any = 3600
        self.date = "Sat, 07 Mar 2026 06:00:00 GMT"
        self.only_newest_token = False
        self.refuses_to_cancel_ended = False
        self._begun: dict[str, int] = {}
        self._good: set[str] = set()
        self._count = 0
        self._broken: _Broken | None = None
        self._held: threading.Event | None = None
        self._moved = threading.Event()
        self._lock = threading.RLock()
        self._listener = Listener(self._answer)
        self.url = f"http://127.0.0.1:{self._listener.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._moved.set()
        self._listener.close()

    def starts(self) -> int:
        """Return how many runs have ever begun."""
        return self._count

    def forget(self) -> None:
        """Delete every run."""
        with self._lock:
            self.runs.clear()

    def expire(self) -> None:
        """Let every OAuth token given out so far run out."""
        self._good.clear()

    @contextmanager
    def broken(self, fault: Fault, verb: Verb) -> Iterator[None]:
        """Let requests of a kind fail so."""
        self._moved.clear()
        self._broken = _Broken(fault, verb)
        try:
            yield
        finally:
            self._broken = None
            self._moved.set()

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Act on what starts a run, and do not answer; see `RemoteBench.held`."""
        self._moved.clear()
        acted = self._held = threading.Event()

        def wait() -> None:
            assert acted.wait(20), "nothing was started"

        try:
            yield wait
        finally:
            self._held = None
            self._moved.set()

    # ------------------------------------------------------------ requests

    def _answer(self, request: Request) -> Reply | None:
        address = urlsplit(request.target)
        place, _, path = address.path.removeprefix("/api/").partition("/jobs/")
        broken = self._broken
        fault = broken.fault if broken and (broken.verb is Verb.ALL or path in _PATHS[broken.verb]) else None
        if fault is Fault.LOST_REQUEST:
            return None
        if fault in (Fault.THROTTLED, Fault.UNAUTHORIZED):
            return self._faulty(fault, request)
        with self._lock:
            reply = self._done(request, address.path, place, path)
        if self._held is not None and path in _START:
            self._held.set()
            self._moved.wait(30)
            return None
        if fault is Fault.FROZEN:
            self._moved.wait(30)
        if fault in (Fault.FROZEN, Fault.LOST_ANSWER):
            return None
        return self._faulty(fault, request) if fault else reply

    def _done(self, request: Request, whole: str, version: str, path: str) -> Reply:
        try:
            if whole == "/oidc/v1/token":
                return self._reply(200, self._oauth(request))
            if whole == "/oidc/.well-known/oauth-authorization-server":
                ends = {"token_endpoint": f"{self.url}/oidc/v1/token"}
                return self._reply(200, {**ends, "authorization_endpoint": f"{self.url}/oidc/v1/authorize"})
            if whole == "/.well-known/databricks-config":
                return self._reply(200, {"oidc_endpoint": f"{self.url}/oidc", "workspace_id": "1"})
            self._check_bearer(request)
            return self._reply(200, self._api(request, version, path))
        except _Refused as exc:
            return self._reply(exc.status, exc.body)

    def _api(self, request: Request, version: str, path: str) -> Any:
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.target).query).items()}
        body = json.loads(request.body or b"{}")
        self.requests.append((f"{version}/{path}", body or query))
        match request.method, path if version in ("2.1", "2.2") else "":
            case "POST", "run-now":
                return self._run_now(body)
            case "POST", "runs/submit":
                return self._submit(body)
            case "GET", "runs/get":
                return self._get(query, version)
            case "GET", "runs/get-output":
                return self._output(query, version)
            case "GET", "runs/list":
                return self._list(query, version)
            case "POST", "runs/cancel":
                return self._cancel(body)
            case "POST", "runs/delete":
                del self.runs[self._run(body).run_id]
                return {}
        raise _Refused(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.target}'")

    def _reply(self, status: int, body: Any) -> Reply:
        return Reply(status, {"Content-Type": "application/json", "Date": self.date}, json.dumps(body).encode())

    def _faulty(self, fault: Fault, request: Request) -> Reply:
        # It repeats what it was sent, as some gateways do: none of that may reach people.
        echo = f"{request.headers.get('authorization', '')} {request.body.decode(errors='replace')}"
        match fault:
            case Fault.THROTTLED:
                return self._reply(429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": f"Too often: {echo}"})
            case Fault.UNAUTHORIZED:
                return self._reply(403, {"error_code": 403, "message": f"Invalid access token. {echo}"})
            case Fault.BROKEN:
                return self._reply(500, {"error_code": "INTERNAL_ERROR", "message": f"Oops: {echo}"})
        page = f"<html><title>Sign in</title>{echo}</html>".encode()
        return Reply(200, {"Content-Type": "text/html"}, page)

    # ------------------------------------------------------------ who asks

    def _oauth(self, request: Request) -> Any:
        wanted = b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        given = parse_qs(request.body.decode())
        if request.headers.get("authorization") != f"Basic {wanted}":
            raise _invalid(401, "invalid_client")
        if given.get("grant_type") != ["client_credentials"] or given.get("scope") != ["all-apis"]:
            raise _invalid(400, "invalid_request")
        text = f"oauth-{self.client_secret}-{len(self.issued)}"
        self.issued.append(text)
        self._good = {text} if self.only_newest_token else {*self._good, text}
        return {"access_token": text, "token_type": "Bearer", "expires_in": self.expires_in, "scope": "all-apis"}

    def _check_bearer(self, request: Request) -> None:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            raise _Refused(401, 401, "Credential was not sent or was of an unsupported type for this API.")
        if bearer.startswith("oauth-") and bearer not in self._good:
            raise _Refused(401, "UNAUTHENTICATED", f"Token {bearer} is expired.")
        if not bearer.startswith("oauth-") and bearer != self.token:
            raise _Refused(403, 403, f"Invalid access token {bearer}.")

    # ------------------------------------------------------------ runs

    def _run_now(self, body: dict[str, Any]) -> Any:
        _known(body, RUN_NOW)
        job_id = body.get("job_id")
        if not isinstance(job_id, int) or job_id not in self.jobs:
            raise _Refused(400, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
        for name in _TEXTS:
            if not all(isinstance(value, str) for value in body.get(name, {}).values()):
                raise _Refused(400, "MALFORMED_REQUEST", f"Could not parse request object: {name} holds no string")
        if "jar_params" in body and "notebook_params" in body:
            raise _Refused(400, "INVALID_PARAMETER_VALUE", "jar_params and notebook_params exclude each other")
        run_id = self._begin(body, lambda new: Run(new, job_id, f"job {job_id}", "JOB_RUN", self.jobs[job_id]))
        return {"run_id": run_id, "number_in_job": run_id}

    def _submit(self, body: dict[str, Any]) -> Any:
        _known(body, SUBMIT)
        tasks = body.get("tasks") or []
        keys = [task.get("task_key") for task in tasks]
        if not keys or not all(keys) or len(set(keys)) < len(keys):
            raise _Refused(400, "INVALID_PARAMETER_VALUE", "Tasks must be specified, each with a key of its own.")
        if any("job_cluster_key" in task for task in tasks):
            raise _Refused(
                400, "INVALID_PARAMETER_VALUE", "Shared job cluster feature is not supported in runs/submit API."
            )
        if not all(any(name.endswith("_task") for name in task) for task in tasks):
            raise _Refused(400, "INVALID_PARAMETER_VALUE", "Every task must have a type.")
        steps = self.scripts[keys[0]]
        name = body.get("run_name", "Untitled")
        return {"run_id": self._begin(body, lambda new: Run(new, new * 7, name, "SUBMIT_RUN", steps))}

    def _begin(self, body: dict[str, Any], make: Callable[[int], Run]) -> int:
        token = body.get("idempotency_token", "")
        if len(token) > LONGEST_TOKEN:
            raise _Refused(400, "INVALID_PARAMETER_VALUE", "The token must have at most 64 characters.")
        known = self._begun.get(token) if token else None
        if known is None:
            self._count += 1
            known = 455_644_000_000_000 + self._count * 1000
            self.runs[known] = make(known)
            if token:
                self._begun[token] = known
        elif known not in self.runs:
            raise _Refused(400, "INVALID_PARAMETER_VALUE", f"Run {known} with this idempotency token was deleted.")
        return known

    def _run(self, asked: Mapping[str, Any]) -> Run:
        text = str(asked.get("run_id", ""))
        if not text.isdecimal():
            raise _Refused(400, "MALFORMED_REQUEST", "Could not parse request object: run_id")
        if int(text) not in self.runs:
            raise _Refused(400, "INVALID_PARAMETER_VALUE", f"Run {int(text)} does not exist.")
        return self.runs[int(text)]

    def _get(self, query: dict[str, str], version: str) -> Any:
        run = self._run(query)
        first = int(query.get("page_token", "0"))
        shown = run.shown(self.url, version)
        tasks = shown["tasks"]
        shown["tasks"] = tasks[first : first + PAGE_SIZE]
        if version == "2.2" and len(tasks) > first + PAGE_SIZE:
            shown["next_page_token"] = str(first + PAGE_SIZE)
        elif not first:
            run.move()
        return shown

    def _output(self, query: dict[str, str], version: str) -> Any:
        shown = self._run(query).shown(self.url, version)
        if len(shown["tasks"]) > 1:
            raise _Refused(
                400, "INVALID_PARAMETER_VALUE", "Retrieving the output of runs with multiple tasks is not supported."
            )
        return {"metadata": shown, "notebook_output": {"result": "done", "truncated": False}}

    def _list(self, query: dict[str, str], version: str) -> Any:
        wanted = [run for run in self.runs.values() if query.get("job_id", str(run.job_id)) == str(run.job_id)]
        wanted.sort(key=lambda run: -run.run_id)
        first, limit = int(query.get("page_token", "0")), int(query.get("limit", "20"))
        rows = [run.shown(self.url, version) for run in wanted[first : first + limit]]
        for row in rows:
            del row["tasks"]
        found = {"runs": rows, "has_more": len(wanted) > first + limit}
        return {**found, "next_page_token": str(first + limit)} if found["has_more"] else found

    def _cancel(self, body: dict[str, Any]) -> Any:
        run = self._run(body)
        if run.over and self.refuses_to_cancel_ended:
            raise _Refused(400, "INVALID_STATE", f"Run {run.run_id} is already in a terminal state.")
        run.cancel()
        return {}


def _invalid(status: int, error: str) -> _Refused:
    return _Refused(status, "", "", {"error": error, "error_description": "Client authentication failed"})


def _known(body: dict[str, Any], names: frozenset[str]) -> None:
    for name in body:
        if name not in names:
            raise _Refused(400, "MALFORMED_REQUEST", f"Could not parse request object: unknown field {name}")
