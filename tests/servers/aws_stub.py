"""An AWS that does what a test says: nine services behind one loopback port, for unmodified clients of botocore.

    with AwsStub() as stub:
        stub.behave("glue", Behaviour(states=["STARTING", "RUNNING", "FAILED"], error="out of memory"))
        glue = stub.client("glue")
        with stub.fault("StartJobRun", Fault.LOST_ANSWER, times=1):
            ...
        assert stub.starts("glue") == 1

Every request is read by the service's own model. One that the model does not accept is answered ValidationException and
kept in `refused`; the fixture fails the test that leaves any there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import boto3
from botocore.config import Config
from tests.servers.aws_answers import answer, refusal
from tests.servers.aws_emr import Emr
from tests.servers.aws_emr_serverless import EmrServerless
from tests.servers.aws_errors import REGION, AwsError, Unacceptable
from tests.servers.aws_faults import Fault, Script, Scripted, said
from tests.servers.aws_glue import Glue
from tests.servers.aws_http import Listener, Reply, Request
from tests.servers.aws_jobs import Behaviour, Job, Shelf, digest, instant
from tests.servers.aws_lambda import Lambda
from tests.servers.aws_s3 import S3
from tests.servers.aws_secrets import Secrets, Tokens
from tests.servers.aws_sns import Sns
from tests.servers.aws_states import States
from tests.servers.aws_wire import Params, read, signer_of

ACCESS_KEY: Final = "AKIATESTTESTTESTTEST"
_PAGES: Final = {
    Fault.UNAVAILABLE: Reply(503, {"Content-Type": "text/html"}, b"<html><h1>503 Service Unavailable</h1></html>"),
    Fault.GARBAGE: Reply(200, {"Content-Type": "application/octet-stream"}, b'\x00\xff{"oops'),
    Fault.NONSENSE: Reply(200, {"Content-Type": "text/html"}, b"<html><h1>Please log in</h1><br></html>"),
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request that arrived and was understood, and who signed it for which region."""

    service: str
    operation: str
    params: Params
    headers: Mapping[str, str]
    region: str
    access_key: str
    request_id: str

    @property
    def token(self) -> str | None:
        """The session token of the caller."""
        return self.headers.get("x-amz-security-token")


class AwsStub:
    """The stub. Its services keep what is true in attributes of their own; change them under `lock` while calls run."""

    def __init__(self) -> None:
        self.glue = Glue()
        self.emr = Emr()
        self.emr_serverless = EmrServerless()
        self.stepfunctions = States()
        self.functions = Lambda()
        self.secrets = Secrets()
        self.sts = Tokens()
        self.sns = Sns()
        self.s3 = S3()
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.lock = threading.RLock()
        # What the Date of every answer says, if not the time.
        self.date: datetime | None = None
        self._operations: dict[str, Mapping[str, Callable[[Params], Params]]] = {
            "glue": self.glue.operations,
            "emr": self.emr.operations,
            "emr-serverless": self.emr_serverless.operations,
            "stepfunctions": self.stepfunctions.operations,
            "lambda": self.functions.operations,
            "secretsmanager": self.secrets.operations,
            "sts": self.sts.operations,
            "sns": self.sns.operations,
            "s3": self.s3.operations,
        }
        self._shelves: dict[str, Shelf] = {
            "glue": self.glue.shelf,
            "emr": self.emr.shelf,
            "emr-serverless": self.emr_serverless.shelf,
            "stepfunctions": self.stepfunctions.shelf,
        }
        self._scripts: list[Script] = []
        self._asked = 0
        self._listener = Listener(self._answer)

    @property
    def url(self) -> str:
        """What to give a client as `endpoint_url`."""
        return "http://{}:{}".format(*self.address)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self._listener.port

    def client(self, service: str, **settings: Any) -> Any:
        """Return a client of boto3 that asks once and waits five seconds; `settings` are those of botocore's Config."""
        config = Config(**{"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 5, **settings})
        return boto3.client(  # type: ignore[call-overload, unused-ignore]
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key="test",
            config=config,
        )

    def close(self) -> None:
        """Drop everything that is held, and stop listening: clients are refused from then on."""
        for script in self._scripts:
            script.take_back()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ the script

    def behave(self, service: str, *behaviours: Behaviour, where: str = "") -> None:
        """Let jobs begun from now on behave so: the first start as the first says, and so on; the last stays.

        `where` limits it to starts whose request, as JSON, contains these words.
        """
        with self.lock:
            self._shelves[service].behave(behaviours, where)

    def fault(
        self,
        operation: str,
        fault: Scripted,
        *,
        service: str | None = None,
        times: int | None = None,
        after: int = 0,
        acts: bool | None = None,
    ) -> Script:
        """Let calls of an operation (`*` for all) fail so: `times` of them, or until the fault is taken back.

        `after` lets so many pass first. `acts` says whether the call is carried out, where the fault's own way is not
        wanted: a lost, dripping, torn or unreadable answer is one to a call that was carried out, the others are not. Of
        several faults the first that fits strikes. It holds without `with`, too.
        """
        script = Script(operation, fault, service=service, times=times, after=after, acts=acts)
        with self.lock:
            self._scripts.append(script)
        return script

    def hold(self, operation: str, *, service: str | None = None, times: int | None = 1) -> Script:
        """Carry a call out and keep its answer back: `arrived` says that it was carried out, `release()` answers it."""
        return self.fault(operation, Fault.FROZEN, service=service, times=times, acts=True)

    def forget(self, service: str, job_id: str | None = None) -> None:
        """Lose a job, or all of a service. They stay counted as begun."""
        with self.lock:
            self._shelves[service].forget(job_id)

    # ------------------------------------------------------------ the truth

    def jobs(self, service: str) -> tuple[Job, ...]:
        """Return the jobs of a service, the oldest first."""
        with self.lock:
            return tuple(self._shelves[service].jobs)

    def starts(self, service: str) -> int:
        """Return how many jobs of a service (invocations, for Lambda) were really begun; Glue's own retries are not."""
        with self.lock:
            if service == "lambda":
                return len(self.functions.invocations)
            return self._shelves[service].starts

    def called(self, operation: str, service: str | None = None) -> list[Call]:
        """Return the calls of one operation, in their order, those that failed too."""
        with self.lock:
            return [call for call in self.calls if call.operation == operation and service in (call.service, None)]

    # ------------------------------------------------------------ answering

    def _answer(self, request: Request) -> Reply | None:
        with self.lock:
            self._asked += 1
            request_id = str(UUID(digest("request", self._asked)[:32]))
        reply = self._reply(request, request_id)
        if reply is None:
            return None
        date = format_datetime(self.date or instant(), usegmt=True)
        return reply._replace(headers={**reply.headers, "Date": date})

    def _reply(self, request: Request, request_id: str) -> Reply | None:
        service = "glue"
        try:
            signer = signer_of(request, self._operations)
            service = signer.service
            found = read(request, service, self._operations[service])
        except (Unacceptable, UnicodeDecodeError) as exc:
            with self.lock:
                self.refused.append(str(exc))
            return refusal(service, AwsError("ValidationException", str(exc), 400), request_id)
        call = Call(
            service=service,
            operation=found.operation,
            params=found.params,
            headers=request.headers,
            region=signer.region,
            access_key=signer.access_key,
            request_id=request_id,
        )
        with self.lock:
            self.calls.append(call)
            strikes = (script for script in self._scripts if script.strikes(service, call.operation))
            script = next(strikes, None)
        return self._act(call) if script is None else self._struck(call, script)

    def _act(self, call: Call) -> Reply:
        try:
            with self.lock:
                result = self._operations[call.service][call.operation](call.params)
        except AwsError as exc:
            return refusal(call.service, exc, call.request_id)
        return answer(call.service, call.operation, result, call.request_id)

    def _struck(self, call: Call, script: Script) -> Reply | None:
        reply = self._act(call) if script.acts else None
        script.arrived.set()
        error = said(script.fault, call.service, call.operation)
        if error is not None:
            return refusal(call.service, error, call.request_id)
        match script.fault:
            case Fault.UNAVAILABLE | Fault.GARBAGE | Fault.NONSENSE as page:
                return _PAGES[page]
            case Fault.HOLLOW:
                return answer(call.service, call.operation, {}, call.request_id)
            case Fault.DRIP:
                return reply and reply._replace(drip=script)
            case Fault.TORN:
                return reply and reply._replace(torn=True)
            case Fault.FROZEN if script.wait():
                return reply or self._act(call)
            case _:
                return None
