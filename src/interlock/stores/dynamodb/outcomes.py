"""What an error of DynamoDB, or of the way to it, says about the request that met it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

FAILED_CONDITION: Final = "ConditionalCheckFailedException"
CANCELLED: Final = "TransactionCanceledException"
NOT_FOUND: Final = "ResourceNotFoundException"
_CONDITION_REASON: Final = "ConditionalCheckFailed"
_BUSY_REASONS: Final = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
THROTTLED: Final = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "SlowDown"}
)
BUSY: Final = frozenset({"TransactionConflictException", "ReplicatedWriteConflictException"})
_IN_PROGRESS: Final = "TransactionInProgressException"  # a try of ours before, whose answer we did not wait for
DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_UNKNOWN_CALL: Final = frozenset({"UnknownOperationException", "UnsupportedOperationException"})
_NEVER_SENT: Final = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.MetadataRetrievalError,
    aws.SSOError,
    aws.ProfileNotFound,
    aws.ConfigParseError,
    aws.BaseEndpointResolverError,
    aws.EndpointProviderError,
    aws.ValidationError,
    aws.ParamValidationError,
)
FAILURES: Final = (aws.ClientError, aws.BotoCoreError, ResponseParserError)


class Outcome(Enum):
    """What an error says about the request that met it."""

    REFUSED = "nothing was done, and trying again soon can help"
    UNSENT = "it never left this machine"
    UNKNOWN = "it may or may not have been done"
    FINAL = "nothing was done, and trying again would not help"


def outcome_of(exc: Exception) -> Outcome:
    """Say what an error means for the request that met it."""
    if isinstance(exc, aws.ClientError):
        code, status = code_of(exc), exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in THROTTLED or code in BUSY:
            return Outcome.REFUSED
        if code == CANCELLED:
            reasons = {reason.get("Code") for reason in reasons_of(exc)} - {"None", None}
            return Outcome.REFUSED if reasons and reasons <= _BUSY_REASONS else Outcome.FINAL
        return Outcome.UNKNOWN if status >= 500 or code == _IN_PROGRESS else Outcome.FINAL
    if isinstance(exc, aws.EndpointConnectionError | aws.ConnectTimeoutError | aws.ProxyConnectionError):
        return Outcome.UNSENT
    if isinstance(exc, _NEVER_SENT) or is_about_certificate(exc):
        return Outcome.FINAL
    return Outcome.UNKNOWN


def is_about_certificate(exc: Exception) -> bool:
    """Say whether the server is not trusted, so that nothing was sent."""
    # Other errors of that class come from a connection that breaks, perhaps after the request was read.
    return isinstance(exc, aws.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(exc)


def code_of(exc: Exception) -> str:
    """Return AWS's name of an error, or nothing."""
    return str(exc.response.get("Error", {}).get("Code", "")) if isinstance(exc, aws.ClientError) else ""


def is_denied(exc: Exception) -> bool:
    """Say whether this role may not make the call, or this server does not know it."""
    return code_of(exc) in DENIED | _UNKNOWN_CALL


def reasons_of(exc: Exception) -> list[Mapping[str, Any]]:
    """Return why a transaction was cancelled, in the order of its writes."""
    return list(exc.response.get("CancellationReasons", ())) if isinstance(exc, aws.ClientError) else []


def failed_conditions(exc: Exception) -> list[tuple[int, Mapping[str, Any]]] | None:
    """Return which writes found another version than they expected, and what they were told of it; None if none did."""
    if code_of(exc) == FAILED_CONDITION and isinstance(exc, aws.ClientError):
        return [(0, exc.response.get("Item") or {})]
    found = [
        (number, reason.get("Item") or {})
        for number, reason in enumerate(reasons_of(exc))
        if reason.get("Code") == _CONDITION_REASON
    ]
    return found or None
