"""What lies outside of Interlock: evaluators and a job system over HTTP whose answers a test gives, and a scripted Glue."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tests.servers.aws_http import Listener, Reply, Request
from tests.servers.aws_stub import AwsStub

_JSON: Final = {"Content-Type": "application/json"}


@dataclass
class Job:
    """A job that was begun: the request that began it, under which key, and how it stands."""

    id: str
    pipeline: str
    key: str
    body: Any
    callback: str
    state: str = "RUNNING"
    looks: int = 0


@dataclass(frozen=True)
class Asked:
    """A question to an evaluator."""

    pipeline: str
    trait: str
    date: str
    run: str
    config: dict[str, Any] = field(default_factory=dict)


class Outside:
    """Answers evaluators' questions (`says`, by pipeline and trait) and begins jobs (`jobs`, in their order).

    A trait that nobody has said anything of fails. `starting` is called, by pipeline, with each job that was begun, before the
    answer to its start is sent; `quickly` with those of the pipelines in `quick`.
    """

    def __init__(self) -> None:
        self.says: dict[tuple[str, str], Any] = {}
        self.asked: list[Asked] = []
        self.jobs: list[Job] = []
        self.quick: set[str] = set()
        self.starting: dict[str, Callable[[Job], None]] = {}
        self.quickly: Callable[[Job], None] = lambda _job: None
        self.aws = AwsStub()
        self._lock = threading.Lock()
        self._listener = Listener(self._answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.aws.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.port}"

    # ------------------------------------------------------------ for tests

    def tell(self, pipeline: str, trait: str, answer: Any) -> None:
        """Have a trait answered: by a status such as `PASS`, a whole answer, or a number, which is a status of HTTP.

        A function is called, and nothing is answered.
        """
        self.says[pipeline, trait] = answer

    def begun(self, pipeline: str) -> list[Job]:
        """Return the jobs of a pipeline, oldest first."""
        return [job for job in self.jobs if job.pipeline == pipeline]

    def questions(self, pipeline: str, trait: str | None = None) -> list[Asked]:
        """Return what was asked about a pipeline, oldest first."""
        return [one for one in self.asked if one.pipeline == pipeline and trait in {None, one.trait}]

    # ------------------------------------------------------------ answers

    def _answer(self, request: Request) -> Reply | None:
        parts = request.target.partition("?")[0].strip("/").split("/")
        match (request.method, parts):
            case ("POST", ["checks", _]):
                return self._check(json.loads(request.body))
            case ("POST", ["jobs", pipeline]):
                return self._begin(pipeline, request)
            case ("GET", ["jobs", pipeline, number]):
                return self._look(pipeline, number)
            case ("POST", ["jobs", pipeline, number, "stop"]):
                return self._stop(pipeline, number)
            case _:
                return _reply(404, {"error": f"nothing is at {request.target}"})

    def _check(self, body: dict[str, Any]) -> Reply | None:
        pipeline, trait = body["pipelineId"], body["traitType"]
        with self._lock:
            self.asked.append(Asked(pipeline, trait, body["date"], body["runId"], body["config"]))
        said = self.says.get((pipeline, trait), "FAIL")
        if callable(said):
            said()
            return None
        if isinstance(said, int):
            return _reply(said, {"error": "as the test says"})
        return _reply(200, {"status": said} if isinstance(said, str) else said)

    def _begin(self, pipeline: str, request: Request) -> Reply | None:
        key = request.headers["idempotency-key"]
        with self._lock:
            job = next((one for one in self.begun(pipeline) if one.key == key), None)
            fresh = job is None
            if job is None:
                number = f"{pipeline}-{len(self.begun(pipeline)) + 1}"
                callback = request.headers.get("x-interlock-callback-url", "")
                job = Job(number, pipeline, key, json.loads(request.body or b"null"), callback)
                self.jobs.append(job)
        started = self.starting.get(pipeline, self.quickly if pipeline in self.quick else None)
        if fresh and started is not None:
            started(job)
        return _reply(200, {"id": job.id})

    def _look(self, pipeline: str, number: str) -> Reply:
        for job in self.begun(pipeline):
            if job.id == number:
                job.looks += 1
                return _reply(200, {"status": job.state, "reason": f"the job is {job.state}"})
        return _reply(404, {"error": "no such job"})

    def _stop(self, pipeline: str, number: str) -> Reply:
        for job in self.begun(pipeline):
            if job.id == number:
                job.state = "STOPPED"
        return _reply(202, {})


def _reply(status: int, content: object) -> Reply:
    return Reply(status, _JSON, json.dumps(content).encode())
