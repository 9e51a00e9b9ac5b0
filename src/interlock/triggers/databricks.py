"""Run a job of Databricks, or tasks of its own, by the Jobs API.

Every start carries an idempotency token made of the attempt's key: Databricks gives whoever asks again the run that is
there. So a start of which nothing is known is repeated, and never made under another name. There is no way to look for a
run by its token: `find` cannot know. Credentials are sent to the workspace of the configuration alone, and a run of another
workspace is not looked at, because its number may be somebody else's here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from interlock.clients.deadline import Deadline
from interlock.clients.http import HttpReply, HttpTrouble
from interlock.clients.texts import cleaned
from interlock.codec.documents import document, mapping
from interlock.core.telling import PAGE
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.answers import at, json_of, unanswered
from interlock.triggers.context import TriggerContext
from interlock.triggers.databricks_answers import is_gone, refusal_of, report_of, start_verdict, token_is_spent
from interlock.triggers.databricks_auth import WHO, Tokens, Workspace
from interlock.triggers.databricks_config import DatabricksConfig, start_request

_LONGEST_ID: Final = 20
_LONGEST_PAGE: Final = 500
_PAGE_WITHIN: Final = timedelta(seconds=5)
_WORKSPACE: Final = "workspace"


class DatabricksTrigger:
    """Starts runs and watches them. `tokens` replaces what this process keeps of OAuth tokens."""

    Config = DatabricksConfig
    repeatable = True
    watchable = True

    def __init__(self, config: DatabricksConfig, context: TriggerContext, tokens: Tokens | None = None) -> None:
        if context.http is None:
            raise MissingExtra("the trigger 'databricks'", "http")
        self._config = config
        self._workspace = Workspace(context.http, config, context, tokens)

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Ask for a run; see the tables in `databricks_answers` and `answers`."""
        deadline = Deadline(timeout)
        path, body = start_request(self._config, job)
        try:
            reply = self._workspace.ask("POST", f"/{path}", body=body, timeout=timeout)
        except HttpTrouble as exc:
            raise unanswered(exc) from exc
        if not 200 <= reply.status < 300:
            raise self._refused(reply)
        found = json_of(reply)
        if not isinstance(found, dict):
            # A login page or a proxy's: whether anything was begun before, nobody can know.
            raise TriggerError(f"{self._workspace.described(reply)}, which is no answer of {WHO}", started=None)
        run_id = _number(found.get("run_id"))
        if not run_id:
            # LAT-07: without its number nobody could ever look at the run.
            words = f"{WHO} took the start, but its answer has no run_id: look for the run in the workspace"
            raise TriggerError(words, category="PERMANENT", started=True)
        return JobHandle(id=run_id, details=document(self._details(run_id, deadline)))

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:  # noqa: ARG002  (the port's shape)
        """Nobody can know: no list of runs tells their tokens. The same start gives the run that is there."""
        return Absent.UNKNOWN

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Look at the run."""
        if wrong := self._elsewhere(handle):
            return JobReport(state=JobState.UNSEEN, reason=wrong)
        try:
            reply = self._look(handle.id, timeout)
        except (HttpTrouble, TriggerError) as exc:
            return JobReport(state=JobState.UNSEEN, reason=str(exc))
        if is_gone(reply):
            words = f"{WHO} has no run {handle.id} any more: it was deleted, or is too old"
            return JobReport(state=JobState.VANISHED, reason=words)
        if reply.status != 200:
            return JobReport(state=JobState.UNSEEN, reason=self._said(reply))
        run = json_of(reply)
        if at(run, "run_id") is not None and _number(at(run, "run_id")) != handle.id.lstrip("0"):
            return JobReport(state=JobState.UNSEEN, reason=f"{WHO} showed another run than the one asked for")
        return report_of(run, partial_succeeds=self._config.partial_success == "succeeded", fit=self._workspace.fit)

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        """Ask for the run to be stopped; Databricks says yes before it has stopped.

        Raises:
            TriggerError: it did not agree, and the run goes on.
        """
        deadline = Deadline(timeout)
        if wrong := self._elsewhere(handle):
            raise TriggerError(f"the run could not be stopped: {wrong}", category="PERMANENT", started=True)
        try:
            reply = self._workspace.ask("POST", "/runs/cancel", body={"run_id": int(handle.id)}, timeout=timeout)
        except (HttpTrouble, TriggerError) as exc:
            raise TriggerError(f"the run could not be stopped: {exc}", started=True) from exc
        if 200 <= reply.status < 300 or is_gone(reply):
            return
        if reply.status in (400, 409):
            seen = self.poll(job, handle, timeout=deadline.left()).state
            if seen in (JobState.SUCCEEDED, JobState.FAILED, JobState.VANISHED):
                return
        raise TriggerError(f"the run could not be stopped: {self._said(reply)}", started=True)

    def _look(self, run_id: str, timeout: timedelta) -> HttpReply:
        return self._workspace.ask("GET", f"/runs/get?run_id={run_id}", timeout=timeout)

    def _elsewhere(self, handle: JobHandle) -> str:
        """Say why a run cannot be asked for here; nothing when it can."""
        home = mapping(handle.details).get(_WORKSPACE, self._workspace.base)
        if home != self._workspace.base:
            return f"the run is in {home}, and `workspaceUrl` is {self._workspace.base}: look at it there"
        if not (handle.id.isascii() and handle.id.isdecimal()):
            return f"{cleaned(handle.id, _LONGEST_ID)!r} is no number of a run"
        return ""

    def _details(self, run_id: str, deadline: Deadline) -> dict[str, Any]:
        base = self._workspace.base
        details = {_WORKSPACE: base, "runId": run_id}
        if self._config.job_id is not UNSET:
            job_id = str(int(self._config.job_id))
            return {**details, "jobId": job_id, PAGE: f"{base}/jobs/{job_id}/runs/{run_id}"}
        return {**details, **self._page(run_id, min(_PAGE_WITHIN, deadline.left()))}

    def _page(self, run_id: str, timeout: timedelta) -> dict[str, str]:
        """Ask once where the page of a one-time run is. A run without a page is a run all the same."""
        try:
            found = at(json_of(self._look(run_id, timeout)), "run_page_url")
        except (HttpTrouble, TriggerError):
            return {}
        plain = isinstance(found, str) and found.startswith(("https://", "http://")) and len(found) <= _LONGEST_PAGE
        return {PAGE: cleaned(found, _LONGEST_PAGE)} if plain else {}

    def _refused(self, reply: HttpReply) -> TriggerError:
        category, started = start_verdict(reply)
        words = self._said(reply)
        if token_is_spent(reply):
            words += " (a run of this attempt was there and has been deleted: see what it did before you rerun)"
        return TriggerError(words, category=category.value, started=started)

    def _said(self, reply: HttpReply) -> str:
        code, message = refusal_of(reply)
        if not message:
            words = self._workspace.described(reply)
        else:
            words = f"{WHO} answered {reply.status}" + (f" {self._workspace.fit(code, 60)}" if code else "")
            words += f": {self._workspace.fit(message)}"
        return words + _advice(reply, code)


def _advice(reply: HttpReply, code: str) -> str:
    if reply.status == 401 or (reply.status == 403 and code != "PERMISSION_DENIED"):
        return " (renew the token, or see what it is allowed to do)"
    if reply.status == 403:
        return " (allow this token's owner to manage the job's runs)"
    if reply.status == 404 and code != "RESOURCE_DOES_NOT_EXIST":
        return " (check `workspaceUrl` and `apiVersion`)"
    return ""


def _number(value: Any) -> str:
    """Return the number of a run as text; nothing when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value)
    return text if text.isascii() and text.isdecimal() and text[0] != "0" and len(text) <= _LONGEST_ID else ""


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: DatabricksTrigger) -> Trigger:
        return it
