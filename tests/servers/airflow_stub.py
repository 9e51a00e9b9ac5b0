"""An Airflow that does what a test says: its REST API in both versions, as Airflow 3.3.2 and 2.11.0 were seen to answer.

    with AirflowStub("3", password="...") as stub:
        stub.dags["daily"] = Dag(ends="failed")
        with stub.broken(Fault.LOST_ANSWER, Verb.START):
            ...
        assert stub.starts() == 1

Whatever an error page can repeat of a request, those of faults do repeat: its credentials and its body.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import unquote

from tests.servers.airflow_wire import Also, Asked, Reply, read, send
from tests.unit.clients.rawserver import RawServer

from interlock.testing.conformance.remote_triggers import Fault, Verb

Version: TypeAlias = Literal["3", "2"]

USER: Final = "interlock"
_ID: Final = re.compile(r"[A-Za-z0-9_.~:+-]+")
_API: Final[dict[Version, str]] = {"3": "/api/v2", "2": "/api/v1"}
_NAMES: Final[dict[Version, str]] = {"3": "3.3.2", "2": "2.11.0"}
_FIELDS: Final[dict[Version, frozenset[str]]] = {
    "3": frozenset(
        {"dag_run_id", "conf", "logical_date", "note", "run_after", "data_interval_start", "data_interval_end"}
    ),
    "2": frozenset({"dag_run_id", "conf", "logical_date", "note", "data_interval_start", "data_interval_end"}),
}


@dataclass
class Dag:
    """A DAG, and how its runs end: `running` is not at all; `then` is how one ends that was cleared.

    `failed_tasks` are those of every failed run.
    """

    ends: str = "success"
    then: str = "success"
    paused: bool = False
    broken: bool = False
    stale: bool = False
    failed_tasks: tuple[str, ...] = ("work",)


@dataclass
class Run:
    """A DAG run, seen queued once and then as it ends. `begins` says how often it was made to run."""

    dag: str
    own: str
    conf: dict[str, Any]
    logical_date: str | None
    state: str = "queued"
    looks: int = 0
    begins: int = 1
    note: str | None = None
    ended: datetime | None = None

    def become(self, state: str) -> None:
        """Change the state; one that has ended keeps its end when it is set to that state again."""
        if state != self.state:
            self.ended = datetime.now(UTC) if state in ("success", "failed") else None
        self.state = state


@dataclass
class _Script:
    fault: Fault
    verb: Verb | Also
    over: threading.Event = field(default_factory=threading.Event)


class AirflowStub:
    """The stub. What is true stands in its attributes.

    `tokens` are those that are accepted; `before` is what stands between callers and it, and may answer in its place.
    """

    def __init__(self, version: Version, *, password: str = "a-password") -> None:
        self.version: Version = version
        self.password = password
        self.dags: dict[str, Dag] = {}
        self.runs: dict[tuple[str, str], Run] = {}
        self.tokens: set[str] = set()
        self.asked: list[Asked] = []
        self.before: Callable[[Asked], Reply | None] = lambda asked: None
        self._begun = 0
        self._granted = 0
        self._script: _Script | None = None
        self._acted = threading.Event()
        self._lock = threading.RLock()
        self._server = RawServer(self._serve)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """What to give the trigger as `url`."""
        return self._server.url

    def starts(self) -> int:
        """Return how often a DAG run has been made or cleared, deleted ones included."""
        return self._begun

    def expire_tokens(self) -> None:
        """Accept none of the tokens handed out so far."""
        self.tokens.clear()

    def forget_runs(self) -> None:
        """Delete every DAG run."""
        with self._lock:
            self.runs.clear()

    @contextmanager
    def broken(self, fault: Fault, verb: Verb | Also) -> Iterator[Callable[[], None]]:
        """Fail so, for every request of a kind. What this gives waits until one has been acted on."""
        self._acted.clear()
        script = self._script = _Script(fault, verb)
        try:
            yield self._wait
        finally:
            self._script = None
            script.over.set()

    def _wait(self) -> None:
        assert self._acted.wait(20), "no such request came"

    # ------------------------------------------------------------ the wire

    def _serve(self, peer: socket.socket, request: bytes) -> None:
        asked = read(request)
        with self._lock:
            self.asked.append(asked)
        if (instead := self.before(asked)) is not None:
            send(peer, instead)
            return
        script = self._script
        if script is None or script.verb not in (Verb.ALL, asked.verb):
            send(peer, self._answer(asked))
            return
        echo = f"you sent {asked.authorization} {json.dumps(asked.body)}"
        match script.fault:
            case Fault.LOST_REQUEST:
                return
            case Fault.THROTTLED:
                send(peer, Reply(429, echo))
                return
            case Fault.UNAUTHORIZED:
                send(peer, Reply(401, {"detail": f"Not authenticated, {echo}"}))
                return
        self._answer(asked)
        self._acted.set()
        if script.fault is Fault.BROKEN:
            send(peer, Reply(500, f"<h1>Ooops!</h1> {echo}"))
        elif script.fault is Fault.GARBAGE:
            send(peer, Reply(200, '\x00{"oops'))
        elif script.fault is Fault.FROZEN:
            script.over.wait(20)

    def _answer(self, asked: Asked) -> Reply:
        with self._lock:
            return self._routed(asked)

    def _routed(self, asked: Asked) -> Reply:
        if asked.path == "/auth/token" and self.version == "3":
            return self._token(asked.body)
        api = _API[self.version]
        if not asked.path.startswith(f"{api}/"):
            removed = {
                "error": "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead."
            }
            return Reply(404, removed if self.version == "3" else "<html><h1>Airflow 404</h1></html>")
        place = [unquote(part) for part in asked.path.removeprefix(f"{api}/").split("/")]
        if place == ["version"]:
            return Reply(200, {"version": _NAMES[self.version], "git_version": ".release:stub"})
        return self._unknown(asked.authorization) or self._of_dags(asked, place)

    def _of_dags(self, asked: Asked, place: list[str]) -> Reply:
        match asked.method, place:
            case "GET", ["dags", dag]:
                return self._dag(dag)
            case "POST", ["dags", dag, "dagRuns"]:
                return self._create(dag, asked.body)
            case "GET", ["dags", dag, "dagRuns"]:
                return self._listed(dag, asked.query)
            case _, ["dags", dag, "dagRuns", own, *rest]:
                return self._run(asked, dag, own, rest)
        return Reply(404, {"error": "API route not found"} if self.version == "3" else _problem(404, "Not Found", None))

    # ------------------------------------------------------------ who asks

    def _token(self, body: Any) -> Reply:
        if (body.get("username"), body.get("password")) != (USER, self.password):
            return Reply(401, {"detail": "Invalid credentials"})
        self._granted += 1
        token = f"token-{self._granted}-{self.password}"
        self.tokens.add(token)
        return Reply(201, {"access_token": token})

    def _unknown(self, authorization: str) -> Reply | None:
        scheme, _, said = authorization.partition(" ")
        if scheme == "Bearer" and said in self.tokens:
            return None
        if self.version == "2":
            known = scheme == "Basic" and b64decode(said) == f"{USER}:{self.password}".encode()
            return None if known else Reply(401, _problem(401, "Unauthorized", None))
        if scheme == "Bearer":
            return Reply(403, {"detail": "Invalid JWT token"})
        return Reply(401, {"detail": "Not authenticated"})

    # ------------------------------------------------------------ what they ask for

    def _dag(self, name: str) -> Reply:
        if (dag := self.dags.get(name)) is None:
            said = {"3": f"The Dag with ID: `{name}` was not found", "2": f"The DAG with dag_id: {name} was not found"}
            return self._missing("DAG not found", said[self.version])
        active = {"is_stale": dag.stale} if self.version == "3" else {"is_active": not dag.stale}
        return Reply(200, {"dag_id": name, "is_paused": dag.paused, "has_import_errors": dag.broken, **active})

    def _create(self, name: str, body: dict[str, Any]) -> Reply:
        if (wrong := self._wrong(body)) is not None:
            return wrong
        if name not in self.dags:
            return self._missing("DAG not found", f"DAG with dag_id: '{name}' not found")
        own, when = body["dag_run_id"], body.get("logical_date")
        if (name, own) in self.runs:
            return self._taken(f"DAGRun with DAG ID: '{name}' and DAGRun ID: '{own}' already exists")
        if when and any(run.dag == name and run.logical_date == when for run in self.runs.values()):
            return self._taken(f"DAGRun with DAG ID: '{name}' and DAGRun logical date: '{when}' already exists")
        self._begun += 1
        run = self.runs[name, own] = Run(dag=name, own=own, conf=body.get("conf", {}), logical_date=when)
        return Reply(200, self._shown(run))

    def _wrong(self, body: dict[str, Any]) -> Reply | None:
        own = body["dag_run_id"]
        if extra := set(body) - _FIELDS[self.version]:
            return self._invalid(f"{extra}: Extra inputs are not permitted")
        if not isinstance(body.get("conf", {}), dict):
            return self._invalid("conf: Input should be a valid dictionary")
        if self.version == "3" and "logical_date" not in body:
            return self._invalid("logical_date: Field required")
        if len(own) > 250:
            return self._invalid("dag_run_id: Longer than maximum length 250.")
        if not _ID.fullmatch(own):
            if self.version == "2":
                return Reply(500, "<h1>Ooops!</h1> Something bad has happened.")
            return Reply(400, {"detail": f"The run_id provided '{own}' does not match regex pattern"})
        return None

    def _listed(self, name: str, query: dict[str, list[str]]) -> Reply:
        mine, others = ("logical_date", "execution_date") if self.version == "3" else ("execution_date", "logical_date")
        if f"{others}_gte" in query:
            return self._invalid(f"Extra query parameter(s) {others}_gte not in spec")
        when = query.get(f"{mine}_gte", [None])[0]
        found = [run for run in self.runs.values() if run.dag == name and run.logical_date == when]
        return Reply(200, {"dag_runs": [self._shown(run) for run in found], "total_entries": len(found)})

    def _run(self, asked: Asked, name: str, own: str, rest: list[str]) -> Reply:
        if (run := self.runs.get((name, own))) is None:
            if self.version == "3":
                return self._missing("", f"The DagRun with dag_id: `{name}` and run_id: `{own}` was not found")
            if asked.method == "PATCH":
                return Reply(404, _problem(404, f"Dag Run id {own} not found in dag {name}", None))
            return self._missing("DAGRun not found", f"DAGRun with DAG ID: '{name}' and DagRun ID: '{own}' not found")
        dag = self.dags[name]
        if rest == ["taskInstances"]:
            names = dag.failed_tasks[: int(asked.query["limit"][0])] if run.state == "failed" else ()
            return Reply(200, {"task_instances": [{"task_id": task, "state": "failed"} for task in names]})
        if rest == ["clear"]:
            return self._clear(run, asked.body)
        if asked.verb is Also.NOTE:
            return self._note(run, rest, asked.body["note"])
        if asked.method == "PATCH":
            run.become(asked.body["state"])
        elif run.looks and run.state in ("queued", "running"):
            run.become(dag.ends if run.begins == 1 else dag.then)
        run.looks += 1
        return Reply(200, self._shown(run))

    def _clear(self, run: Run, body: dict[str, Any]) -> Reply:
        # Airflow takes it at any time, and restarts what is running.
        if body != {"dry_run": False}:
            return self._invalid("the stub knows no other options")
        self._begun += 1
        run.begins += 1
        run.looks = 0
        run.become("queued")
        return Reply(200, self._shown(run))

    def _note(self, run: Run, rest: list[str], note: str) -> Reply:
        if rest != ([] if self.version == "3" else ["setNote"]):
            return Reply(404, {"error": "API route not found"})
        if len(note) > 1000:
            return self._invalid("note: Longer than maximum length 1000.")
        run.note = note
        return Reply(200, self._shown(run))

    def _shown(self, run: Run) -> dict[str, Any]:
        ended = run.ended.isoformat() if run.ended else None
        return {
            "dag_id": run.dag,
            "dag_run_id": run.own,
            "state": run.state,
            "conf": run.conf,
            "logical_date": run.logical_date,
            "end_date": ended.replace("+00:00", "Z") if ended and self.version == "3" else ended,
            "run_type": "manual",
            "note": run.note,
        }

    def _missing(self, title: str, detail: str) -> Reply:
        return Reply(404, {"detail": detail} if self.version == "3" else _problem(404, title, detail))

    def _taken(self, detail: str) -> Reply:
        if self.version == "2":
            return Reply(409, _problem(409, "Conflict", detail))
        reason = {"reason": "Unique constraint violation", "statement": "hidden", "orig_error": "hidden"}
        return Reply(409, {"detail": reason})

    def _invalid(self, detail: str) -> Reply:
        if self.version == "2":
            return Reply(400, _problem(400, "Bad Request", detail))
        return Reply(422, {"detail": [{"type": "invalid", "msg": detail}]})


def _problem(status: int, title: str, detail: str | None) -> dict[str, Any]:
    return {"detail": detail, "status": status, "title": title, "type": "https://airflow.apache.org/docs/"}
