"""The function `api`: the HTTP API behind a function's URL, for whom IAM lets in.

Events are those of function URLs (payload format 2.0, authorisation AWS_IAM). Everything of the contract is answered as the
server answers it: the same paths, bodies, statuses and problem documents. Only streams and the metrics of a process are not
there: nobody stays between two requests.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from interlock.api.contract import Role
from interlock.aws.callers import Principal, principal_of
from interlock.aws.functions import named
from interlock.aws.office import office_of
from interlock.aws.requests import Context, at_the_counter, within
from interlock.errors import InterlockError, Invalid
from interlock.server.answers import Answer, Headers, HttpProblem, problem_answer
from interlock.server.asked import Asked, learn
from interlock.server.audit import Audit
from interlock.server.bodies import Limits, json_of, query_of
from interlock.server.carrying import BODILESS, JSON, Clerk, success
from interlock.server.doorway import SAFE, HouseRules, headers_of, require_plain_address
from interlock.server.health import CheckView, ReadyView
from interlock.server.kinds import Kind, Routes, kinds, wrong_method
from interlock.server.manners import Exchange, tell, with_manners
from interlock.server.pages import pages

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

Event: TypeAlias = Mapping[str, Any]
Reply: TypeAlias = dict[str, Any]

LONGEST: Final = 6 * 1024 * 1024 - 64 * 1024
"""How many bytes an answer may have as it leaves the function: 6 MB, less what its headers take."""

_SHORT: Final = LONGEST // 6  # nothing grows to more than six times its size in JSON
_HEALTH: Final = ("/api/health", "/livez", "/readyz")
_NOT_HERE: Final = {
    "/api/stream": "there are no streams of events here: a function's URL cannot hold them open. Ask "
    "/api/pipelines/{pipelineId}/events now and then, or subscribe to the deployment's topics",
    "/metrics": "functions keep no metrics of their own: CloudWatch has them, and /api/status says how the pipelines stand",
    "/debug/vars": "functions keep no counters of their own: CloudWatch has the metrics of the deployment",
}
_BETWEEN_TWO: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_OFFICE: Final = office_of(named("api"))
_log: Final = logging.getLogger("interlock.server")


class Http(NamedTuple):
    """What an event says of its request. `path` is decoded, `raw` is as it was sent."""

    method: str
    path: str
    raw: bytes
    query: bytes


def handler(event: object, context: Context) -> Reply:
    """Answer one request."""
    office = _OFFICE()
    return answer(event, context, lambda: at_the_counter(office.work), office.environment.api_roles)


def answer(told: object, context: Context, opened: Callable[[], Interlock], roles: str) -> Reply:
    """Answer one request of a project at work, which is opened only for somebody whom IAM knows.

    `told` is the event, or nonsense. `roles` is the value of `API_ROLES`.
    """
    since = monotonic()
    event: Event = told if isinstance(told, Mapping) else {}
    http = _http(event)
    asked = Asked(_numbered(event), _address(event))
    audit: Audit | None = None
    try:
        asked.caller = principal_of(event, roles)
        work = opened()
        audit = Audit(work)
        found = _Counter(work, audit, context).answered(http, event, asked, asked.caller)
        reply = _reply(found, asked, http.method)
    except Exception as exc:  # noqa: BLE001  (whatever it is, it has an answer; what nobody foresaw is logged)
        reply = _reply(problem_answer(exc, http.path), asked, http.method)
    if audit is not None and http.method not in SAFE:
        audit.write_down(asked, reply["statusCode"])
    tell(Exchange(http.method, http.path, reply["statusCode"], monotonic() - since), asked)
    return reply


class _Counter:
    """Answers requests of a project at work."""

    def __init__(self, work: Interlock, audit: Audit, context: Context) -> None:
        self._work = work
        self._clerk = Clerk(work, audit)
        self._context = context
        self._spec = work.project.settings.server
        self._served = kinds()

    def answered(self, http: Http, event: Event, asked: Asked, caller: Principal) -> Answer:
        """Answer one request.

        Raises:
            InterlockError: it was not done.
        """
        given = _headers(event).items()
        asked.headers = headers_of(
            (name.encode(errors="replace"), value.encode(errors="replace")) for name, value in given
        )
        require_plain_address(http.raw, http.query)
        HouseRules(self._spec, open_to_all=False).require(http.method, "https", asked.headers)
        method = "GET" if http.method == "HEAD" else http.method
        own = self._own(http.path)
        if own is not None:
            return self._shown(own, method, http.path, asked, caller)
        place = Routes(self._served, (*pages(self._served), *_HEALTH, *_NOT_HERE)).find(http.path)
        if method == "OPTIONS":
            caller.require(Role.READ)
            return _options(place.kinds)
        kind = place.kinds.get(method)
        if kind is None:
            raise wrong_method(_allowed(place.kinds))
        learn(asked, kind.__name__, place.holds)
        asked.route = kind.endpoint.path
        caller.require(kind.endpoint.role)
        return self._carried(kind, place.holds, (http, event), asked, caller)

    def _carried(
        self, kind: Kind, holds: Mapping[str, str], what: tuple[Http, Event], asked: Asked, caller: Principal
    ) -> Answer:
        http, event = what
        self._clerk.require_place(kind, asked, caller)
        body = None
        if kind.endpoint.method not in BODILESS:
            body = json_of(asked.headers, _body(event), Limits(self._spec.max_request_body))
        query = query_of(http.query)
        request = self._clerk.read(kind, asked, caller, holds, (query, body))
        with self._clerk.discreet(caller), within(self._context):
            done = self._clerk.do(request, caller, asked)
        return success(kind, done, http.path, query)

    # ------------------------------------------------------------------ what is not of the contract

    def _own(self, path: str) -> Callable[[], Answer] | None:
        if path in _NOT_HERE:
            return lambda: _not_here(path)
        if path in _HEALTH:
            return lambda: self._health(path)
        return pages(self._served).get(path)

    def _shown(self, show: Callable[[], Answer], method: str, path: str, asked: Asked, caller: Principal) -> Answer:
        asked.route = path
        if path not in _HEALTH:
            caller.require(Role.READ)
        if method == "OPTIONS":
            return _options(("GET",))
        if method != "GET":
            raise wrong_method(("GET", "OPTIONS"))
        return show()

    def _health(self, path: str) -> Answer:
        if path == "/livez":
            return _status("ok", fine=True)
        trouble = self._store_trouble()
        if path == "/api/health":
            return _status("degraded" if trouble else "ok", fine=not trouble)
        now = self._work.clock.now()
        since = now if trouble else None
        store = CheckView(name="store", ok=not trouble, message=trouble, since=since, age_seconds=None, counts=True)
        view = ReadyView(status="degraded" if trouble else "ok", at=now, checks=(store,), peers=())
        return Answer(503 if trouble else 200, _JSON_HEADERS, msgspec.json.encode(view))

    def _store_trouble(self) -> str:
        try:
            with within(self._context):
                self._work.kernel.ping()
        except InterlockError as exc:
            _log.error("trouble store: %s", exc)
            return "the store cannot be used; the function's log says why"
        return ""


_JSON_HEADERS: Final[Headers] = ((b"content-type", JSON.encode()),)


def _status(word: str, *, fine: bool) -> Answer:
    return Answer(200 if fine else 503, _JSON_HEADERS, msgspec.json.encode({"status": word}))


def _not_here(path: str) -> Answer:
    raise HttpProblem(HTTPStatus.NOT_IMPLEMENTED, _NOT_HERE[path])


def _options(methods: Mapping[str, Kind] | tuple[str, ...]) -> Answer:
    return Answer(204, ((b"allow", ", ".join(_allowed(methods)).encode()),), b"")


def _allowed(methods: Mapping[str, Kind] | tuple[str, ...]) -> list[str]:
    return sorted((*methods, "OPTIONS"))


# ---------------------------------------------------------------- reading an event


def _http(event: Event) -> Http:
    said = event.get("requestContext")
    http = said.get("http") if isinstance(said, Mapping) else None
    method = http.get("method") if isinstance(http, Mapping) else None
    raw, query = event.get("rawPath"), event.get("rawQueryString")
    raw = raw.encode(errors="replace") if isinstance(raw, str) else b"/"
    return Http(
        method=method if isinstance(method, str) else "",
        path=unquote_to_bytes(raw).decode(errors="replace"),
        raw=raw,
        query=query.encode(errors="replace") if isinstance(query, str) else b"",
    )


def _headers(event: Event) -> dict[str, str]:
    found = event.get("headers")
    given = found if isinstance(found, Mapping) else {}
    return {str(name).lower(): str(value) for name, value in given.items()}


def _numbered(event: Event) -> dict[bytes, bytes]:
    """Return the headers with the number that Lambda gave the request, unless the caller gave one."""
    said = event.get("requestContext")
    number = str(said.get("requestId", "")) if isinstance(said, Mapping) else ""
    return {b"x-request-id": _headers(event).get("x-request-id", number).encode(errors="replace")}


def _address(event: Event) -> str:
    said = event.get("requestContext")
    http = said.get("http") if isinstance(said, Mapping) else None
    return str(http.get("sourceIp", "")) if isinstance(http, Mapping) else ""


def _body(event: Event) -> bytes:
    found = event.get("body") or ""
    if not isinstance(found, str):
        raise Invalid("the event's body is no text")
    if not event.get("isBase64Encoded", False):
        return found.encode(errors="surrogatepass")
    try:
        return b64decode(found, validate=True)
    except ValueError as exc:
        raise Invalid("the event's body is said to be base64, and is not") from exc


# ---------------------------------------------------------------- writing an answer


def _reply(found: Answer, asked: Asked, method: str) -> Reply:
    body = found.body.decode()
    if len(found.body) > _SHORT and len(json.dumps(body)) > LONGEST:
        words = f"the answer is longer than the {LONGEST:,} bytes that a function's URL carries: ask for less at once"
        return _reply(problem_answer(Invalid(words)), asked, method)
    headers = with_manners(found.headers, asked, secure=True)
    return {
        "statusCode": found.status,
        "headers": {name.decode(): value.decode() for name, value in headers if name not in _BETWEEN_TWO},
        "body": "" if method == "HEAD" else body,
        "isBase64Encoded": False,
    }
