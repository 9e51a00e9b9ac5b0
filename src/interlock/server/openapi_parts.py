"""What the OpenAPI document says that the contract does not: errors, keys, the server's own routes, examples."""

from __future__ import annotations

from typing import Any, Final

from interlock.api.problems import KINDS, MEDIA_TYPE

INTRODUCTION: Final = (
    "A safety controller for data pipelines: it holds the start button, and lets it be pressed only while the "
    "preconditions hold.\n\n"
    "Every error is a problem document (RFC 9457), with `code` for programs and the message in `detail` and in `error`. "
    "Lists that travel as plain arrays go on with the `cursor` that the header `X-Next-Cursor` gives. Every answer has an "
    "`X-Request-ID`: the caller's own, if it sent a good one."
)

ROLES: Final = {
    "read": "look at everything",
    "push": "tell results, sensors, markers, and how jobs ended",
    "operate": "all that, and start, stop and pause jobs",
    "admin": "everything",
}

SECURITY: Final[dict[str, dict[str, Any]]] = {
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "Roles: " + "; ".join(f"`{role}` may {what}" for role, what in ROLES.items()) + ".",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same keys, as a bearer token."},
}

PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "What went wrong, and what to do. Refusals may carry more fields, such as `blocking`.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "error"],
    "properties": {
        "type": {"type": "string", "description": "A URN for the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem, in words."},
        "status": {
            "type": ["integer", "string"],
            "description": "The HTTP status; of the code `not_ready` the readiness, such as NOT_READY.",
        },
        "code": {
            "type": "string",
            "description": "The kind of problem, for programs: "
            + ", ".join(f"`{kind.code}`" for kind in KINDS)
            + ", …",
        },
        "detail": {"type": "string", "description": "What happened here, and what to do."},
        "error": {"type": "string", "description": "The same as `detail`."},
        "instance": {"type": "string", "description": "The path that was asked."},
        "retryAfter": {"type": "number", "description": "After how many seconds it may be asked again."},
        "problems": {"type": "array", "items": {"type": "object"}, "description": "What is wrong in which file."},
    },
}

_MEANINGS: Final = {
    "400": "The request cannot be understood.",
    "401": "No key, or an unknown one.",
    "403": "The key may not do this, or a web page of another site asks.",
    "404": "There is no such thing; the nearest name is given.",
    "408": "The body did not arrive in time.",
    "409": "It stands otherwise already, or something speaks against it.",
    "412": "The traits do not say yes. `blocking` names those that do not.",
    "413": "The body is too long.",
    "414": "The address is too long.",
    "415": "The body is something else than JSON.",
    "422": "The configuration of the pipeline cannot be used.",
    "429": "Too much is asked at once.",
    "431": "The headers are too many or too long.",
    "500": "A fault in Interlock.",
    "501": "An optional dependency is not installed on the server.",
    "502": "The system that runs the job did not do it.",
    "503": "The store did not answer, or it cannot be done now.",
}
_RETRY: Final = {"Retry-After": {"description": "After how many seconds to try again.", "schema": {"type": "integer"}}}

RESPONSES: Final[dict[str, Any]] = {
    status: {
        "description": meaning,
        **({"headers": _RETRY} if status in ("429", "503") else {}),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, meaning in _MEANINGS.items()
}

EXAMPLES: Final[dict[str, Any]] = {
    "pipelineId": "orders",
    "runId": "orders:daily:2026-03-07:1",
    "rerunId": "orders:daily:2026-03-07:2",
    "traitType": "freshness",
    "type": "freshness",
    "key": "orders.rows",
    "date": "2026-03-07",
    "originalDate": "2026-03-07",
    "schedule": "daily",
    "reason": "the source was repaired",
    "status": "success",
    "attempt": 1,
}

_STATUS: Final = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string"}},
}


def _shown(
    summary: str,
    media: str,
    schema: dict[str, Any],
    *,
    role: bool = True,
    degraded: bool = False,
    more: tuple[str, ...] = (),
) -> Any:
    answer = {"description": summary, "content": {media: {"schema": schema}}}
    # The framework hands the trouble of these to the same place as that of all others.
    errors = ("400", "401", "403", "414", "429", "431", "500") if role else ("400", "403", "414", "431", "500")
    errors = tuple(sorted((*errors, *more)))
    responses = {"200": answer, **{status: {"$ref": f"#/components/responses/{status}"} for status in errors}}
    if degraded:
        responses["503"] = {"description": "It is not so.", "content": {media: {"schema": schema}}}
    operation: dict[str, Any] = {"tags": ["server"], "summary": summary, "responses": responses}
    if not role:
        operation["security"] = []
    return operation


_HEALTH: Final = {
    "/api/health": ("health", "Whether the server, its store and its threads work"),
    "/livez": ("live", "Whether the process answers at all"),
    "/readyz": ("ready", "Whether requests should be sent here, check by check"),
}
_TEXT: Final = {"type": "string"}

OWN_PATHS: Final[dict[str, dict[str, Any]]] = {
    **{
        path: {"get": {"operationId": name, **_shown(what, "application/json", _STATUS, role=False, degraded=True)}}
        for path, (name, what) in _HEALTH.items()
    },
    "/api/stream": {
        "get": {
            "operationId": "stream",
            **_shown(
                "What happens, as it happens, as server-sent events", "text/event-stream", _TEXT, more=("404", "503")
            ),
        }
    },
    "/version": {
        "get": {"operationId": "version", **_shown("Which version this is", "application/json", {"type": "object"})}
    },
    "/debug/vars": {
        "get": {
            "operationId": "variables",
            **_shown(
                "Plain counters since the process began",
                "application/json",
                {"type": "object", "additionalProperties": {"type": "integer"}},
            ),
        }
    },
    "/metrics": {
        "get": {"operationId": "metrics", **_shown("Metrics for Prometheus", "text/plain", _TEXT, more=("404",))}
    },
    "/openapi.json": {
        "get": {"operationId": "openapi", **_shown("This document", "application/json", {"type": "object"})}
    },
    "/docs": {"get": {"operationId": "docs", **_shown("This document, to be read", "text/html", _TEXT)}},
}
