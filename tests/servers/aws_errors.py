"""What a scripted AWS says when it refuses: a code of the service, and the ways each service words a common refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from botocore.exceptions import ClientError

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"


class AwsError(Exception):
    """An error answer of a service. `code` is the name that the service's model has for it, or any other."""

    def __init__(self, code: str, message: str = "scripted by the test", status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Unacceptable(Exception):
    """A request that the service's model does not accept: the client's fault, never the test's script."""


def failure(call: Callable[[], object]) -> tuple[str, int]:
    """Make a call that must be refused; return the code and the status that botocore heard."""
    try:
        answered = call()
    except ClientError as exc:
        return exc.response["Error"]["Code"], exc.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"not refused: {answered}")


_QUERY: Final = ("sts", "sns")


def throttled(service: str) -> AwsError:
    """Return how this service says that there were too many requests."""
    match service:
        case "lambda":
            return AwsError("TooManyRequestsException", "Rate Exceeded.", 429)
        case "s3":
            return AwsError("SlowDown", "Please reduce your request rate.", 503)
        case "emr-serverless":
            return AwsError("ThrottlingException", "Rate exceeded", 429)
        case "sts" | "sns":
            return AwsError("Throttling", "Rate exceeded", 400)
        case _:
            return AwsError("ThrottlingException", "Rate exceeded", 400)


def expired(service: str) -> AwsError:
    """Return how this service says that the session token is too old."""
    if service in (*_QUERY, "s3"):
        return AwsError("ExpiredToken", "The security token included in the request is expired", _denial(service))
    return AwsError("ExpiredTokenException", "The security token included in the request is expired", _denial(service))


def unknown_client(service: str) -> AwsError:
    """Return how this service says that it has never heard of the access key."""
    if service == "s3":
        return AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    if service in _QUERY:
        return AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    return AwsError(
        "UnrecognizedClientException", "The security token included in the request is invalid.", _denial(service)
    )


def forbidden(service: str, operation: str) -> AwsError:
    """Return how this service says that the caller may not do this."""
    said = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/tests/session is not authorized to perform: {operation}"
    if service == "s3":
        return AwsError("AccessDenied", "Access Denied", 403)
    if service == "sts":
        return AwsError("AccessDenied", said, 403)
    if service == "sns":
        return AwsError("AuthorizationErrorException", said, 403)
    return AwsError("AccessDeniedException", said, _denial(service))


def skewed(service: str) -> AwsError:
    """Return how this service says that the client's clock is wrong."""
    late = "Signature expired: 20260307T060000Z is now earlier than 20260307T070000Z (20260307T071500Z - 15 min.)"
    if service == "s3":
        return AwsError(
            "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403
        )
    if service in _QUERY:
        return AwsError("SignatureDoesNotMatch", late, 403)
    return AwsError("InvalidSignatureException", late, _denial(service))


def broken(service: str) -> AwsError:
    """Return how this service says that it is not well."""
    match service:
        case "s3":
            return AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
        case "lambda":
            return AwsError("ServiceException", "An internal error occurred.", 500)
        case "glue":
            return AwsError("InternalServiceException", "An internal error occurred.", 500)
        case "secretsmanager":
            return AwsError("InternalServiceError", "An internal error occurred.", 500)
        case "emr" | "emr-serverless":
            return AwsError("InternalServerException", "An internal error occurred.", 500)
        case _:
            return AwsError("InternalFailure", "The request processing has failed.", 500)


def _denial(service: str) -> int:
    return 403 if service in (*_QUERY, "s3", "lambda", "emr-serverless") else 400
