"""What Databricks says: about a start that it refuses, about a run that is not there, and about how a run goes.

What an error says about the start of a run, where the name that Databricks gives it says more than its status:

| error                                                        | started | category  |
|--------------------------------------------------------------|---------|-----------|
| REQUEST_LIMIT_EXCEEDED, RESOURCE_EXHAUSTED, QUOTA_EXCEEDED   | no      | TRANSIENT |
| INVALID_STATE: what is needed is not ready                   | no      | TRANSIENT |
| FEATURE_DISABLED, PERMISSION_DENIED                          | no      | PERMANENT |
| ABORTED, CANCELLED                                           | unknown | TRANSIENT |
| DEADLINE_EXCEEDED, 504                                       | unknown | TIMEOUT   |
| any other 5xx, also with `Retry-After`: it may come from a gateway, after the run was begun | unknown | TRANSIENT |
| the run of this token was deleted                            | unknown | PERMANENT |

Everything else is as `interlock.triggers.answers` has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from interlock.clients.http import HttpReply
from interlock.clients.texts import cleaned
from interlock.core.traits import FailureCategory
from interlock.ports.triggers import JobReport, JobState
from interlock.triggers.answers import Verdict, json_of, verdict

PERMANENT: Final = FailureCategory.PERMANENT
TRANSIENT: Final = FailureCategory.TRANSIENT
TIMEOUT: Final = FailureCategory.TIMEOUT

Fit: TypeAlias = Callable[[str], str]

_NO_RUN: Final = re.compile(r"\bRun:? .{0,120}?\b(?:does not|doesn't) exist", re.IGNORECASE | re.DOTALL)
_DELETED: Final = re.compile(r"\bidempoten|\brun\b.{0,120}?\bdeleted", re.IGNORECASE | re.DOTALL)
_STARTS: Final = {
    "REQUEST_LIMIT_EXCEEDED": Verdict(TRANSIENT, started=False),
    "RESOURCE_EXHAUSTED": Verdict(TRANSIENT, started=False),
    "QUOTA_EXCEEDED": Verdict(TRANSIENT, started=False),
    "INVALID_STATE": Verdict(TRANSIENT, started=False),
    "FEATURE_DISABLED": Verdict(PERMANENT, started=False),
    "PERMISSION_DENIED": Verdict(PERMANENT, started=False),
    "ABORTED": Verdict(TRANSIENT, started=None),
    "CANCELLED": Verdict(TRANSIENT, started=None),
    "DEADLINE_EXCEEDED": Verdict(TIMEOUT, started=None),
}


class Refusal(NamedTuple):
    """An error as Databricks words it; empty where the answer has no such words."""

    code: str
    message: str


def refusal_of(reply: HttpReply) -> Refusal:
    """Read an error. Its code is a name, or a number where a gateway speaks."""
    found = json_of(reply)
    if not isinstance(found, dict):
        return Refusal("", "")
    code, message = found.get("error_code"), found.get("message")
    return Refusal(
        str(code) if isinstance(code, str | int) else "",
        message if isinstance(message, str) else "",
    )


def start_verdict(reply: HttpReply) -> Verdict:
    """Return what an error says about the start that it answers; see the table above."""
    if token_is_spent(reply):
        return Verdict(PERMANENT, started=None)
    code = refusal_of(reply).code
    if reply.status >= 500 and reply.status != 501:
        late = reply.status == 504 or code == "DEADLINE_EXCEEDED"
        return Verdict(TIMEOUT if late else TRANSIENT, started=None)
    return _STARTS.get(code) or verdict(reply)


def token_is_spent(reply: HttpReply) -> bool:
    """Say whether a start is refused because its run was there, and was deleted."""
    code, message = refusal_of(reply)
    told = reply.status in (400, 404, 409, 410) and code not in _STARTS
    return told and bool(_DELETED.search(message) or _NO_RUN.search(message))


def is_gone(reply: HttpReply) -> bool:
    """Say whether Databricks is certain that there is no such run.

    A 404 without its name for that is none of the run's: a gateway or a wrong address answers so, too.
    """
    code, message = refusal_of(reply)
    if reply.status not in (400, 404):
        return False
    return code == "RESOURCE_DOES_NOT_EXIST" or (code == "INVALID_PARAMETER_VALUE" and bool(_NO_RUN.search(message)))


# ---------------------------------------------------------------- how a run goes

SUCCESS: Final = "SUCCESS"
PARTIAL: Final = "SUCCESS_WITH_FAILURES"
ENDED: Final = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
RUNNING: Final = (
    "PENDING",
    "QUEUED",
    "BLOCKED",
    "WAITING",
    "RUNNING",
    "WAITING_FOR_RETRY",
    "TERMINATING",
)

RESULTS: Final = {
    "TIMEDOUT": TIMEOUT,
    "CANCELED": PERMANENT,
    "UPSTREAM_CANCELED": PERMANENT,
    "EXCLUDED": PERMANENT,
    "DISABLED": PERMANENT,
    "MAXIMUM_CONCURRENT_RUNS_REACHED": TRANSIENT,
}
"""What a result says for certain; what becomes of the others follows from the code of the end, if there is one."""

OPEN_RESULTS: Final = ("FAILED", "UPSTREAM_FAILED", PARTIAL)

CODES: Final = {
    "USER_CANCELED": PERMANENT,
    "CANCELED": PERMANENT,
    "SKIPPED": PERMANENT,
    "DISABLED": PERMANENT,
    "FEATURE_DISABLED": PERMANENT,
    "UNAUTHORIZED_ERROR": PERMANENT,
    "RESOURCE_NOT_FOUND": PERMANENT,
    "INVALID_CLUSTER_REQUEST": PERMANENT,
    "INVALID_RUN_CONFIGURATION": PERMANENT,
    "BUDGET_POLICY_LIMIT_EXCEEDED": PERMANENT,
    # A task that raised an error says so whatever the error was; Databricks calls every one of them the client's.
    "RUN_EXECUTION_ERROR": TRANSIENT,
    "SUCCESS_WITH_FAILURES": TRANSIENT,
    "INTERNAL_ERROR": TRANSIENT,
    "DRIVER_ERROR": TRANSIENT,
    "CLUSTER_ERROR": TRANSIENT,
    "CLUSTER_TERMINATED_BY_USER": TRANSIENT,
    "CLOUD_FAILURE": TRANSIENT,
    "STORAGE_ACCESS_ERROR": TRANSIENT,
    "REPOSITORY_CHECKOUT_FAILED": TRANSIENT,
    "LIBRARY_INSTALLATION_ERROR": TRANSIENT,
    "BREAKING_CHANGE": TRANSIENT,
    "WORKSPACE_RUN_LIMIT_EXCEEDED": TRANSIENT,
    "CLUSTER_REQUEST_LIMIT_EXCEEDED": TRANSIENT,
    "MAX_CONCURRENT_RUNS_EXCEEDED": TRANSIENT,
    "MAX_SPARK_CONTEXTS_EXCEEDED": TRANSIENT,
    "MAX_JOB_QUEUE_SIZE_EXCEEDED": TRANSIENT,
}
_CODE_OF_CLIENTS: Final = "CLIENT_ERROR"
_RESULT_OF_CODES: Final = {SUCCESS: SUCCESS, PARTIAL: PARTIAL, "USER_CANCELED": "CANCELED", "CANCELED": "CANCELED"}
_NAMED_TASKS: Final = 5
_TASK_NAME: Final = 100


class _Seen(NamedTuple):
    """What stands in a run: in its `state`, in its newer `status`, or in both."""

    lives: tuple[str, ...]
    result: str
    code: str
    kind: str
    message: str

    @property
    def words(self) -> str:
        return "/".join(dict.fromkeys(one for one in (*self.lives[:1], self.result, self.code) if one)) or "nothing"


def report_of(run: Any, *, partial_succeeds: bool, fit: Fit) -> JobReport:
    """Return what the answer to a look at a run means. `fit` makes its texts fit for people."""
    seen = _seen(run)
    said = fit(seen.words)
    if any(life in RUNNING for life in seen.lives):
        return JobReport(state=JobState.RUNNING)
    if not seen.lives or any(life not in ENDED for life in seen.lives):
        return _unseen(f"Databricks says {said}, which is no state that Interlock knows")
    if seen.lives[0] == "TERMINATED" and seen.result == SUCCESS:
        if seen.code in ("", SUCCESS):
            return JobReport(state=JobState.SUCCEEDED)
        return _unseen(f"Databricks contradicts itself: {said}")
    if seen.lives[0] == "TERMINATED" and seen.result not in (*RESULTS, *OPEN_RESULTS):
        return _unseen(f"Databricks says {said}, which is no result that Interlock knows")
    tasks = _failed_tasks(run)
    reason = fit(f"Databricks says {said}" + (f" (failed tasks: {tasks})" if tasks else "") + _after(seen.message))
    if seen.lives[0] == "TERMINATED" and seen.result == PARTIAL and partial_succeeds:
        return JobReport(state=JobState.SUCCEEDED, reason=reason)
    return JobReport(state=JobState.FAILED, reason=reason, category=_category(seen))


def _unseen(words: str) -> JobReport:
    return JobReport(state=JobState.UNSEEN, reason=f"{words}: look at the run's page")


def _category(seen: _Seen) -> FailureCategory:
    if seen.result in RESULTS:
        return RESULTS[seen.result]
    if seen.lives[0] == "SKIPPED":
        return PERMANENT
    if seen.code in CODES:
        return CODES[seen.code]
    return PERMANENT if seen.kind == _CODE_OF_CLIENTS else TRANSIENT


def _seen(run: Any) -> _Seen:
    state, status = _part(run, "state"), _part(run, "status")
    end = _part(status, "termination_details")
    code = _text(end, "code")
    lives = tuple(one for one in (_text(state, "life_cycle_state"), _text(status, "state")) if one)
    result = _text(state, "result_state")
    if not result and lives[:1] == ("TERMINATED",) and code:
        result = _RESULT_OF_CODES.get(code, "FAILED")
    if result == SUCCESS and code == PARTIAL:
        result = PARTIAL
    return _Seen(lives, result, code, _text(end, "type"), _text(state, "state_message") or _text(end, "message"))


def _failed_tasks(run: Any) -> str:
    """Name the tasks whose last attempt failed: of the first page that Databricks shows, and not too many."""
    last: dict[str, tuple[int, str]] = {}
    tasks = run.get("tasks") if isinstance(run, Mapping) else None
    for task in tasks if isinstance(tasks, list) else []:
        key, number = _text(task, "task_key"), task.get("attempt_number") if isinstance(task, Mapping) else None
        attempt = number if isinstance(number, int) else 0
        if key and attempt >= last.get(key, (0, ""))[0]:
            seen = _seen(task)
            last[key] = attempt, seen.result or "".join(seen.lives[:1])
    failed = [key for key, (_, how) in last.items() if how in ("FAILED", "TIMEDOUT", "CANCELED", "INTERNAL_ERROR")]
    names = [cleaned(key, _TASK_NAME) for key in failed[:_NAMED_TASKS]]
    more = f" and {len(failed) - _NAMED_TASKS} more" if len(failed) > _NAMED_TASKS else ""
    return ", ".join(names) + more


def _after(message: str) -> str:
    return f": {message}" if message else ""


def _part(value: Any, key: str) -> Any:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""
