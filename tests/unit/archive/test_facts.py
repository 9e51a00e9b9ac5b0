"""What a fact is in the archive: whole, with its reasons, and in words PostgreSQL can keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.archive.history import Marked, Outside, a_note, note

from interlock.app.arrivals import open_run
from interlock.app.evaluating import evaluate_pipeline
from interlock.app.notifying import raise_alert, resolve_alert
from interlock.app.reruns import ask_rerun
from interlock.archive.rows import rows_of
from interlock.codec.documents import document
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.ids import PipelineName, TraitName
from interlock.core.pipelines import ScheduleSpec
from interlock.core.retries import RetrySpec
from interlock.core.runs import Cause
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import UnreadableRecord
from interlock.ports.evaluators import Answer
from interlock.ports.pushes import PushedResult
from interlock.ports.triggers import JobState
from interlock.stores import keys
from interlock.stores.kernel import Record
from interlock.stores.pushes import PushRows
from interlock.testing.builders import MINUTE, NOON, SECOND, a_key, a_slot, a_spec

HOURLY = ScheduleSpec(every=timedelta(hours=1))
SILENT = Answer(
    status=TraitStatus.FAIL,
    value=document({"rows": 3, "limit": 5}),
    reason="3 rows, limit 5",
    category=FailureCategory.TRANSIENT,
)


@pytest.mark.service
def test_reason_category_and_value_of_every_answer_are_there(there: Outside) -> None:
    """T-54: of those asked in a run, of those asked without one, and of those that were pushed."""
    living = Marked(a_spec("a"), ask=lambda _question, _at: SILENT)
    open_run(a_slot(), a_spec("a"), living.store, NOON)
    living.until(NOON + SECOND)
    evaluate_pipeline(a_spec("a"), a_slot("2026-03-08"), living.hands)
    evaluate_pipeline(a_spec("a"), a_slot("2026-03-08"), living.hands)  # the first of them is overwritten in the store
    PushRows(living.marking).put_push(
        PipelineName("example"),
        PushedResult(
            trait=TraitName("a"),
            status=TraitStatus.FAIL,
            pushed_at=NOON,
            value=SILENT.value,
            reason=SILENT.reason,
            category=SILENT.category,
        ),
    )
    there.archiver(living.marking).turn()
    found = there.ask(
        "SELECT trait_type, status, value, reason, failure_category, pushed, run_id IS NOT NULL "
        "FROM {}.trait_evaluations ORDER BY pushed, run_id NULLS LAST"
    )
    same = ("a", "FAIL", {"limit": 5, "rows": 3}, "3 rows, limit 5", "TRANSIENT")
    assert found == [(*same, False, True), (*same, False, False), (*same, False, False), (*same, True, False)]


@pytest.mark.service
def test_every_attempt_of_a_run_is_there_with_its_failure(there: Outside) -> None:
    """T-59: the history of retries, and how the slot went in one line."""
    spec = a_spec("a", retry=RetrySpec(max_attempts=3, backoff=MINUTE))
    living = Marked(spec)
    ends = iter([JobState.FAILED, JobState.FAILED, JobState.SUCCEEDED])
    living.ends_with = lambda _key: next(ends)
    open_run(a_slot(), spec, living.store, NOON)
    archiver = there.archiver(living.marking)
    for _ in range(12):
        living.on(MINUTE)
        archiver.turn()
    (run,) = living.runs()
    found = there.ask("SELECT attempt, status, failure_category, started_at, completed_at FROM {}.attempts ORDER BY 1")
    assert found == [
        (1, "FAILED", "TRANSIENT", run.attempts[0].began_at, run.attempts[0].ended_at),
        (2, "FAILED", "TRANSIENT", run.attempts[1].began_at, run.attempts[1].ended_at),
        (3, "COMPLETED", None, run.attempts[2].began_at, run.attempts[2].ended_at),
    ]
    assert there.ask("SELECT status, attempt_number, run_id FROM {}.run_logs") == [("COMPLETED", 3, run.key.run_id)]


@pytest.mark.service
def test_a_slot_that_was_run_again_shows_its_latest_run_and_both_are_there(there: Outside) -> None:
    """T-56, T-59: a rerun takes nothing from what was."""
    spec = a_spec("a")
    living = Marked(spec)
    open_run(a_slot(), spec, living.store, NOON)
    living.on(5 * MINUTE)
    details = document({"reason": "the source was wrong", "description": "see the ticket"})
    ask_rerun(a_key(), Cause.RERUN, "by ann", living.hands, details=details)
    living.on(5 * MINUTE)
    there.archiver(living.marking).turn()
    first, second = (run.key.run_id for run in living.runs())
    assert there.ask("SELECT run_id, status FROM {}.runs ORDER BY number") == [
        (first, "COMPLETED"),
        (second, "COMPLETED"),
    ]
    assert there.ask("SELECT run_id, run_number FROM {}.run_logs") == [(second, 2)]
    assert there.ask("SELECT original_run_id, rerun_run_id, cause, reason, description, status FROM {}.reruns") == [
        (first, second, "rerun", "the source was wrong", "see the ticket", "COMPLETED")
    ]


@pytest.mark.service
def test_everything_an_alert_was_between_two_turns_is_in_its_history(there: Outside) -> None:
    """The store keeps how it stands; its past is overwritten there."""
    living = Marked(a_spec())
    alert = Alert(alert_id="x|1", alert_type=AlertType.RUN_FAILED, level=AlertLevel.ERROR, at=NOON, message="it failed")
    raise_alert(alert, living.hands)
    living.until(NOON + timedelta(hours=5))
    resolve_alert("x|1", "it ran", living.clock.now(), living.hands)
    living.on(timedelta(hours=1))
    raise_alert(replace(alert, at=living.clock.now(), message="it failed again"), living.hands)
    living.on(MINUTE)
    there.archiver(living.marking).turn()
    assert there.ask("SELECT state, message, at FROM {}.alert_history ORDER BY at") == [
        ("opened", "it failed", NOON),
        ("reminded", "it failed", NOON + timedelta(hours=4)),
        ("resolved", "it ran", NOON + timedelta(hours=5)),
        ("opened", "it failed again", NOON + timedelta(hours=6)),
    ]
    assert there.ask("SELECT alert_id, state, message, resolution FROM {}.alerts") == [
        ("x|1", "open", "it failed again", None)
    ]


@pytest.mark.service
def test_late_data_and_every_trait_that_drifted_is_a_row(there: Outside) -> None:
    living = Marked(a_spec())
    drift: dict[str, Any] = {
        "kind": "MONITORING_DRIFT_DETECTED",
        "details": {"blockingTraits": ["a", "b"]},
        "message": "drift of a, b",
    }
    late: dict[str, Any] = {"kind": "LATE_DATA_ARRIVAL", "details": {"source": "s3"}, "message": "late"}
    note(living.marking, a_note(1, NOON, **drift), a_note(2, NOON, **late))
    there.archiver(living.marking).turn()
    found = there.ask("SELECT source, trait_type, detected_at FROM {}.late_arrivals ORDER BY stream_id")
    assert found == [
        (None, "a", NOON + SECOND),
        (None, "b", NOON + SECOND),
        ("s3", None, NOON + 2 * SECOND),
    ]


@pytest.mark.service
def test_nul_becomes_its_picture_wherever_it_stands_and_nothing_else_changes(there: Outside) -> None:
    r"""PostgreSQL's text and jsonb cannot hold it; `\u0000` written out is no NUL."""
    living = Marked(a_spec())
    details = {"k\0ey": ["a\0b", {"deep\0": "\0"}], "plain": "\\u0000 ␀ 雪 \U0001f600"}
    note(living.marking, a_note(1, NOON, message="before\0after", details=details))
    there.archiver(living.marking).turn()
    ((message, found),) = there.ask("SELECT message, details FROM {}.events")
    assert message == "before␀after"
    assert found == {"k␀ey": ["a␀b", {"deep␀": "␀"}], "plain": "\\u0000 ␀ 雪 \U0001f600"}


def test_a_line_of_an_older_version_gets_its_category_from_the_fact_beside_it() -> None:
    """T-54: what was written before events had a category."""
    at = NOON.isoformat()
    result = {"trait": "a", "status": "FAIL", "observed_at": at, "answered_at": at, "category": "TIMEOUT"}
    body = {
        "version": 2,
        "at": at,
        "slot": {"pipeline": "example", "schedule": "daily", "period": "2026-03-07"},
        "run_id": "example:daily:2026-03-07:1",
        "fact": {"type": "trait_evaluated", "at": at, "round": 1, "result": result},
        "records": [{"kind": "TRAIT_EVALUATED", "at": at, "status": "FAIL", "trait": "a"}],
    }
    record = Record(
        pk=keys.slot_pk(a_slot()), sk="JOURNAL#000001#00000002", version=1, body=body, kind="timeline/example", rank="x"
    )
    found = {row.table.name: row.values for row in rows_of(record)}
    assert found["trait_evaluations"]["failure_category"] == "TIMEOUT"
    assert found["journal"]["fact"] == "trait_evaluated"


@pytest.mark.parametrize("details", [{"blockingTraits": 7}, {"blockingTraits": [], "source": 3}])
def test_a_line_of_a_shape_that_nobody_foresaw_is_unreadable_or_read_and_never_a_crash(details: object) -> None:
    """T-55."""
    kind = "MONITORING_DRIFT_DETECTED"
    record = replace(a_note(1, NOON), body={"records": [{"kind": kind, "at": NOON.isoformat(), "details": details}]})
    with suppress(UnreadableRecord):
        assert [row.table.name for row in rows_of(record)] == ["events", "late_arrivals"]


def test_rows_that_are_no_facts_are_nothing_in_the_archive() -> None:
    for sk in ("OUT#000001#1", "EXPECTED", "EVALUATION#daily#x", "SENSOR#x#*", "DISPATCH"):
        assert rows_of(Record(pk="dispatch/event/x", sk=sk, version=1, body={})) == []
