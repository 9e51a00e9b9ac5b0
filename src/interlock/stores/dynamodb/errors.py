"""The errors of DynamoDB and of the way to it, in our words: what happened, what it means, what to do."""

from __future__ import annotations

from typing import Final, TypeAlias

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from interlock.clients.aws_outcomes import DENIED, THROTTLED, Outcome, code_of, is_about_certificate
from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.dynamodb.outcomes import BUSY, CANCELLED, NOT_FOUND, outcome_of, reasons_of

_Told: TypeAlias = tuple[type[StoreError], str]

_NOTHING: Final = "Nothing was written."
_MAYBE: Final = "A write may or may not have happened: read again"
_CREDENTIALS: Final = (
    "Give the process credentials: a role of the machine or function, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "dynamodb.profile in the project file"
)
_BUSY_WORDS: Final = f"other transactions hold the same rows for long. {_NOTHING} Try again"
_WRONG_SIGNATURE: Final = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"})
_SKEWED: Final = "RequestTimeTooSkewed"

_BY_CODE: Final[tuple[tuple[frozenset[str], type[StoreError], str], ...]] = (
    (
        THROTTLED,
        StoreUnavailable,
        f"it is throttled. {_NOTHING} Wait, or raise its capacity (a table on demand raises its own, within minutes)",
    ),
    (BUSY, StoreUnavailable, _BUSY_WORDS),
    (
        frozenset({NOT_FOUND}),
        StoreError,
        "there is no such table, or it lacks an index. Correct dynamodb.tableName and dynamodb.region, or make the table",
    ),
    (
        DENIED,
        StoreError,
        "this role may not do that. Grant it the permissions that the documentation of this store lists",
    ),
    (
        frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"}),
        StoreUnavailable,
        f"the credentials have expired. {_NOTHING} Renew them. {_CREDENTIALS}",
    ),
    (
        frozenset(
            {
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "MissingAuthenticationTokenException",
                "AuthFailure",
            }
        ),
        StoreError,
        f"AWS does not know these credentials. {_CREDENTIALS}",
    ),
)
_ON_THE_WAY: Final[tuple[tuple[tuple[type[Exception], ...], type[StoreError], str], ...]] = (
    (
        (aws.ProxyConnectionError,),
        StoreUnavailable,
        f"the HTTP proxy does not answer. {_NOTHING} Correct HTTPS_PROXY or NO_PROXY",
    ),
    (
        (aws.EndpointConnectionError, aws.ConnectTimeoutError),
        StoreUnavailable,
        f"nobody answers there. {_NOTHING} Correct dynamodb.region or dynamodb.endpoint, or look at the network",
    ),
    ((aws.ProfileNotFound,), StoreError, "there is no such profile in ~/.aws. Correct dynamodb.profile or AWS_PROFILE"),
    (
        (aws.NoRegionError, aws.InvalidRegionError),
        StoreError,
        "no region is known. Set dynamodb.region in the project file, or AWS_REGION",
    ),
    ((aws.NoCredentialsError, aws.PartialCredentialsError), StoreError, f"there are no credentials. {_CREDENTIALS}"),
    (
        (aws.CredentialRetrievalError, aws.TokenRetrievalError, aws.SSOError, aws.MetadataRetrievalError),
        StoreUnavailable,
        f"no credentials can be had now; a login may have ended. {_CREDENTIALS}",
    ),
    (
        (ResponseParserError,),
        StoreUnavailable,
        f"what answered is not DynamoDB, or its answer is damaged: look at dynamodb.endpoint and HTTPS_PROXY. {_MAYBE}",
    ),
    (
        (ValueError,),
        StoreError,
        "dynamodb.endpoint is no address. Write one such as http://localhost:8000, or leave it out",
    ),
)


def translated(exc: Exception, address: str, doing: str, *, unknown: bool = False) -> StoreError:
    """Return our error for one of AWS's; `doing` completes "cannot … the table".

    `unknown` says that an earlier try of the same write may have done it.
    """
    kind, words = _by_server(exc) if isinstance(exc, aws.ClientError) else _on_the_way(exc)
    if doing == "read":
        words = words.replace(f"{_NOTHING} ", "").replace(_MAYBE, "Try again")
    elif unknown and _MAYBE not in words:
        kind, words = StoreUnavailable, f"{words.replace(f'{_NOTHING} ', '')}. {_MAYBE}"
    said = _quoted(exc)
    error = kind(f"cannot {doing} {address}: {words}{f' (AWS says: {said})' if said else ''}")
    error.__cause__ = exc
    return error


def _by_server(exc: aws.ClientError) -> _Told:
    code, message = code_of(exc), _message_of(exc)
    if code in _WRONG_SIGNATURE or code == _SKEWED:
        if code == _SKEWED or "not yet current" in message or "expired" in message.lower():
            return StoreError, "the clock of this machine is wrong by minutes. Set it (NTP)"
        return StoreError, "the secret key does not belong to the access key. Correct the credentials of this process"
    if code == CANCELLED and outcome_of(exc) is Outcome.REFUSED:
        return StoreUnavailable, _BUSY_WORDS
    for codes, kind, words in _BY_CODE:
        if code in codes:
            return kind, words
    if outcome_of(exc) is Outcome.UNKNOWN:
        return StoreUnavailable, f"DynamoDB has a fault of its own. {_MAYBE}"
    return StoreError, f"DynamoDB refuses the request. {_NOTHING} The table may have another shape than ours"


def _on_the_way(exc: Exception) -> _Told:
    if is_about_certificate(exc):
        return StoreError, "the certificate is not accepted. Correct the endpoint, or set AWS_CA_BUNDLE"
    for kinds, kind, words in _ON_THE_WAY:
        if isinstance(exc, kinds):
            return kind, words
    if outcome_of(exc) is Outcome.UNKNOWN:
        return StoreUnavailable, f"the connection was cut or the answer did not come in time. {_MAYBE}"
    return (
        StoreError,
        f"the request cannot be sent ({type(exc).__name__}). Correct the dynamodb block of the project file",
    )


def _quoted(exc: Exception) -> str:
    """Return AWS's own words, but for those about signatures: they quote the request, session token and all."""
    if not isinstance(exc, aws.ClientError):
        return ""
    if code_of(exc) in _WRONG_SIGNATURE:
        return code_of(exc)
    reasons = (str(reason.get("Message") or "") for reason in reasons_of(exc))
    return "; ".join(dict.fromkeys(filter(None, [f"{code_of(exc)}: {_message_of(exc)}", *reasons])))


def _message_of(exc: aws.ClientError) -> str:
    error = exc.response.get("Error", {})
    return str(error.get("Message") or error.get("message") or "").strip()
