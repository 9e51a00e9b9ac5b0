"""The errors of AWS, of botocore and of the way to AWS, in our words and without secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from interlock.clients.aws_outcomes import (
    DENIED,
    EXPIRED,
    FAILURES,
    UNTRUSTED,
    Outcome,
    code_of,
    is_skewed,
    outcome_of,
    words_of,
)
from interlock.clients.redaction import fit
from interlock.clients.trouble import AwsTrouble
from interlock.core.traits import FailureCategory

_LONGEST: Final = 400
_LATE: Final = (aws.ReadTimeoutError, aws.ConnectTimeoutError)
_PASSING: Final = (aws.CredentialRetrievalError, aws.TokenRetrievalError, aws.MetadataRetrievalError, aws.SSOError)
_ADVICE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aws.NoRegionError, "set region, or AWS_REGION"),
    (aws.ProfileNotFound, "correct profile, or the files in ~/.aws"),
    (aws.NoCredentialsError, "give this process a role, a profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (aws.PartialCredentialsError, "give this process both parts of its credentials"),
    (aws.SSOError, "log in again: aws sso login"),
    (ResponseParserError, "a proxy may have given it: look at HTTPS_PROXY and NO_PROXY"),
)


def trouble_of(exc: Exception, what: str, *, sent: bool, secrets: tuple[str, ...] = ()) -> AwsTrouble:
    """Translate whatever a call raised. `sent` says whether its request had left: without that nothing was done."""
    if not isinstance(exc, FAILURES):
        return _odd(exc, what, secrets, sent=sent)
    outcome, code = outcome_of(exc), code_of(exc)
    said = fit(words_of(exc), secrets, _LONGEST)
    advice = _advice(exc, code)
    words = f"{what}: {code}: {said}" if code else f"{what}: {said or type(exc).__name__}"
    return AwsTrouble(
        f"{words} ({advice})" if advice else words,
        code=code,
        done=None if sent and outcome is Outcome.UNKNOWN else False,
        category=_category(exc, outcome, code),
        retry_after=_retry_after(exc),
    )


def _odd(exc: Exception, what: str, secrets: tuple[str, ...], *, sent: bool) -> AwsTrouble:
    # Before anything is sent botocore says so of an endpoint that is no URL; afterwards, of an answer that is no answer.
    if sent:
        words = f"{what}: the answer cannot be read ({type(exc).__name__})"
        return AwsTrouble(words, done=None, category=FailureCategory.TRANSIENT)
    words = f"{what}: {fit(str(exc), secrets, _LONGEST) or type(exc).__name__}"
    return AwsTrouble(words, done=False, category=FailureCategory.PERMANENT)


def _category(exc: Exception, outcome: Outcome, code: str) -> FailureCategory:
    if isinstance(exc, _LATE):
        return FailureCategory.TIMEOUT
    may_pass = code in EXPIRED or is_skewed(exc) or isinstance(exc, _PASSING)
    return FailureCategory.PERMANENT if outcome is Outcome.FINAL and not may_pass else FailureCategory.TRANSIENT


def _advice(exc: Exception, code: str) -> str:
    if is_skewed(exc):
        return "the clock of this machine differs from that of AWS: set it right"
    if code in UNTRUSTED:
        return "AWS does not accept the credentials of this process: renew or correct them"
    if code in DENIED:
        return "allow this role the call"
    return next((advice for kind, advice in _ADVICE if isinstance(exc, kind)), "")


def _retry_after(exc: Any) -> timedelta | None:
    if not isinstance(exc, aws.ClientError):
        return None
    text = exc.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("retry-after", "").strip()
    return timedelta(seconds=int(text)) if text.isascii() and text.isdecimal() and len(text) <= 6 else None
