"""Start a job by one HTTP request; look at it, and stop it, by others where the target offers that.

What an answer says about the start stands at the top of `interlock.triggers.answers`, with three things besides:

- A success that is not as the `success` rule wants it started nothing (PERMANENT); of one that is unreadable where the rule
  wants to read nobody can know.
- Nobody can know it of a 302 either: of a POST it means "done, look there" as often as "ask there".
- 307 and 308 to the same origin are followed where the project wants that, and the last answer counts.

"Unknown" stays unknown for an `idempotent` target: there the same request is safe to repeat, under the same key, and that
is what `repeatable` says. Were it called "not started", a new attempt under a new key could start a second job.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from interlock.clients import redirects
from interlock.clients.deadline import Deadline
from interlock.clients.http import HttpForbidden, HttpReply, HttpTrouble
from interlock.clients.links import link
from interlock.clients.redaction import fit, sounds_secret
from interlock.clients.signing import signed
from interlock.clients.texts import cleaned, redacted
from interlock.codec.documents import document
from interlock.core.documents import EMPTY
from interlock.core.telling import PAGE
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.answers import at, described, json_of, secrets_of, unanswered, verdict
from interlock.triggers.context import TriggerContext
from interlock.triggers.http_config import Content, HttpConfig

_GONE: Final = (404, 410)
_CANNOT: Final = (405, 501)
_OVER: Final = (JobState.SUCCEEDED, JobState.FAILED, JobState.VANISHED)
_LONGEST_REASON: Final = 512
_NOTHING: Final[Mapping[str, str]] = {}


class _Request(NamedTuple):
    """What is asked of the target, and which redirects may be followed where any are."""

    method: str
    url: str
    body: Content = None
    headers: Mapping[str, str] = _NOTHING
    heeded: tuple[int, ...] = redirects.THE_SAME_REQUEST


class HttpTrigger:
    """Starts jobs by HTTP. Without a status URL a job runs until it reports its own end by callback."""

    Config = HttpConfig

    def __init__(self, config: HttpConfig, context: TriggerContext) -> None:
        if context.http is None:
            raise MissingExtra("the trigger 'http'", "http")
        if config.secret and context.now is None:
            raise ValueError("`secret` needs a clock to sign by, and this trigger was given none")
        self.repeatable = config.idempotent
        self.watchable = bool(config.status_url)
        self._http = context.http
        self._config = config
        self._context = context

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Send the request; see the top of this module."""
        try:
            reply = self._send(_Request(self._config.method, self._config.url, self._config.body), job, timeout)
        except HttpTrouble as exc:
            reply = self._without_a_whole_answer(exc)
        found = json_of(reply)
        self._check_success(reply, found)
        own = self._own_id(job, found)
        if own:
            return self._handle(own, found)
        # T-22: without an id nobody could ever look at the job.
        known = "the job may have been started, but the answer is no JSON"
        if found is not None:
            known = f"the job was started, but its id is not in the answer at {self._config.run_id_path!r}"
        words = (
            f"{known}. Look for the job in the target system, and see what it answers: `runIdPath` must lead to an id"
        )
        raise TriggerError(words, category="PERMANENT", started=None if found is None else True)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Ask the status URL, where it names this job by its key or run; otherwise nobody can know."""
        url = self._config.status_url
        by_key = "{id}" in url and not self._config.run_id_path
        run_id = job.run.run_id
        by_run = run_id in url or quote(run_id, safe="") in url
        if not (by_key or by_run):
            return Absent.UNKNOWN
        try:
            reply = self._look(job.key, job, timeout)
        except HttpTrouble:
            return Absent.UNKNOWN
        if reply.status in _GONE:
            # What appears late may have been started all the same.
            return Absent.CERTAINLY if self._config.status.not_found == "vanished" else Absent.UNKNOWN
        found = json_of(reply)
        # What is there under the run's name may be an earlier attempt.
        anothers = job.attempt > 1 and not by_key
        if anothers or not 200 <= reply.status < 300 or self._read(found).state is JobState.UNSEEN:
            return Absent.UNKNOWN
        own = self._own_id(job, found)
        return self._handle(own, found) if own else Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        """Ask the status URL. Without one the job is taken to run until it says otherwise itself."""
        if not self._config.status_url:
            return JobReport(state=JobState.RUNNING)
        try:
            reply = self._look(handle.id, job, timeout)
        except HttpTrouble as exc:
            return JobReport(state=JobState.UNSEEN, reason=str(exc))
        if reply.status in _GONE:
            if self._config.status.not_found == "unseen":
                return JobReport(state=JobState.UNSEEN, reason=f"the target does not show the job ({reply.status})")
            return JobReport(state=JobState.VANISHED, reason=f"the target knows no such job ({reply.status})")
        if not 200 <= reply.status < 300:
            return JobReport(state=JobState.UNSEEN, reason=self._described(reply))
        return self._read(json_of(reply))

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask the cancel URL.

        Raises:
            TriggerError: there is none, or it did not agree and the job has not ended.
        """
        if not self._config.cancel_url:
            raise TriggerError(
                "an http trigger without `cancelUrl` cannot stop its job: stop it in the target system",
                category="PERMANENT",
                started=True,
            )
        deadline = Deadline(timeout)
        url = _filled(self._config.cancel_url, handle.id)
        method = self._config.cancel_method.upper()
        heeded = redirects.ANY if method == "GET" else redirects.THE_SAME_REQUEST
        try:
            reply = self._send(_Request(method, url, self._config.cancel_body, heeded=heeded), job, timeout)
        except HttpTrouble as exc:
            category = FailureCategory.PERMANENT if isinstance(exc, HttpForbidden) else FailureCategory.TRANSIENT
            raise TriggerError(f"the job could not be stopped: {exc}", category=category.value, started=True) from exc
        if reply.status < 300 or reply.status in _GONE:
            return
        left = deadline.left()
        refused = 400 <= reply.status < 500
        if refused and self.watchable and left > timedelta() and self.poll(job, handle, timeout=left).state in _OVER:
            # Many targets refuse to stop what has ended, each with a status of its own.
            return
        category = FailureCategory.PERMANENT if reply.status in _CANNOT else FailureCategory.TRANSIENT
        words = f"the job could not be stopped: {self._described(reply)}"
        raise TriggerError(words, category=category.value, started=True)

    def _look(self, own: str, job: Job, timeout: timedelta) -> HttpReply:
        config = self._config
        request = _Request(
            config.status_method,
            _filled(config.status_url, own),
            headers=config.status_headers,
            heeded=redirects.ANY if config.status_method.upper() == "GET" else redirects.THE_SAME_REQUEST,
        )
        return self._send(request, job, timeout)

    def _send(self, request: _Request, job: Job, timeout: timedelta) -> HttpReply:
        given = {**self._config.headers, **request.headers}
        headers = {name.lower(): value for name, value in given.items()}
        body = _bytes(request.body)
        if body is not None:
            headers.setdefault("content-type", "application/json")
        headers["x-interlock-run-id"] = job.run.run_id
        headers["x-interlock-attempt"] = str(job.attempt)
        headers["idempotency-key"] = job.key
        if callback := self._context.callback_url(job):
            headers["x-interlock-callback-url"] = callback
        if job.traceparent:
            headers["traceparent"] = job.traceparent
        if self._config.secret and self._context.now:
            headers |= signed(self._config.secret, self._context.now(), body or b"")
        return redirects.send_within_origin(
            self._http,
            request.method.upper(),
            request.url,
            headers=headers,
            body=body,
            timeout=min(timeout, timedelta(seconds=self._config.timeout)),
            heeded=request.heeded if self._config.follow_redirects == "same-origin" else (),
        )

    def _own_id(self, job: Job, found: Any) -> str:
        """Return what the target calls the job: its own id where one is configured, or our key; nothing if it is missing."""
        if not self._config.run_id_path:
            return job.key
        own = at(found, self._config.run_id_path)
        return str(own) if isinstance(own, str | int) and not isinstance(own, bool) else ""

    def _handle(self, own: str, found: Any) -> JobHandle:
        said = at(found, self._config.page_url_path) if self._config.page_url_path else None
        page = link(said) or link(_filled(self._config.page_url, own))
        known = page and redacted(page, self._secrets()) == page
        return JobHandle(id=own, details=document({PAGE: page}) if known else EMPTY)

    def _without_a_whole_answer(self, exc: HttpTrouble) -> HttpReply:
        """Return what is known of an answer whose body was not had; raise when not even its status is known."""
        wanted = self._config.run_id_path or self._config.success.path
        if exc.status is not None and (exc.status >= 300 or not wanted):
            return HttpReply(exc.status, (), b"")
        raise unanswered(exc) from exc

    def _check_success(self, reply: HttpReply, found: Any) -> None:
        rule = self._config.success
        status = reply.status
        expected = status in rule.status if rule.status else 200 <= status < 300
        if expected and not rule.path:
            return
        if expected and at(found, rule.path) == rule.equals:
            return
        if expected:
            # An answer that cannot be read where the rule wants to says nothing of the job.
            category, started = FailureCategory.PERMANENT, None if found is None else False
        else:
            category, started = verdict(reply)
            started = None if status == 302 else started
        raise TriggerError(self._described(reply), category=category.value, started=started)

    def _described(self, reply: HttpReply) -> str:
        words = described(reply, self._secrets())
        if 300 <= reply.status < 400:
            words += ". A redirect is not followed from here: configure the address that it leads to"
        return words

    def _secrets(self) -> list[str]:
        config = self._config
        found = [*self._context.secrets(), config.secret]
        found += [*secrets_of(config.headers), *secrets_of(config.status_headers)]
        for url in (config.url, config.status_url, config.cancel_url):
            found += _secrets_in(url)
        return found

    def _read(self, found: Any) -> JobReport:
        rule = self._config.status
        outcome = _word(at(found, rule.outcome_path)) if rule.outcome_path else ""
        path = rule.outcome_path if outcome else rule.path
        word = outcome or _word(at(found, rule.path))
        state, category = rule.meaning(word)
        if rule.outcome_path and not outcome and state is not JobState.RUNNING:
            state, category = JobState.UNSEEN, None
        shown = cleaned(redacted(word, self._secrets()), 100)
        if state is JobState.UNSEEN:
            what = f"the state {shown!r}, which is not listed under `status`," if word else "no state"
            return JobReport(state=state, reason=f"the target's answer has {what} at {path!r}")
        if state is not JobState.FAILED:
            return JobReport(state=state)
        words = f"the target says {shown}"
        why = self._reason(at(found, rule.reason_path)) if rule.reason_path else ""
        return JobReport(state=state, reason=f"{words}: {why}" if why else words, category=category)

    def _reason(self, said: Any) -> str:
        if said is None:
            return ""
        text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
        return fit(text, self._secrets(), _LONGEST_REASON)


def _filled(url: str, own: str) -> str:
    return url.replace("{id}", quote(own, safe=""))


def _bytes(content: Content) -> bytes | None:
    if content is None:
        return None
    return content.encode() if isinstance(content, str) else msgspec.json.encode(content)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


def _secrets_in(url: str) -> list[str]:
    """Return what of an address must not be repeated: who signs in, and what its query says under the name of a secret."""
    try:
        parts = urlsplit(url)
        found = [unquote(parts.username or ""), unquote(parts.password or "")]
    except ValueError:
        return [url]
    return found + [value for name, value in parse_qsl(parts.query) if sounds_secret(name)]


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: HttpTrigger) -> Trigger:
        return it
