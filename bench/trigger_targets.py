"""The systems that `bench.triggers` starts jobs in: stand-ins of the tests, in a process of their own.

As a program it says where they are, forgets what it is told to, and leaves when its standard input ends.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from botocore.httpsession import get_cert_path
from tests.servers.airflow_stub import USER, AirflowStub, Dag
from tests.servers.aws_http import Listener, Reply, Request
from tests.servers.aws_jobs import Behaviour
from tests.servers.aws_stub import AwsStub
from tests.servers.base import ServerMissing
from tests.servers.certificates import certificate
from tests.servers.databricks_runs import LINGERS
from tests.servers.databricks_stub import DatabricksStub

from interlock.testing.conformance.triggers import Kind

DAG: Final = "daily"
JOB_ID: Final = 101
PASSWORD: Final = "a-password"
TOKEN: Final = "dapi-1"
USERNAME: Final = USER
_WITH_JOBS: Final = ("glue", "emr", "emr-serverless", "stepfunctions")


class Targets(NamedTuple):
    """Where they are, and the file of certificates that vouches for them; without openssl none speaks TLS."""

    process: subprocess.Popen[str]
    aws: str
    airflow: str
    databricks: str
    http: str
    aws_tls: str = ""
    http_tls: str = ""
    bundle: str = ""

    def forget(self) -> None:
        """Lose every job, so that listings are short again."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("forget\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


@contextmanager
def targets() -> Iterator[Targets]:
    """Have them at work meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "bench.trigger_targets", folder]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield Targets(process, **json.loads(process.stdout.readline()))
        finally:
            process.communicate()


class _Tls(Listener):
    """A listener that speaks TLS."""

    def __init__(self, answer: Any, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(answer)

    def _serve(self, peer: Any) -> None:
        try:
            secure = self._context.wrap_socket(peer, server_side=True)
        except OSError:
            peer.close()
        else:
            super()._serve(secure)


class _Aws(AwsStub):
    """AWS with a second door."""

    def secure(self, context: ssl.SSLContext) -> _Tls:
        return _Tls(self._answer, context)


def _jobs(request: Request) -> Reply:
    """Start a job, or show one that runs."""
    own = request.headers.get("idempotency-key", "bare") if request.method == "POST" else request.target.split("/")[-1]
    return Reply(200, {"Content-Type": "application/json"}, json.dumps({"id": own, "state": "running"}).encode())


def _serve(folder: Path) -> None:
    with ExitStack() as stack:
        aws = stack.enter_context(_Aws())
        for service in _WITH_JOBS:
            aws.behave(service, Behaviour(kind=Kind.LINGERS))
        airflow = stack.enter_context(AirflowStub("3", password=PASSWORD))
        airflow.dags[DAG] = Dag(ends="running")
        databricks = stack.enter_context(DatabricksStub(token=TOKEN))
        databricks.jobs[JOB_ID] = LINGERS
        http = Listener(_jobs)
        stack.callback(http.close)
        places = {"aws": aws.url, "airflow": airflow.url, "databricks": databricks.url, "http": _url("http", http)}
        places |= _secured(stack, folder, aws)
        print(json.dumps(places), flush=True)
        for _ in sys.stdin:
            for service in _WITH_JOBS:
                aws.forget(service)
            aws.calls.clear()
            airflow.forget_runs()
            databricks.forget()
            print("done", flush=True)


def _secured(stack: ExitStack, folder: Path, aws: _Aws) -> dict[str, str]:
    try:
        cert, key = certificate(folder)
    except ServerMissing as exc:
        print(f"nothing is measured over TLS: {exc}", file=sys.stderr)
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    # As long as the file that everybody else has, since reading it is a part of what is measured.
    bundle = folder / "bundle.pem"
    bundle.write_bytes(Path(get_cert_path(verify=True)).read_bytes() + cert.read_bytes())
    doors = {"aws_tls": aws.secure(context), "http_tls": _Tls(_jobs, context)}
    for door in doors.values():
        stack.callback(door.close)
    return {name: _url("https", door) for name, door in doors.items()} | {"bundle": str(bundle)}


def _url(scheme: str, listener: Listener) -> str:
    return f"{scheme}://127.0.0.1:{listener.port}"


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
