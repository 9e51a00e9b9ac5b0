"""What triggers of AWS have in common: a service as one trigger asks it, its words for people, time for several calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from time import monotonic
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from interlock.clients.aws import AwsOptions, AwsTrouble, options_of
from interlock.clients.deadline import Deadline
from interlock.clients.redaction import fit
from interlock.codec.documents import document
from interlock.core.telling import PAGE
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import JobHandle, JobReport, JobState
from interlock.triggers.answers import refused_by_aws
from interlock.triggers.context import TriggerContext

_LONGEST: Final = 512
_LEAST: Final = timedelta(seconds=0.25)
_OPEN_REGION: Final = re.compile(r"(?!cn-)[a-z]{2}-[a-z]+-[0-9]+")


class Meaning(NamedTuple):
    """What an error that AWS names says about a start, where that is not what its HTTP status says; and what to do."""

    category: FailureCategory
    started: bool | None = False
    advice: str = ""


class AwsService:
    """One service of AWS as one trigger asks it: with its options, and with no secret in what is said of a failure."""

    def __init__(self, trigger: str, service: str, options: AwsOptions, context: TriggerContext) -> None:
        if context.aws is None:
            raise MissingExtra(f"the trigger {trigger!r}", "aws")
        self._door = context.aws
        self._service = service
        # Not the configuration itself: another region may contradict what else stands in that.
        self._options = options_of(options)
        self._context = context

    @property
    def region(self) -> str:
        """The region that calls go to; nothing when none is known."""
        return self._door.region(self._options)

    def call(self, operation: str, /, *, timeout: timedelta, region: str = "", **parameters: Any) -> dict[str, Any]:
        """Make one call, once; `region` is that of a job started earlier, perhaps by a process with another environment.

        Raises:
            AwsTrouble: it did not give its answer.
        """
        options = replace(self._options, region=region) if region else self._options
        return self._door.call(self._service, operation, options, timeout=timeout, **parameters)

    def said(self, text: object) -> str:
        """Return what AWS says, as people may read it."""
        return fit(str(text), self._context.secrets(), _LONGEST)

    def refused(self, exc: AwsTrouble, meanings: Mapping[str, Meaning]) -> TriggerError:
        """Return the error of a start that AWS did not accept, or of which nobody can know whether it did."""
        plain = refused_by_aws(exc)
        words = self.said(plain)
        meaning = meanings.get(exc.code)
        if meaning is None:
            return TriggerError(words, category=plain.category, started=plain.started)
        advised = f"{words} ({meaning.advice})" if meaning.advice else words
        return TriggerError(advised, category=meaning.category.value, started=meaning.started)

    def unstopped(self, exc: AwsTrouble) -> TriggerError:
        """Return the error of a wish to stop a job that AWS did not hear, or did not heed."""
        return TriggerError(
            f"the job could not be stopped: {self.said(exc)}", category=exc.category.value, started=True
        )

    def unseen(self, exc: AwsTrouble, *, gone: str, job: str) -> JobReport:
        """Return the report of a look that failed; `gone` is AWS's name of the error when it has no such `job`."""
        words = self.said(exc)
        if exc.code == gone:
            lost = f"there is no such {job} any more: how it ended cannot be known ({words})"
            return JobReport(state=JobState.VANISHED, reason=lost)
        return JobReport(state=JobState.UNSEEN, reason=words)

    def puzzled(self, job: str, state: object) -> JobReport:
        """Return the report of a job whose state is none of those that AWS had when this was written."""
        words = f"{job} is in a state that Interlock does not know, {state!r}: update Interlock"
        return JobReport(state=JobState.UNSEEN, reason=self.said(words))


class Allowance:
    """A limit of time for several calls together."""

    def __init__(self, timeout: timedelta, now: Callable[[], float] = monotonic) -> None:
        self._share = timeout
        self._deadline = Deadline(timeout, now)
        self._fresh = True

    def next(self) -> timedelta:
        """Return how long the next call may take: all of it for the first, a half, a quarter and so on of it for others.

        Raises:
            AwsTrouble: there is no time left.
        """
        left = self._deadline.left()
        if left < _LEAST and not self._fresh:
            raise AwsTrouble("the time allowed is over", done=False, category=FailureCategory.TIMEOUT)
        # Few different limits: the door keeps a client for each.
        while not self._fresh and self._share > left:
            self._share /= 2
        self._fresh = False
        return self._share


def pages(
    ask: Callable[[timedelta, dict[str, str]], dict[str, Any]], listed: str, token: str, allowance: Allowance
) -> Iterator[list[Mapping[str, Any]]]:
    """Yield what stands under `listed`, page by page.

    `ask` is given a limit of time and the parameter, called `token`, of the next page.

    Raises:
        AwsTrouble: a page was not had, it has no such list, or there are more of them than there is time for.
    """
    more: dict[str, str] = {}
    while True:
        answer = ask(allowance.next(), more)
        found = answer.get(listed)
        if not isinstance(found, list):
            # What answers so is not AWS, or half of it: it says nothing of what is there.
            words = f"the answer holds no {listed}, so what is there cannot be known"
            raise AwsTrouble(words, done=None, category=FailureCategory.TRANSIENT)
        yield found
        if not answer.get(token):
            return
        more = {token: answer[token]}


def console_url(region: str, path: str) -> str:
    """Return the address of a page of the AWS console, `path` without the first slash; nothing where it is not known.

    Other partitions (China, GovCloud) have consoles elsewhere.
    """
    return f"https://{region}.console.aws.amazon.com/{path}" if _OPEN_REGION.fullmatch(region) else ""


def handle_of(own: str, *, page: str, **known: str) -> JobHandle:
    """Return the handle of a job: with the address of its page, and with what else is known; what is empty is left out."""
    details = {**known, PAGE: page}
    return JobHandle(id=own, details=document({name: text for name, text in details.items() if text}))
