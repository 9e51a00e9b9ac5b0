"""What an error of an AWS service, or of the way to it, says about the request that met it."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "KMSThrottling",
        "KMSThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
    }
)
EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException"})
UNTRUSTED: Final = EXPIRED | frozenset(
    {
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Who asks is not known: the credentials are wrong, or not valid any more."""

SKEWED: Final = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
"""The clock of this machine is too far from that of AWS."""

_SKEWED_WORDS: Final = ("Signature expired", "Signature not yet current")
_VALUE: Final = re.compile(r'(?<=, value: ).*?(?=, type: )|(?<=Invalid bucket name )".*?"', re.DOTALL)
_UNKNOWN_CALL: Final = frozenset({"UnknownOperationException", "UnsupportedOperationException"})
_ABOUT_CREDENTIALS: Final = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.MetadataRetrievalError,
    aws.SSOError,
    aws.ProfileNotFound,
    aws.ConfigParseError,
)
_NEVER_SENT: Final = (
    *_ABOUT_CREDENTIALS,
    aws.BaseEndpointResolverError,
    aws.EndpointProviderError,
    aws.ValidationError,
    aws.ParamValidationError,
    aws.NoRegionError,
    aws.UnknownServiceError,
    aws.DataNotFoundError,
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
        code, status = code_of(exc), status_of(exc)
        if code in THROTTLED or code in SKEWED or status == 429:
            return Outcome.REFUSED
        # A 2xx with an error in it is an answer that could not be read.
        return Outcome.UNKNOWN if status >= 500 or status < 300 else Outcome.FINAL
    if isinstance(exc, aws.EndpointConnectionError | aws.ConnectTimeoutError | aws.ProxyConnectionError):
        return Outcome.UNSENT
    if isinstance(exc, _NEVER_SENT) or is_about_certificate(exc):
        return Outcome.FINAL
    return Outcome.UNKNOWN


def is_about_credentials(exc: Exception) -> bool:
    """Say whether other credentials might have done better: expired or wrong ones, or none."""
    return code_of(exc) in UNTRUSTED or isinstance(exc, _ABOUT_CREDENTIALS)


def is_about_certificate(exc: Exception) -> bool:
    """Say whether the server is not trusted, so that nothing was sent."""
    # Other errors of that class come from a connection that breaks, perhaps after the request was read.
    return isinstance(exc, aws.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(exc)


def is_skewed(exc: Exception) -> bool:
    """Say whether the clock of this machine is too far from that of AWS; some services call that a wrong signature."""
    code = code_of(exc)
    return code in SKEWED or (code in UNTRUSTED and words_of(exc).startswith(_SKEWED_WORDS))


def status_of(exc: Exception) -> int:
    """Return the HTTP status of the answer; 0 when there was none."""
    if not isinstance(exc, aws.ClientError):
        return 0
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(exc: Exception) -> str:
    """Return AWS's name of an error, or nothing."""
    if not isinstance(exc, aws.ClientError):
        return ""
    # Query protocols put a namespace before it, and JSON ones may.
    return str(exc.response.get("Error", {}).get("Code", "")).rpartition("#")[2]


def is_denied(exc: Exception) -> bool:
    """Say whether this role may not make the call, or this server does not know it."""
    return code_of(exc) in DENIED | _UNKNOWN_CALL


def words_of(exc: Any) -> str:
    """Return what AWS, or botocore, says of an error; not for people before secrets are taken out of it."""
    if isinstance(exc, aws.ClientError):
        return str(exc.response.get("Error", {}).get("Message", ""))
    if isinstance(exc, ResponseParserError):
        return "the answer cannot be read"
    if isinstance(exc, aws.ParamValidationError):
        return _VALUE.sub("***", str(exc))  # what was given may be anything
    return str(exc)
