"""Airflow 3 and Airflow 2, real ones: an API, a scheduler and a few DAGs over SQLite. Starting one takes some 20 seconds.

Each version is an environment of its own, pinned in `requirements/airflow3.lock` and `airflow2.lock`, because they agree with
nothing else: `.venv-airflow3` and `.venv-airflow2`, or where INTERLOCK_AIRFLOW3_VENV and INTERLOCK_AIRFLOW2_VENV say.
"""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import quote

import psutil
from tests.servers.base import HOST, ROOT, Server, ServerFailed, ServerMissing, until

Version: TypeAlias = Literal["3", "2"]

KINDS: Final = ("succeeds", "fails", "lingers", "recovers")
PAUSED: Final = "paused"
_SETS: Final = 28
USER: Final = "interlock"
PASSWORD: Final = "a-password-for-tests"
_PATIENCE: Final = 120
_API: Final[dict[Version, str]] = {"3": "/api/v2", "2": "/api/v1"}

# A task that does nothing is ended by the scheduler itself, and one in a pool that nobody has made is never started: neither
# takes a worker, of which Airflow 2 on SQLite has one.
_DAGS_FILE: Final = f"""
try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, BaseOperator
except ImportError:
    from airflow import DAG
    from airflow.models.baseoperator import BaseOperator
    from airflow.operators.empty import EmptyOperator


class Fails(BaseOperator):
    def execute(self, context):
        raise RuntimeError("the disk is on fire")


class Recovers(BaseOperator):
    def execute(self, context):
        if context["ti"].try_number == 1:
            raise RuntimeError("the disk is full")


def dag(name, *, paused=False, work=EmptyOperator, pool="default_pool"):
    with DAG(dag_id=name, schedule=None, catchup=False, is_paused_upon_creation=paused, max_active_runs=100):
        work(task_id="work", pool=pool, retries=0)


for number in range({_SETS}):
    dag(f"succeeds-{{number}}")
    dag(f"fails-{{number}}", work=Fails)
    dag(f"lingers-{{number}}", work=Fails, pool="closed")
    dag(f"recovers-{{number}}", work=Recovers)
dag("{PAUSED}", paused=True)
"""

_START: Final[dict[Version, str]] = {
    "3": "airflow scheduler --skip-serve-logs & airflow dag-processor & exec airflow api-server",
    "2": "airflow scheduler --skip-serve-logs & exec airflow webserver",
}
_DATABASE: Final = "from airflow.utils.db import initdb\ninitdb()\n"
_USERS_OF_2: Final = f"""
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

with get_application_builder() as builder:
    users = builder.sm
    users.sync_roles()
    for name, role in (("admin", "Admin"), ("{USER}", "User"), ("looker", "Viewer")):
        if users.find_user(name) is None:
            users.add_user(name, name, name, name + "@example.com", users.find_role(role), "{PASSWORD}")
"""


class AirflowServer(Server):
    """One Airflow. `interlock` may start DAG runs and no more, `looker` may only look, `admin` may do everything."""

    def __init__(self, version: Version, *, port: int | None = None, root: Path | None = None) -> None:
        self.version: Version = version
        self.name = f"airflow{version}"
        self._tools = Path(os.environ.get(f"INTERLOCK_AIRFLOW{version}_VENV") or ROOT / f".venv-{self.name}")
        if not (self._tools / "bin/airflow").is_file():
            raise ServerMissing(f"no Airflow {version} in {self._tools.name}: run `make airflow`")
        self._numbers = count()
        super().__init__(port=port, root=root)

    def start(self) -> Self:
        """Start it, and return when it has read its DAGs, which is a while after it answers."""
        super().start()
        until(self._has_dags, f"the DAGs of {self.name} appear", patience=_PATIENCE, pause=0.1)
        return self

    @property
    def url(self) -> str:
        """What to give the trigger as `url`."""
        return f"http://{self.address}"

    def ask(self, method: str, path: str, body: Any = None, *, user: str = "admin") -> tuple[int, Any]:
        """Send one request to its REST API as this user, and return the status and the JSON of the answer."""
        if self.version == "3":
            _, granted = self._request("POST", "/auth/token", {"username": user, "password": PASSWORD}, "")
            login = f"Bearer {granted['access_token']}"
        else:
            login = "Basic " + b64encode(f"{user}:{PASSWORD}".encode()).decode()
        return self._request(method, _API[self.version] + path, body, login)

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG."""
        _, found = self.ask("GET", f"/dags/{dag}/dagRuns?limit=100")
        runs: list[dict[str, Any]] = found["dag_runs"]
        return runs

    def fresh_dags(self) -> dict[str, str]:
        """Return a DAG of each kind that nobody else has: what comes late of one test must not disturb the next."""
        number = next(self._numbers)
        if number >= _SETS:
            raise ServerFailed(f"{self.name} has DAGs for {_SETS} tests only: raise _SETS")
        return {kind: f"{kind}-{number}" for kind in KINDS}

    def delete_runs(self, dag: str) -> None:
        """Delete every run of a DAG."""
        for run in self.runs(dag):
            place = f"/dags/{dag}/dagRuns/{quote(run['dag_run_id'], safe='')}"
            self.ask("PATCH", place, {"state": "failed"})
            self.ask("DELETE", place)

    def _request(self, method: str, path: str, body: Any, login: str) -> tuple[int, Any]:
        connection = HTTPConnection(HOST, self.port, timeout=30)
        headers = {"Authorization": login} if login else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        except HTTPException as exc:
            raise ConnectionError(str(exc)) from exc
        finally:
            connection.close()
        try:
            return answer.status, json.loads(said)
        except ValueError:
            return answer.status, said.decode(errors="replace")

    def _argv(self) -> Sequence[str]:
        return ["/bin/sh", "-ec", _START[self.version]]

    def _prepare(self) -> None:
        dags = self.root / "dags"
        dags.mkdir(exist_ok=True)
        (dags / "jobs.py").write_text(_DAGS_FILE)
        passwords = dict.fromkeys(("admin", USER, "looker"), PASSWORD)
        (self.root / "passwords.json").write_text(json.dumps(passwords))
        script = _DATABASE + (_USERS_OF_2 if self.version == "2" else "")
        made = subprocess.run(
            [str(self._tools / "bin/python"), "-c", script],
            cwd=self.root,
            env=dict(self._environment()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if made.returncode != 0:
            raise ServerFailed(f"{self.name} made no database: {made.stderr[-2000:]}")

    def _environment(self) -> Mapping[str, str]:
        common = super()._environment()
        core = {
            "LOAD_EXAMPLES": "False",
            "DAGS_FOLDER": f"{self.root}/dags",
            "DAGS_ARE_PAUSED_AT_CREATION": "False",
            "PARALLELISM": "2",
            "UNIT_TEST_MODE": "False",
        }
        return {
            **common,
            "PATH": f"{self._tools / 'bin'}:{common['PATH']}",
            "AIRFLOW_HOME": str(self.root),
            **_settings("CORE", core),
            # Writers wait a while for each other: fewer requests are answered "database is locked".
            **_settings("DATABASE", {"SQL_ALCHEMY_CONN": f"sqlite:///{self.root}/airflow.db?timeout=10"}),
            **_settings("SCHEDULER", {"SCHEDULER_IDLE_SLEEP_TIME": "0.2", "JOB_HEARTBEAT_SEC": "2"}),
            **_settings("USAGE_DATA_COLLECTION", {"ENABLED": "False"}),
            **(self._of_3() if self.version == "3" else self._of_2()),
        }

    def _of_3(self) -> Mapping[str, str]:
        core = {
            "EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "SIMPLE_AUTH_MANAGER_USERS": f"admin:admin,{USER}:user,looker:viewer",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": f"{self.root}/passwords.json",
        }
        return {
            **_settings("CORE", core),
            **_settings("API", {"HOST": HOST, "PORT": str(self.port), "WORKERS": "1", "BASE_URL": self.url}),
            # Its processes have to agree on one, or tasks may not report how they ended.
            **_settings("API_AUTH", {"JWT_SECRET": PASSWORD * 4}),
            **_settings("DAG_PROCESSOR", {"REFRESH_INTERVAL": "5", "MIN_FILE_PROCESS_INTERVAL": "60"}),
        }

    def _of_2(self) -> Mapping[str, str]:
        web = {"WEB_SERVER_HOST": HOST, "WEB_SERVER_PORT": str(self.port), "WORKERS": "1", "BASE_URL": self.url}
        backend = "airflow.providers.fab.auth_manager.api.auth.backend.basic_auth"
        return {
            **_settings("CORE", {"EXECUTOR": "SequentialExecutor"}),
            **_settings("WEBSERVER", web),
            **_settings("API", {"AUTH_BACKENDS": backend}),
            **_settings("SCHEDULER", {"DAG_DIR_LIST_INTERVAL": "5", "MIN_FILE_PROCESS_INTERVAL": "60"}),
        }

    def _listens(self) -> bool:
        # It is a child of the web server of Airflow 2 that listens.
        return any(self._listening(each) for each in self._family())

    def _listening(self, process: psutil.Process) -> bool:
        try:
            sockets = process.net_connections("tcp")
        except psutil.Error:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == self.port for each in sockets)

    def _answers(self) -> bool:
        return self._request("GET", f"{_API[self.version]}/version", None, "")[0] == 200

    def _has_dags(self) -> bool:
        return all(self.ask("GET", f"/dags/{dag}")[0] == 200 for dag in (f"lingers-{_SETS - 1}", PAUSED))


def _settings(section: str, options: Mapping[str, str]) -> dict[str, str]:
    return {f"AIRFLOW__{section}__{name}": value for name, value in options.items()}
