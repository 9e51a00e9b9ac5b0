"""The yardsticks of `bench.triggers`: for each type of trigger its configuration, and the same calls made without Interlock.

A yardstick is what people would write: a client of boto3 that asks once or of httpx2, made beforehand, whose connections
stay open; `subprocess.Popen`. It looks at what our trigger has started.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import boto3
import httpx2
from bench.trigger_first import REGION
from bench.trigger_targets import DAG, JOB_ID, PASSWORD, TOKEN, USERNAME, Targets
from botocore.config import Config
from tests.servers.aws_emr import CLUSTER
from tests.servers.aws_emr_serverless import APPLICATION, ROLE
from tests.servers.aws_glue import JOB
from tests.servers.aws_lambda import FUNCTION
from tests.servers.aws_states import MACHINE

Start: TypeAlias = Callable[[str], object]
Look: TypeAlias = Callable[[str], object]

SECRET: Final = "${secret:token}"
DAY: Final = "{{date}}"
WORK: Final = "def work(day): pass\n"


class Case(NamedTuple):
    """One type of trigger, and what is beside it: a start under a key, finding and looking at a job by its id.

    `find` and `poll` are None where nothing is asked of anybody.
    """

    type: str
    config: dict[str, Any]
    start: Start
    find: Look | None = None
    poll: Look | None = None
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.type


def client(service: str, endpoint: str, **settings: Any) -> Any:
    """Return a client of boto3 that asks once."""
    config = Config(retries={"total_max_attempts": 1}, **settings)
    return boto3.client(  # type: ignore[call-overload, unused-ignore]
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=config,
    )


@contextmanager
def cases(where: Targets, root: Path) -> Iterator[list[Case]]:
    """Return all of them, with clients that are open meanwhile."""
    with ExitStack() as stack:
        found = [_command(stack), _python(stack, root), _http(stack, where.http)]
        found += [_airflow(stack, where), _databricks(stack, where), _glue(stack, where.aws), _emr(stack, where.aws)]
        found += [_emr_serverless(stack, where.aws), _step_function(stack, where.aws), _lambda(stack, where.aws)]
        if where.aws_tls:
            found.append(_http(stack, where.http_tls, "http_tls", where.bundle))
            found.append(_glue(stack, where.aws_tls, "glue_tls"))
        yield found


def _ended(stack: ExitStack) -> Callable[[list[str], str], None]:
    """Return what starts a process, as a job of which nobody hears again."""
    running: list[subprocess.Popen[bytes]] = []
    stack.callback(lambda: [process.wait(60) for process in running])

    def start(argv: list[str], cwd: str = "/") -> None:
        running.append(subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))

    return start


def _command(stack: ExitStack) -> Case:
    start = _ended(stack)
    return Case("command", {"command": f"true {DAY}"}, lambda _: start(["true", "2026-03-07"], "/"))


def _python(stack: ExitStack, root: Path) -> Case:
    (root / "jobs_of_bench.py").write_text(WORK)
    start = _ended(stack)
    argv = [sys.executable, "-c", "import jobs_of_bench; jobs_of_bench.work('2026-03-07')"]
    config = {"callable": "jobs_of_bench:work", "args": {"day": DAY}}
    return Case("python", config, lambda _: start(argv, str(root)))


# ---------------------------------------------------------------- HTTP


def _http(stack: ExitStack, url: str, label: str = "", bundle: str = "") -> Case:
    asking = stack.enter_context(_client(bundle))
    headers = {"authorization": f"Bearer {TOKEN}"}

    def look(own: str) -> object:
        return _ok(asking.get(f"{url}/jobs/{own}", headers=headers))

    config = {
        "url": f"{url}/jobs",
        "headers": {"Authorization": f"Bearer {SECRET}"},
        "body": {"day": DAY},
        "statusUrl": f"{url}/jobs/{{id}}",
        "status": {"path": "state"},
    }
    body = {"day": "2026-03-07"}

    def start(key: str) -> object:
        return _ok(asking.post(f"{url}/jobs", json=body, headers={**headers, "idempotency-key": key}))

    return Case("http", config, start, look, look, label)


def _client(bundle: str = "") -> httpx2.Client:
    return httpx2.Client(timeout=10, trust_env=False, verify=ssl.create_default_context(cafile=bundle or None))


def _ok(reply: httpx2.Response) -> Any:
    return reply.raise_for_status().json()


def _airflow(stack: ExitStack, where: Targets) -> Case:
    # The stand-in answers one request for each connection, and does not say so.
    asking = stack.enter_context(httpx2.Client(timeout=10, trust_env=False, headers={"connection": "close"}))
    login = {"username": USERNAME, "password": PASSWORD}
    asking.headers["authorization"] = (
        "Bearer " + _ok(asking.post(f"{where.airflow}/auth/token", json=login))["access_token"]
    )
    runs = f"{where.airflow}/api/v2/dags/{DAG}/dagRuns"

    def start(key: str) -> object:
        return _ok(asking.post(runs, json={"dag_run_id": key, "logical_date": None, "conf": {"day": "2026-03-07"}}))

    def look(own: str) -> object:
        return _ok(asking.get(f"{runs}/{own}"))

    config = {
        "url": where.airflow,
        "dagID": DAG,
        "username": USERNAME,
        "password": "${secret:password}",
        "conf": {"day": DAY},
    }
    return Case("airflow", config, start, look, look)


def _databricks(stack: ExitStack, where: Targets) -> Case:
    asking = stack.enter_context(_client())
    asking.headers["authorization"] = f"Bearer {TOKEN}"
    jobs = f"{where.databricks}/api/2.1/jobs"

    def start(key: str) -> object:
        body = {"job_id": JOB_ID, "idempotency_token": key, "job_parameters": {"day": "2026-03-07"}}
        return _ok(asking.post(f"{jobs}/run-now", json=body))

    def look(own: str) -> object:
        return _ok(asking.get(f"{jobs}/runs/get?run_id={own}"))

    config = {"workspaceUrl": where.databricks, "jobId": JOB_ID, "token": SECRET, "arguments": {"day": DAY}}
    return Case("databricks", config, start, None, look)


# ---------------------------------------------------------------- AWS


def _aws(stack: ExitStack, service: str, endpoint: str) -> Any:
    made = client(service, endpoint)
    stack.callback(made.close)
    return made


def _glue(stack: ExitStack, endpoint: str, label: str = "") -> Case:
    glue = _aws(stack, "glue", endpoint)
    config = {"jobName": JOB, "arguments": {"day": DAY}, "endpoint": endpoint}

    def start(key: str) -> object:
        return glue.start_job_run(JobName=JOB, Arguments={"--key": key, "--day": "2026-03-07"})["JobRunId"]

    def find(own: str) -> object:
        return next(run for run in glue.get_job_runs(JobName=JOB, MaxResults=200)["JobRuns"] if run["Id"] == own)

    return Case("glue", config, start, find, lambda own: glue.get_job_run(JobName=JOB, RunId=own), label)


def _emr(stack: ExitStack, endpoint: str) -> Case:
    emr = _aws(stack, "emr", endpoint)
    jar = "command-runner.jar"
    config = {"clusterId": CLUSTER, "jobName": "daily", "command": jar, "args": ["work", DAY], "endpoint": endpoint}

    def start(key: str) -> object:
        step = {"Name": key, "HadoopJarStep": {"Jar": jar, "Args": ["work", "2026-03-07"]}}
        return emr.add_job_flow_steps(JobFlowId=CLUSTER, Steps=[step])["StepIds"][0]

    def find(own: str) -> object:
        return next(step for step in emr.list_steps(ClusterId=CLUSTER)["Steps"] if step["Id"] == own)

    return Case("emr", config, start, find, lambda own: emr.describe_step(ClusterId=CLUSTER, StepId=own))


def _emr_serverless(stack: ExitStack, endpoint: str) -> Case:
    emr = _aws(stack, "emr-serverless", endpoint)
    driver = {"sparkSubmit": {"entryPoint": "s3://sales-data/job.py"}}
    config = {
        "applicationId": APPLICATION,
        "jobName": "daily",
        "executionRoleArn": ROLE,
        "jobDriver": driver,
        "arguments": {"day": DAY},
        "endpoint": endpoint,
    }

    def start(key: str) -> object:
        return emr.start_job_run(
            applicationId=APPLICATION, clientToken=key, executionRoleArn=ROLE, name="daily", jobDriver=driver
        )["jobRunId"]

    def find(own: str) -> object:
        return next(
            run for run in emr.list_job_runs(applicationId=APPLICATION, maxResults=50)["jobRuns"] if run["id"] == own
        )

    def poll(own: str) -> object:
        return emr.get_job_run(applicationId=APPLICATION, jobRunId=own)

    return Case("emr-serverless", config, start, find, poll)


def _step_function(stack: ExitStack, endpoint: str) -> Case:
    states = _aws(stack, "stepfunctions", endpoint)
    config = {"stateMachineArn": MACHINE, "arguments": {"day": DAY}, "endpoint": endpoint}

    def start(key: str) -> object:
        return states.start_execution(stateMachineArn=MACHINE, name=key, input='{"day":"2026-03-07"}')["executionArn"]

    def look(own: str) -> object:
        return states.describe_execution(executionArn=own)

    return Case("step-function", config, start, look, look)


def _lambda(stack: ExitStack, endpoint: str) -> Case:
    functions = _aws(stack, "lambda", endpoint)
    config = {"functionName": FUNCTION, "payload": {"day": DAY}, "endpoint": endpoint}

    def start(_: str) -> object:
        return functions.invoke(FunctionName=FUNCTION, Payload=b'{"day":"2026-03-07"}')["Payload"].read()

    return Case("lambda", config, start)
