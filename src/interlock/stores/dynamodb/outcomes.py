"""What an error of DynamoDB, or of the way to it, says about the request that met it: what is DynamoDB's own in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore import exceptions as aws

from interlock.clients import aws_outcomes
from interlock.clients.aws_outcomes import THROTTLED, Outcome, code_of

FAILED_CONDITION: Final = "ConditionalCheckFailedException"
CANCELLED: Final = "TransactionCanceledException"
NOT_FOUND: Final = "ResourceNotFoundException"
_CONDITION_REASON: Final = "ConditionalCheckFailed"
_BUSY_REASONS: Final = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
BUSY: Final = frozenset({"TransactionConflictException", "ReplicatedWriteConflictException"})
_IN_PROGRESS: Final = "TransactionInProgressException"  # a try of ours before, whose answer we did not wait for


def outcome_of(exc: Exception) -> Outcome:
    """Say what an error means for the request that met it."""
    code = code_of(exc)
    if code in THROTTLED or code in BUSY:
        return Outcome.REFUSED
    if code == _IN_PROGRESS:
        return Outcome.UNKNOWN
    if code == CANCELLED:
        reasons = {reason.get("Code") for reason in reasons_of(exc)} - {"None", None}
        return Outcome.REFUSED if reasons and reasons <= _BUSY_REASONS else Outcome.FINAL
    return aws_outcomes.outcome_of(exc)


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
