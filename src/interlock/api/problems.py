"""The one table of errors: which HTTP status and code each has, and which error a client raises for a code.

The body is a problem document (RFC 9457) with `error`, the message once more, for clients of the reference implementation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from interlock import errors

MEDIA_TYPE: Final = "application/problem+json"


class Kind(NamedTuple):
    """One kind of error over HTTP."""

    error: type[Exception]
    status: int
    code: str
    title: str


KINDS: Final[tuple[Kind, ...]] = (
    Kind(errors.NotReady, 412, "not_ready", "The traits do not say yes"),
    Kind(errors.Conflict, 409, "conflict", "It stands otherwise already"),
    Kind(errors.Refused, 409, "refused", "Something speaks against it"),
    Kind(errors.Unauthorized, 401, "unauthorized", "Nobody knows who asks"),
    Kind(errors.NotAllowed, 403, "not_allowed", "The key may not do this"),
    Kind(errors.Busy, 429, "busy", "Too much is asked at once"),
    Kind(errors.Invalid, 400, "invalid", "The request cannot be understood"),
    Kind(errors.MissingExtra, 501, "missing_extra", "An optional dependency is not installed"),
    Kind(errors.ConfigError, 422, "config", "The configuration cannot be used"),
    Kind(errors.NotFound, 404, "not_found", "There is no such thing"),
    Kind(errors.StoreUnavailable, 503, "store_unavailable", "The store did not answer"),
    Kind(errors.Contention, 503, "contention", "Others were faster every time"),
    Kind(errors.ServerUnavailable, 503, "unavailable", "It cannot be done now"),
    Kind(errors.UnreadableRecord, 500, "unreadable_record", "A stored record cannot be read"),
    Kind(errors.StoreError, 500, "store", "The store could not do it"),
    Kind(errors.TriggerError, 502, "trigger", "The job's system did not do it"),
)
"""The first kind that an error is of counts."""

INTERNAL: Final = Kind(Exception, 500, "internal", "A fault in Interlock")


def kind_of(error: BaseException) -> Kind:
    """Return what kind an error is of; one that nobody foresaw is a fault in Interlock."""
    return next((kind for kind in KINDS if isinstance(error, kind.error)), INTERNAL)


def problem_of(error: Exception, instance: str = "") -> dict[str, Any]:
    """Write an error as a problem document. What a fault in Interlock says is not for callers, and stays out."""
    kind = kind_of(error)
    message = "an unforeseen fault; its details are in the server's log" if kind is INTERNAL else str(error)
    body: dict[str, Any] = {
        "type": f"urn:interlock:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": message,
        "error": message,
    }
    if instance:
        body["instance"] = instance
    if isinstance(error, errors.ConfigError) and error.problems:
        body["problems"] = [problem._asdict() for problem in error.problems]
    if isinstance(error, errors.Busy) and error.retry_after is not None:
        body["retryAfter"] = error.retry_after.total_seconds()
    if isinstance(error, errors.Declined | errors.NotFound):
        # `status` of a NOT_READY answer is the readiness, as clients of the reference implementation expect it.
        body |= error.details
    return body


def error_of(status: int, body: Mapping[str, Any]) -> Exception:
    """Return the error that a problem document stands for, to raise it on the other side."""
    code = body.get("code")
    message = str(body.get("detail") or body.get("error") or f"the server answered with {status}")
    kind = next((kind for kind in KINDS if kind.code == code), None)
    if kind is None:
        return _unlabelled(status, message)
    if kind.error is errors.Busy:
        return errors.Busy(message, retry_after=_length(body.get("retryAfter")))
    if kind.error is errors.MissingExtra:
        return errors.ServerUnavailable(f"on the server: {message}")
    if issubclass(kind.error, errors.ConfigError):
        return errors.ConfigError(_problems(body.get("problems")) or message)
    if issubclass(kind.error, errors.Declined | errors.NotFound):
        return kind.error(message, details=body)
    return kind.error(message)


def _unlabelled(status: int, message: str) -> Exception:
    # An answer of something between us and the server, such as a proxy.
    if status in (401, 403):
        return errors.Unauthorized(message)
    if status == 404:
        return errors.NotFound(message)
    if status >= 500:
        return errors.ServerUnavailable(message)
    return errors.Invalid(message)


def _length(seconds: object) -> timedelta | None:
    # Whatever came over the wire: the error must not fail for want of a sensible number.
    return timedelta(seconds=seconds) if isinstance(seconds, int | float) and 0 <= seconds <= 10**9 else None


def _problems(found: object) -> tuple[errors.Problem, ...]:
    if not isinstance(found, list):
        return ()
    try:
        return tuple(errors.Problem(**each) for each in found)
    except TypeError:
        return ()
