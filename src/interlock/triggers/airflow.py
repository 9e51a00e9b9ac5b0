"""Start a DAG of Airflow 3 or 2 as a DAG run of our own name; look at it, and stop it.

The name of the DAG run is made of the key of the start, so the same start asked for twice is one DAG run: Airflow answers
the second with 409, and a look shows that it is ours. What an answer says about the start stands at the top of
`interlock.triggers.answers`; and besides:

| what Airflow says                                    | started | category  |
|------------------------------------------------------|---------|-----------|
| no such DAG, paused, not active, does not import     | no      | PERMANENT |
| nothing before the request that starts it (a token)  | no      | as answers.py says |
| 409, and our DAG run is there                        | it is   |           |
| 409, and it is not: another has its logical date     | no      | PERMANENT |
| 409, and nobody can say whether it is there          | unknown | TRANSIENT |

With `onRetry: clear` all attempts of a run share a DAG run: see `interlock.triggers.airflow_clearing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from interlock.clients.deadline import Deadline
from interlock.clients.http import HttpReply, HttpTrouble
from interlock.clients.names import short_name
from interlock.clients.texts import cleaned
from interlock.codec.documents import document, mapping
from interlock.core.telling import PAGE
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.triggers.airflow_api import AirflowApi, Login, dag_path, missing, run_path
from interlock.triggers.airflow_clearing import GOING, Clearing, not_ours, same_moment, started_for
from interlock.triggers.airflow_config import OWN, AirflowConfig, parsed
from interlock.triggers.answers import at, json_of, unanswered, verdict
from interlock.triggers.context import TriggerContext

_PREFIX: Final = "interlock__"
_LONGEST: Final = 200  # Airflow's limit is 250; it is part of paths of logs too
_TASKS_NAMED: Final = 5
_CLEARED: Final = "endedBefore"


class AirflowTrigger:
    """Starts DAG runs. The same start asked for again is the same DAG run, unless attempts clear one."""

    Config = AirflowConfig
    watchable = True

    def __init__(self, config: AirflowConfig, context: TriggerContext) -> None:
        if context.http is None:
            raise MissingExtra("the trigger 'airflow'", "http")
        login = Login(headers=config.headers, username=config.username, password=config.password, token=config.token)
        self._config = config
        self._context = context
        self._clears = config.on_retry == "clear"
        self.repeatable = not self._clears
        self._api = AirflowApi(
            context.http,
            config.url,
            login,
            version=None if config.api_version == "auto" else config.api_version,
            within=timedelta(seconds=config.timeout),
        )
        self._clearing = Clearing(self._api, config.dag_id, self._words)

    @staticmethod
    def normal_form(config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration as placeholders may be put into it: the text of a body read before they are filled in.

        Otherwise a value with a quotation mark could change what the text says.

        Raises:
            ValueError: the text is no JSON object.
        """
        body = config.get("body")
        return {**config, "body": parsed(body)} if isinstance(body, str) else dict(config)

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Create the DAG run, clear that of an earlier attempt, or find that it is done; see the top of this module."""
        deadline = Deadline(timeout)
        if (held := self._held(deadline)) is not None:
            # An earlier call may have started it before the DAG was paused.
            there = self._there(job, deadline)
            if isinstance(there, Absent):
                raise held
            return there
        if self._clears and job.attempt > 1 and (handle := self._cleared(job, deadline)) is not None:
            return handle
        version = self._api.version(deadline)
        own = self._own(job)
        body: dict[str, Any] = {"dag_run_id": own, "conf": {**self._config.given, OWN: self._about(job)}}
        if self._config.logical_date or version == "v2":
            body["logical_date"] = self._config.logical_date or None
        try:
            reply = self._api.send("POST", f"{dag_path(self._config.dag_id)}/dagRuns", deadline=deadline, body=body)
        except HttpTrouble as exc:
            raise unanswered(exc) from exc
        if 200 <= reply.status < 300:
            if at(json_of(reply), "dag_run_id") == own:
                return self._handle(own, deadline)
            # LAT-07: whatever has answered, it has not said that it made our DAG run.
            raise TriggerError(f"{self._words(reply)}: this names no DAG run of ours", started=None)
        if reply.status == 409:
            return self._met(job, reply, deadline)
        found = verdict(reply)
        raise TriggerError(self._words(reply), category=found.category.value, started=found.started)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for the DAG run of this key.

        Raises:
            TriggerError: Airflow did not say whether there is one.
        """
        return self._there(job, Deadline(timeout))

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002
        """Look at the DAG run; of a failed one, at the names of its failed tasks too."""
        deadline = Deadline(timeout)
        try:
            reply = self._look(handle.id, deadline)
            if self._gone(reply, handle.id, deadline):
                self._check_home(handle)
                words = f"Airflow has no DAG run {cleaned(handle.id, 250)} any more: it was deleted"
                return JobReport(state=JobState.VANISHED, reason=words)
            run = json_of(reply) if reply.status == 200 else None
        except (HttpTrouble, TriggerError) as exc:
            return JobReport(state=JobState.UNSEEN, reason=str(exc))
        state = at(run, "state")
        if _ended_before(run, handle):
            words = "Airflow still shows how the DAG run had ended before it was cleared for this attempt"
            return JobReport(state=JobState.UNSEEN, reason=words)
        if state in GOING:
            return JobReport(state=JobState.RUNNING)
        if state == "success":
            return JobReport(state=JobState.SUCCEEDED)
        if state == "failed":
            words = f"the DAG run failed{self._failed_tasks(handle.id, deadline)}"
            return JobReport(state=JobState.FAILED, reason=words, category=FailureCategory.TRANSIENT)
        return JobReport(state=JobState.UNSEEN, reason=f"{self._words(reply)}: this is no state of a DAG run")

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002
        """Set the DAG run to failed, at which Airflow stops its tasks. One that has ended is left as it is.

        One that ends between the look and this is marked as failed, and so reported: Airflow offers no better.
        """
        deadline = Deadline(timeout)
        try:
            reply = self._look(handle.id, deadline)
            if self._gone(reply, handle.id, deadline):
                self._check_home(handle)
                return
            run = json_of(reply)
            if at(run, "state") in ("success", "failed") and not _ended_before(run, handle):
                return
            if reply.status == 200:
                place = run_path(self._config.dag_id, handle.id)
                reply = self._api.send("PATCH", place, deadline=deadline, body={"state": "failed"})
        except (HttpTrouble, TriggerError) as exc:
            # What is wrong may be mended, and the DAG run still has to be stopped.
            raise TriggerError(f"the DAG run could not be stopped: {exc}", started=True) from exc
        if reply.status == 200 or missing(reply, handle.id):
            return
        category = FailureCategory.TRANSIENT if reply.status == 401 else verdict(reply).category
        said = f"the DAG run could not be stopped: {self._words(reply)}"
        raise TriggerError(said, category=category.value, started=True)

    # ------------------------------------------------------------ the DAG

    def _held(self, deadline: Deadline) -> TriggerError | None:
        """Say why nothing can be started now, before anything is; None when the DAG is ready."""
        try:
            reply = self._api.send("GET", dag_path(self._config.dag_id), deadline=deadline)
        except HttpTrouble as exc:
            raise TriggerError(str(exc), category=unanswered(exc).category, started=False) from exc
        dag = f"the DAG {cleaned(self._config.dag_id, 250)}"
        found = json_of(reply)
        if missing(reply):
            return _never(f"Airflow has no DAG {dag[8:]}: check `dagID`, and that its file is imported without errors")
        if reply.status != 200 or not isinstance(found, dict):
            category = FailureCategory.TRANSIENT if reply.status == 200 else verdict(reply).category
            raise TriggerError(self._words(reply), category=category.value, started=False)
        if found.get("has_import_errors") is True:
            return _never(f"{dag} does not import: mend its file, Airflow's first page shows the error")
        if found.get("is_stale") is True or found.get("is_active") is False:
            return _never(f"{dag} is not active: its file has gone, or Airflow does not read it any more")
        if found.get("is_paused") is True:
            return _never(
                f"{dag} is paused, its runs would wait without end: unpause it in Airflow, or pause the pipeline"
            )
        return None

    def _about(self, job: Job) -> dict[str, Any]:
        """Return what the DAG is told of the run that it works for."""
        slot = job.run.slot
        about: dict[str, Any] = {
            "runId": job.run.run_id,
            "attempt": job.attempt,
            "pipeline": slot.pipeline,
            "schedule": slot.schedule,
            "date": slot.period.day.isoformat(),
            "hour": slot.period.hour,
        }
        more = {"callbackUrl": self._context.callback_url(job), "traceparent": job.traceparent}
        return about | {name: value for name, value in more.items() if value}

    # ------------------------------------------------------------ the DAG run

    def _look(self, own: str, deadline: Deadline) -> HttpReply:
        return self._api.send("GET", run_path(self._config.dag_id, own), deadline=deadline)

    def _gone(self, reply: HttpReply, own: str, deadline: Deadline) -> bool:
        """Say whether there is certainly no such DAG run: a 404 may also come from whatever stands before Airflow."""
        if reply.status != 404 or missing(reply, own):
            return reply.status == 404
        dag = self._api.send("GET", dag_path(self._config.dag_id), deadline=deadline)
        return dag.status == 200 and at(json_of(dag), "dag_id") == self._config.dag_id

    def _check_home(self, handle: JobHandle) -> None:
        """Check that a DAG run which is not here was started here: the address may have changed since.

        Raises:
            TriggerError: it was started in another Airflow.
        """
        page = at(mapping(handle.details), PAGE)
        if isinstance(page, str) and not page.startswith(f"{self._api.base}/"):
            raise TriggerError(
                f"the DAG run was started in another Airflow than `url` names now; its page was {cleaned(page, 300)}"
            )

    def _seen(self, own: str, deadline: Deadline) -> dict[str, Any] | None:
        """Return what Airflow shows of a DAG run, or None when there is certainly none of this name.

        Raises:
            HttpTrouble, TriggerError: nobody can know.
        """
        reply = self._look(own, deadline)
        if self._gone(reply, own, deadline):
            return None
        run = json_of(reply)
        if reply.status == 200 and isinstance(run, dict) and run.get("dag_run_id") == own:
            return run
        raise TriggerError(self._words(reply), started=None)

    def _there(self, job: Job, deadline: Deadline) -> JobHandle | Absent:
        """Return the DAG run of this start, or whether there is certainly none."""
        own = self._own(job)
        try:
            run = self._seen(own, deadline)
        except (HttpTrouble, TriggerError) as exc:
            raise TriggerError(f"nobody can know whether the DAG run is there: {exc}", started=None) from exc
        if run is None:
            return Absent.CERTAINLY
        before = started_for(run, job.attempt) if self._clears else ""
        return before if isinstance(before, Absent) else self._handle(own, deadline, before)

    def _cleared(self, job: Job, deadline: Deadline) -> JobHandle | None:
        """Clear the DAG run that an earlier attempt has left; None when there is none, and one has to be made."""
        own = self._own(job)
        try:
            run = self._seen(own, deadline)
        except (HttpTrouble, TriggerError) as exc:
            said = f"the DAG run of the attempts before could not be looked at: {exc}"
            raise TriggerError(said, started=False) from exc
        if run is None:
            return None
        before = started_for(run, job.attempt)
        if before is Absent.UNKNOWN:
            raise not_ours(own, run, job.attempt)
        if isinstance(before, Absent):
            before = self._clearing.clear(own, run, job.attempt, deadline)
        return self._handle(own, deadline, before)

    def _met(self, job: Job, reply: HttpReply, deadline: Deadline) -> JobHandle:
        """Return our DAG run, which Airflow says is there already.

        Raises:
            TriggerError: it is another that stands in the way, or nobody can know.
        """
        there = self._there(job, deadline)
        if there is Absent.CERTAINLY:
            raise self._in_the_way(reply, deadline)
        if isinstance(there, Absent):
            raise TriggerError(f"{self._words(reply)}, and it was not made by this start", started=None)
        return there

    def _in_the_way(self, reply: HttpReply, deadline: Deadline) -> TriggerError:
        """Say which other DAG run has the logical date that ours was to have."""
        when = self._config.logical_date
        if not when:
            # Airflow 2 takes the present moment for one; two starts in the same microsecond collide.
            return TriggerError(f"{self._words(reply)}, and our DAG run is not there", started=False)
        field = "logical_date" if self._api.version(deadline) == "v2" else "execution_date"
        query = urlencode({f"{field}_gte": when, f"{field}_lte": when, "limit": 1})
        other = "another DAG run"
        try:
            found = self._api.send("GET", f"{dag_path(self._config.dag_id)}/dagRuns?{query}", deadline=deadline)
            name = at(json_of(found), "dag_runs.0.dag_run_id")
            other = f"the DAG run {cleaned(name, 250)!r}" if isinstance(name, str) else other
        except (HttpTrouble, TriggerError):
            pass  # it stands in the way whatever its name is
        return _never(
            f"{other} of {cleaned(self._config.dag_id, 250)} has the logical date {cleaned(when, 100)} already, and Airflow "
            "permits one for each (a rerun is another DAG run; so is another attempt unless `onRetry` is `clear`): delete "
            "it in Airflow, or leave `logicalDate` out"
        )

    def _failed_tasks(self, own: str, deadline: Deadline) -> str:
        query = urlencode({"state": "failed", "limit": _TASKS_NAMED + 1})
        try:
            place = f"{run_path(self._config.dag_id, own)}/taskInstances?{query}"
            found = at(json_of(self._api.send("GET", place, deadline=deadline)), "task_instances")
        except (HttpTrouble, TriggerError):
            return ""
        if not isinstance(found, list):
            return ""
        names = sorted({str(at(one, "task_id")) for one in found})
        if not names:
            return ", and none of its tasks: it was set to failed by hand, or ran out of time"
        shown = cleaned(", ".join(names[:_TASKS_NAMED]), 300)
        return f" in {shown}" + (" and others" if len(names) > _TASKS_NAMED else "")

    def _own(self, job: Job) -> str:
        return shared_run_id(job) if self._clears else run_id(job)

    def _handle(self, own: str, deadline: Deadline, before: str = "") -> JobHandle:
        name, dag = quote(own, safe=""), quote(self._config.dag_id, safe="")
        page = f"/dags/{dag}/runs/{name}"
        if self._api.version(deadline) == "v1":
            page = f"/dags/{dag}/grid?{urlencode({'dag_run_id': own})}"
        details = {PAGE: self._api.base + page, "dagID": self._config.dag_id}
        return JobHandle(id=own, details=document(details | ({_CLEARED: before} if before else {})))

    def _words(self, reply: HttpReply) -> str:
        return self._api.words(reply, self._context.secrets())


def run_id(job: Job) -> str:
    """Return the name of the DAG run of one start, of characters that Airflow permits in one."""
    return _PREFIX + short_name(job.key, _LONGEST - len(_PREFIX), allowed="-_:")


def shared_run_id(job: Job) -> str:
    """Return the name of the DAG run that all attempts of a run share.

    Made of the run and of the store, which stands behind the `@` of a key: without the attempt, which stands before it.
    """
    _, mark, store = job.key.partition("@")
    return _PREFIX + short_name(f"{job.run.run_id}{mark}{store}", _LONGEST - len(_PREFIX), allowed="-_:")


def _ended_before(run: Any, handle: JobHandle) -> bool:
    """Say whether a DAG run shows the end that it had before it was cleared for the attempt of this handle."""
    return same_moment(at(run, "end_date"), at(mapping(handle.details), _CLEARED))


def _never(words: str) -> TriggerError:
    return TriggerError(words, category=FailureCategory.PERMANENT.value, started=False)


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: AirflowTrigger) -> Trigger:
        return it
