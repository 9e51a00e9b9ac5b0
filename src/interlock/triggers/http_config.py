"""What an http trigger is configured with."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from interlock.clients.webaddress import WebAddress
from interlock.core.traits import FailureCategory
from interlock.ports.triggers import JobState
from interlock.triggers.answers import SecretText

Method: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z]{3,10}$")]
Scalar: TypeAlias = str | int | float | bool | None
Content: TypeAlias = str | dict[str, Any] | list[Any] | None
Words: TypeAlias = tuple[str, ...]


class SuccessRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which answer to the start means that the job was started."""

    status: Annotated[tuple[int, ...], Meta(description="The statuses that mean success; by default 200 to 299.")] = ()
    path: Annotated[str, Meta(description="Where in the JSON answer to look, such as data.accepted.")] = ""
    equals: Annotated[Scalar | UnsetType, Meta(description="What must be found there.")] = UNSET


class StatusRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How the answer of the status URL is read. Words are compared without regard to case.

    A state under `permanent` or `timeout` is a failure of that category; one under `failed` alone is TRANSIENT. What
    somebody has stopped in the target system is not started again, so such states are PERMANENT by default.
    """

    path: Annotated[str, Meta(min_length=1, description="Where in the JSON answer the state stands.")] = "status"
    outcome_path: Annotated[
        str, Meta(description="Where it stands how the job ended, if `path` only says whether it goes on.")
    ] = ""
    reason_path: Annotated[str, Meta(description="Where the answer says why the job failed.")] = ""
    running: Annotated[Words, Meta(description="States of a job that goes on.")] = (
        "accepted",
        "canceling",
        "cancelling",
        "in_progress",
        "inprogress",
        "pending",
        "queued",
        "running",
        "scheduled",
        "started",
        "starting",
        "waiting",
    )
    succeeded: Annotated[Words, Meta(description="States of a job that did its work.")] = (
        "complete",
        "completed",
        "done",
        "finished",
        "succeeded",
        "success",
    )
    failed: Annotated[Words, Meta(description="States of a job that did not, where another attempt may help.")] = (
        "error",
        "failed",
        "failure",
    )
    permanent: Annotated[
        Words, Meta(description="States of a job that did not, where another attempt cannot help.")
    ] = (
        "aborted",
        "canceled",
        "cancelled",
        "stopped",
    )
    timeout: Annotated[Words, Meta(description="States of a job that took too long for the target.")] = (
        "timed_out",
        "timedout",
        "timeout",
    )
    not_found: Annotated[
        Literal["vanished", "unseen"],
        Meta(description="What 404 means: the job is gone, or its status is not there yet."),
    ] = "vanished"

    def __post_init__(self) -> None:
        failures = {*self.failed, *self.permanent, *self.timeout}
        for one, other in ((self.succeeded, failures), (self.succeeded, self.running), (self.running, failures)):
            both = sorted({*map(str.casefold, one)} & {*map(str.casefold, other)})
            if both:
                raise ValueError(
                    f"`status`: {both[0]!r} cannot mean two things: list it once among running, succeeded and the failures "
                    "(lists that are left out have words of their own)"
                )

    def meaning(self, word: str) -> tuple[JobState, FailureCategory | None]:
        """Return what a state means, and for a failure its category; UNSEEN for one that nobody listed."""
        kinds = (
            (self.succeeded, JobState.SUCCEEDED, None),
            (self.permanent, JobState.FAILED, FailureCategory.PERMANENT),
            (self.timeout, JobState.FAILED, FailureCategory.TIMEOUT),
            (self.failed, JobState.FAILED, FailureCategory.TRANSIENT),
            (self.running, JobState.RUNNING, None),
        )
        for words, state, category in kinds:
            if word.casefold() in map(str.casefold, words):
                return state, category
        return JobState.UNSEEN, None


class HttpConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The request that starts the job, and those that follow it."""

    url: Annotated[WebAddress, Meta(min_length=1, description="What is asked to start the job.")]
    method: Method = "POST"
    headers: Annotated[dict[str, str], Meta(description="Headers of every request to the target.")] = {}
    body: Annotated[Content, Meta(description="A text, sent as it is; or a value, sent as JSON.")] = None
    secret: Annotated[SecretText, Meta(description="Signs each request: HMAC-SHA256 in X-Interlock-Signature.")] = ""
    timeout: Annotated[float, Meta(gt=0, le=3600, description="Seconds for one request.")] = 30
    follow_redirects: Annotated[
        Literal["never", "same-origin"],
        Meta(description="Whether a redirect to the same scheme, host and port is followed."),
    ] = "never"
    success: SuccessRule = SuccessRule()
    idempotent: Annotated[bool, Meta(description="The target heeds Idempotency-Key: repeating starts nothing new.")] = (
        False
    )
    run_id_path: Annotated[str, Meta(description="Where in the answer the target's own id of the job stands.")] = ""
    page_url: Annotated[str, Meta(description="The job's own page, for people; {id} stands for its id.")] = ""
    page_url_path: Annotated[str, Meta(description="Where in the answer the address of the job's page stands.")] = ""
    status_url: Annotated[WebAddress, Meta(description="Where to look at the job; {id} stands for its id.")] = ""
    status_method: Method = "GET"
    status_headers: Annotated[dict[str, str], Meta(description="Headers of looks at the job, over `headers`.")] = {}
    status: StatusRule = StatusRule()
    cancel_url: Annotated[WebAddress, Meta(description="How to stop the job; {id} stands for its id.")] = ""
    cancel_method: Method = "POST"
    cancel_body: Annotated[Content, Meta(description="What is sent to stop the job: a text, or a value as JSON.")] = (
        None
    )

    def __post_init__(self) -> None:
        if self.success.path and self.success.equals is UNSET:
            raise ValueError("`success.path` needs `success.equals`: what must be found there")
