"""`onRetry: clear`: another attempt of a run clears its failed DAG run, and Airflow runs all its tasks again.

Airflow takes no key for that, and clearing twice restarts tasks that run by then. So before it is cleared, a line in the
note of the DAG run says for which attempt, and when it had ended. What it shows later tells what became of the attempt:

| the DAG run                                                      | the attempt      |
|------------------------------------------------------------------|------------------|
| its conf names the attempt: it was made for it                   | was started      |
| its note names the attempt, and it has no longer the noted end   | was started      |
| it has failed, and none of these                                 | was not started  |
| it goes on or has succeeded, and none of these                   | nobody can know  |

The last is somebody else's doing, or that of a request which arrived long after its time: it is left alone. A deleted one
cannot be told from one that no attempt could make yet: the next attempt makes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from interlock.clients.deadline import Deadline
from interlock.clients.http import HttpReply, HttpTrouble
from interlock.clients.texts import cleaned
from interlock.core.traits import FailureCategory
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent
from interlock.triggers.airflow_api import AirflowApi, note_path, run_path
from interlock.triggers.airflow_config import OWN
from interlock.triggers.answers import at, json_of, unanswered, verdict

GOING: Final = ("queued", "running")
_LONGEST_NOTE: Final = 1000
_LINE: Final = re.compile(r"interlock: attempt ([0-9]{1,9}) clears what had ended at (\S{1,40})")


def started_for(run: Any, attempt: int) -> str | Absent:
    """Return the end that the DAG run had before it was cleared for this attempt; nothing when it was made for it.

    Else whether it is certain that the attempt was not started; see the table at the top of this module.
    """
    if attempt == 1 or at(run, f"conf.{OWN}.attempt") == attempt:
        return ""
    state, ended = at(run, "state"), at(run, "end_date")
    noted = _noted(run, attempt)
    if noted and not same_moment(ended, noted) and (state in GOING or _moment(ended)):
        return noted
    return Absent.CERTAINLY if state == "failed" else Absent.UNKNOWN


def not_ours(own: str, run: Any, attempt: int) -> TriggerError:
    """Return why a DAG run that somebody else has set going is left alone: only people can say what becomes of it."""
    whose = f"the DAG run {cleaned(own, 250)}"
    if at(run, "state") == "success":
        said = (
            f"{whose} has succeeded, and only one that has failed is cleared for attempt {attempt}: "
            "somebody cleared it in Airflow, or what it had done was not accepted"
        )
    else:
        said = (
            f"{whose} is {cleaned(str(at(run, 'state')), 50)!r}, and not by attempt {attempt}: somebody cleared it in "
            "Airflow, or its failure was told before its end. It is left alone: wait until it has ended"
        )
    return TriggerError(said, started=None)


def same_moment(one: Any, other: Any) -> bool:
    """Say whether two texts are one moment, however each of the two APIs writes it."""
    first, second = _moment(one), _moment(other)
    return first is not None and first == second


class Clearing:
    """Clears DAG runs of one DAG. `words` puts an answer into words."""

    def __init__(self, api: AirflowApi, dag: str, words: Callable[[HttpReply], str]) -> None:
        self._api = api
        self._dag = dag
        self._words = words

    def clear(self, own: str, run: Mapping[str, Any], attempt: int, deadline: Deadline) -> str:
        """Note it, and have every task run again; return the end that the DAG run had.

        Not only those that failed: after a cancellation the others are skipped, and would stay so.

        Raises:
            TriggerError: it was not cleared (`started` False), or nobody can know (`started` None).
        """
        ended = run.get("end_date")
        if not isinstance(ended, str) or _moment(ended) is None:
            said = f"the DAG run {cleaned(own, 250)} is not cleared: Airflow does not say when it has ended"
            raise TriggerError(said, started=False)
        self._note(own, _with_line(run, attempt, ended), attempt, deadline)
        try:
            place = f"{run_path(self._dag, own)}/clear"
            reply = self._api.send("POST", place, deadline=deadline, body={"dry_run": False})
        except HttpTrouble as exc:
            raise unanswered(exc) from exc
        if 200 <= reply.status < 300:
            if at(json_of(reply), "dag_run_id") == own:
                return ended
            # LAT-21: whatever has answered, it has not said that it cleared our DAG run.
            raise TriggerError(f"{self._words(reply)}: this names no DAG run of ours", started=None)
        found = verdict(reply)
        raise TriggerError(self._words(reply), category=found.category.value, started=found.started)

    def _note(self, own: str, note: str, attempt: int, deadline: Deadline) -> None:
        if len(note) > _LONGEST_NOTE:
            raise TriggerError(
                f"the DAG run {cleaned(own, 250)} is not cleared: its note has no room to say for which attempt; shorten it",
                category=FailureCategory.PERMANENT.value,
                started=False,
            )
        trouble = "the DAG run was not cleared, for its note could not be written first"
        try:
            place = note_path(self._api.version(deadline), self._dag, own)
            reply = self._api.send("PATCH", place, deadline=deadline, body={"note": note})
        except HttpTrouble as exc:
            category = unanswered(exc).category
            raise TriggerError(f"{trouble}: {exc}", category=category, started=False) from exc
        if reply.status != 200 or not _noted(json_of(reply), attempt):
            category = FailureCategory.TRANSIENT if reply.status == 200 else verdict(reply).category
            raise TriggerError(f"{trouble}: {self._words(reply)}", category=category.value, started=False)


def _noted(run: Any, attempt: int) -> str:
    """Return the end that the note says was cleared for an attempt; nothing when it says no such thing."""
    for line in _lines(run):
        found = _LINE.fullmatch(line.strip())
        if found and int(found[1]) == attempt and _moment(found[2]):
            return found[2]
    return ""


def _with_line(run: Any, attempt: int, ended: str) -> str:
    """Return what people have noted, with our line below it, and without those of attempts that are over."""
    kept = [line for line in _lines(run) if not _LINE.fullmatch(line.strip())]
    return "\n".join([*kept, f"interlock: attempt {attempt} clears what had ended at {ended}"])


def _lines(run: Any) -> list[str]:
    note = at(run, "note")
    return note.split("\n") if isinstance(note, str) and note else []


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
