"""Airflow's REST API as the trigger needs it: which version answers, tokens of Airflow 3, what a 404 is about.

Airflow 3 answers below `/api/v2` and wants a token, which `/auth/token` hands out for a user and a password. Airflow 2
answers below `/api/v1` and takes user and password as they are. Which of the two answers, and the token, are remembered for
the process: a trigger is made anew for each of its jobs.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from msgspec import Struct

from interlock.clients.deadline import Deadline
from interlock.clients.http import HttpReply, HttpSender, HttpTrouble
from interlock.errors import TriggerError
from interlock.triggers.answers import JsonApi, described, json_of, secrets_of, unanswered, verdict

Version: TypeAlias = Literal["v1", "v2"]

WHO: Final = "Airflow"
T = TypeVar("T")
_MOST: Final = 1000


class Login(Struct, frozen=True, kw_only=True):
    """Whom requests come from. `headers` are sent with each of them."""

    headers: dict[str, str] = {}
    username: str = ""
    password: str = ""
    token: str = ""

    def asks_for_token(self, version: Version) -> bool:
        """Say whether user and password have to be exchanged for a token."""
        return version == "v2" and bool(self.username)

    def fields(self, version: Version, token: str) -> dict[str, str]:
        """Return the headers of a request; `token` is the one that was handed out, if any was."""
        fields = {name.lower(): value for name, value in self.headers.items()}
        if bearer := token or self.token:
            fields["authorization"] = f"Bearer {bearer}"
        elif self.username and version == "v1":
            pair = f"{self.username}:{self.password}".encode()
            fields["authorization"] = "Basic " + b64encode(pair).decode("ascii")
        return fields


class _Memory(Generic[T]):
    """What every trigger of this process knows of the Airflows that it has met."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, ...], T] = {}

    def get(self, *key: str) -> T | None:
        with self._lock:
            return self._found.get(key)

    def put(self, value: T, *key: str) -> None:
        with self._lock:
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[key] = value


_versions: Final = _Memory[Version]()
_tokens: Final = _Memory[str]()


class AirflowApi:
    """Requests to one Airflow. `version` is empty where it has to be found out.

    Whatever fails before a request itself could be sent raises a `TriggerError` that says that nothing was started.
    """

    def __init__(
        self, http: HttpSender, base: str, login: Login, *, version: Version | None, within: timedelta
    ) -> None:
        self.base = base.rstrip("/")
        self._api = JsonApi(http, self.base, who=WHO, within=within)
        self._login = login
        self._fixed = version
        self._version = version
        self._used: set[str] = set()

    def version(self, deadline: Deadline) -> Version:
        """Return the version that is configured, remembered, or found out now."""
        self._version = self._version or _versions.get(self.base) or self._probed(deadline)
        return self._version

    def send(self, method: str, path: str, *, deadline: Deadline, body: Any = None) -> HttpReply:
        """Send one request to the API; a token that has run out is renewed once.

        A 404 of a GET that says nothing of Airflow's may mean that another version answers by now: that is looked into.

        Raises:
            HttpTrouble: it may have been sent, and no complete answer was had.
            TriggerError: it was not sent.
        """
        version = self.version(deadline)
        reply = self._admitted(version, method, path, deadline, body)
        if method == "GET" and reply.status == 404 and self._fixed is None and not missing(reply):
            now = self._probed(deadline)
            if now != version:
                self._version = now
                reply = self._admitted(now, method, path, deadline, body)
        return reply

    def words(self, reply: HttpReply, others: tuple[str, ...]) -> str:
        """Return an answer in words, without anything secret of ours or among the `others`."""
        login = self._login
        basic = login.fields("v1", "").get("authorization", "").partition(" ")[2]
        secrets = [*others, *secrets_of(login.headers), login.password, login.token, basic, *self._used]
        said = described(reply, secrets, WHO)
        if reply.status == 401:
            return f"{said}: it does not accept the credentials; check `username` and `password`, or `token`"
        if reply.status == 403:
            return f"{said}: the user lacks a permission, or the token is not valid; see how-to/start-an-airflow-dag"
        return said

    # ------------------------------------------------------------ which version

    def _probed(self, deadline: Deadline) -> Version:
        refused: list[int] = []
        versions: tuple[Version, ...] = ("v2", "v1")
        for version in versions:
            reply = self._asked("GET", f"/api/{version}/version", self._login.fields(version, ""), deadline)
            found = json_of(reply)
            if reply.status == 200 and isinstance(found, dict) and isinstance(found.get("version"), str):
                _versions.put(version, self.base)
                return version
            if reply.status >= 500 or reply.status in (408, 425, 429):
                raise TriggerError(self.words(reply, ()), category=verdict(reply).category.value, started=False)
            refused.append(reply.status)
        said = f"/api/v2/version ({refused[0]}) nor /api/v1/version ({refused[1]})"
        raise TriggerError(
            f"no Airflow was found: neither {said} names a version below `url`; "
            "give Airflow's base address there, or say `apiVersion: v1` or `v2`",
            # What answers without being Airflow may be a page that stands in for it for a while.
            category="TRANSIENT" if 200 in refused else "PERMANENT",
            started=False,
        )

    # ------------------------------------------------------------ as whom

    def _admitted(self, version: Version, method: str, path: str, deadline: Deadline, body: Any) -> HttpReply:
        place = f"/api/{version}{path}"
        fresh = False
        token = ""
        if self._login.asks_for_token(version):
            token = self._token()
            fresh = not token
            token = token or self._granted(deadline)
        self._used.add(token)
        reply = self._once(method, place, self._login.fields(version, token), deadline, body)
        # An expired token is answered by 401; one signed with a key that Airflow has changed since, by 403.
        if token and not fresh and reply.status in (401, 403):
            token = self._granted(deadline)
            self._used.add(token)
            reply = self._once(method, place, self._login.fields(version, token), deadline, body)
        return reply

    def _token(self) -> str:
        return _tokens.get(self.base, self._login.username, self._login.password) or ""

    def _granted(self, deadline: Deadline) -> str:
        """Fetch a token, and remember it."""
        wanted = {"username": self._login.username, "password": self._login.password}
        reply = self._asked("POST", "/auth/token", self._login.fields("v2", ""), deadline, wanted)
        found = json_of(reply)
        token = found.get("access_token") if isinstance(found, dict) else None
        if reply.status in (200, 201) and isinstance(token, str) and token:
            _tokens.put(token, self.base, self._login.username, self._login.password)
            return token
        if reply.status in (404, 405):
            said = f"Airflow hands out no tokens at /auth/token ({reply.status}): give it a `token`, or `headers`"
            raise TriggerError(said, category="PERMANENT", started=False)
        # The answer may repeat what it was sent, in a spelling of its own: it is not shown.
        said = f"Airflow hands out no token for this `username` and `password`: /auth/token answered {reply.status}"
        category = "PERMANENT" if reply.status in (200, 201) else verdict(reply).category.value
        raise TriggerError(said, category=category, started=False)

    # ------------------------------------------------------------ requests

    def _asked(
        self, method: str, place: str, fields: Mapping[str, str], deadline: Deadline, body: Any = None
    ) -> HttpReply:
        """Send what comes before the request itself: trouble with it started nothing."""
        try:
            return self._once(method, place, fields, deadline, body)
        except HttpTrouble as exc:
            raise TriggerError(str(exc), category=unanswered(exc).category, started=False) from exc

    def _once(self, method: str, place: str, fields: Mapping[str, str], deadline: Deadline, body: Any) -> HttpReply:
        return self._api.send(method, place, headers=fields, timeout=deadline.left(), body=body)


def missing(reply: HttpReply, what: str = "") -> bool:
    """Say whether a 404 is Airflow's own word that `what` does not exist; of a wrong address it says something else."""
    found = json_of(reply) if reply.status == 404 else None
    if not isinstance(found, dict):
        return False
    said = " ".join(str(found.get(key) or "") for key in ("title", "detail"))
    return "not found" in said and what in said


def dag_path(dag: str) -> str:
    """Return where a DAG stands in the API."""
    return f"/dags/{quote(dag, safe='')}"


def run_path(dag: str, run: str) -> str:
    """Return where a DAG run stands in the API."""
    return f"{dag_path(dag)}/dagRuns/{quote(run, safe='')}"


def note_path(version: Version, dag: str, run: str) -> str:
    """Return where the note of a DAG run is written."""
    return run_path(dag, run) + ("/setNote" if version == "v1" else "")
