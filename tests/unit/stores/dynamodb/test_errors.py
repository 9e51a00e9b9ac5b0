"""AWS's errors in our words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError
from tests.unit.stores.dynamodb.test_calls import CONFLICT, said

from interlock.clients.aws_outcomes import Outcome
from interlock.errors import StoreError, StoreUnavailable
from interlock.stores.dynamodb.errors import translated
from interlock.stores.dynamodb.outcomes import outcome_of

HERE = "the DynamoDB table 't' (eu-central-1)"
AT = "https://dynamodb.eu-central-1.amazonaws.com"


def _message(code: str, message: str) -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "PutItem")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (aws.NoCredentialsError(), StoreError, "there are no credentials. Give the process credentials: a role"),
        (aws.PartialCredentialsError(provider="env", cred_var="secret"), StoreError, "there are no credentials"),
        (aws.ProfileNotFound(profile="x"), StoreError, "no such profile in ~/.aws. Correct dynamodb.profile"),
        (aws.NoRegionError(), StoreError, "no region is known. Set dynamodb.region"),
        (aws.InvalidRegionError(region_name="x y"), StoreError, "no region is known"),
        (aws.UnauthorizedSSOTokenError(), StoreUnavailable, "no credentials can be had now; a login may have ended"),
        (aws.EndpointConnectionError(endpoint_url=AT, error="x"), StoreUnavailable, "nobody answers there"),
        (aws.ConnectTimeoutError(endpoint_url=AT), StoreUnavailable, "Correct dynamodb.region or dynamodb.endpoint"),
        (aws.ReadTimeoutError(endpoint_url=AT), StoreUnavailable, "did not come in time. A write may or may not"),
        (aws.ProxyConnectionError(proxy_url="http://p"), StoreUnavailable, "the HTTP proxy does not answer"),
        (
            ResponseParserError("the answer is no JSON"),
            StoreUnavailable,
            "what answered is not DynamoDB.* look at dynamodb.endpoint and HTTPS_PROXY. A write may or may not",
        ),
        (aws.SSLError(endpoint_url=AT, error="CERTIFICATE_VERIFY_FAILED"), StoreError, "set AWS_CA_BUNDLE"),
        (aws.SSLError(endpoint_url=AT, error="EOF occurred"), StoreUnavailable, "A write may or may not have happened"),
        (ValueError("Invalid endpoint: x"), StoreError, "Write one such as http://localhost:8000"),
        (said("AccessDeniedException"), StoreError, "this role may not do that. Grant it the permissions"),
        (said("UnrecognizedClientException"), StoreError, "AWS does not know these credentials"),
        (said("ExpiredTokenException"), StoreUnavailable, "the credentials have expired"),
        (
            _message("InvalidSignatureException", "Signature expired: 1 < 2"),
            StoreError,
            r"the clock of this machine.*NTP",
        ),
        (_message("InvalidSignatureException", "Signature not yet current"), StoreError, "the clock of this machine"),
        (said("RequestTimeTooSkewed"), StoreError, "the clock of this machine"),
        (_message("InvalidSignatureException", "does not match"), StoreError, "the secret key does not belong"),
        (said("ResourceNotFoundException"), StoreError, "there is no such table, or it lacks an index"),
        (said("ValidationException"), StoreError, "DynamoDB refuses the request. Nothing was written"),
        (said("NeverHeardOf"), StoreError, "DynamoDB refuses the request. Nothing was written"),
        (
            said("InternalServerError", 500),
            StoreUnavailable,
            "a fault of its own. A write may or may not have happened",
        ),
        (said("ThrottlingException"), StoreUnavailable, "it is throttled. Nothing was written"),
        (CONFLICT, StoreUnavailable, "other transactions hold the same rows for long. Nothing was written"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, Exception) else None,
)
def test_every_error_says_what_happened_what_it_means_and_what_to_do(
    error: Exception, kind: type[StoreError], words: str
) -> None:
    told = translated(error, HERE, "write")
    assert type(told) is kind
    assert told.__cause__ is error
    with pytest.raises(StoreError, match=rf"^cannot write the DynamoDB table 't' \(eu-central-1\): .*{words}"):
        raise told


def test_who_reads_is_not_told_of_writes() -> None:
    for error in (
        aws.ReadTimeoutError(endpoint_url=AT),
        said("ThrottlingException"),
        said("InternalServerError", 500),
        ResponseParserError("x"),
    ):
        assert "rit" not in str(translated(error, HERE, "read")).replace("'t'", "")


def test_a_write_that_may_have_been_done_before_is_never_denied() -> None:
    for error in (said("ThrottlingException"), said("AccessDeniedException"), aws.NoCredentialsError(), CONFLICT):
        told = translated(error, HERE, "write", unknown=True)
        assert isinstance(told, StoreUnavailable)
        assert "A write may or may not have happened: read again" in str(told)
        assert "Nothing was written" not in str(told)


def test_no_message_holds_what_was_signed() -> None:
    """AWS quotes the request that it does not accept, and in it the session token."""
    told = translated(_message("InvalidSignatureException", "x-amz-security-token:SECRET"), HERE, "read")
    assert "SECRET" not in str(told)
    assert "InvalidSignatureException" in str(told)


def test_the_reasons_of_a_refused_transaction_are_told() -> None:
    reasons: list[dict[str, Any]] = [{"Code": "None"}, {"Code": "ValidationError", "Message": "Item size exceeded"}]
    error = said("TransactionCanceledException", CancellationReasons=reasons)
    assert outcome_of(error) is Outcome.FINAL
    assert "Item size exceeded" in str(translated(error, HERE, "write"))
