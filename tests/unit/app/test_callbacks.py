from __future__ import annotations

import pytest
from tests.unit.app.bench import Bench

from interlock.app.callbacks import Reception, Report, complete
from interlock.app.perform import carry_out
from interlock.codec.documents import document
from interlock.core.commands import EvaluateTrait, StartJob
from interlock.core.events import JobFinished
from interlock.core.runs import RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import NotFound
from interlock.ports.triggers import Job
from interlock.testing.builders import NOON, a_key

GOOD = Report(succeeded=True)
BAD = Report(succeeded=False, reason="exit 1")


def test_a_report_ends_the_run() -> None:
    bench = Bench().running()
    received = complete(bench.key, Report(succeeded=True, by="ann", details=document({"rows": 7})), bench.store, NOON)
    assert received.how is Reception.TAKEN
    assert received.run == bench.run
    assert bench.run.status is RunStatus.COMPLETED
    fact = bench.store.journal(bench.key)[-1].fact
    assert isinstance(fact, JobFinished)
    assert (fact.by, fact.details) == ("ann", document({"rows": 7}))


def test_a_secret_in_the_address_of_the_jobs_page_is_not_kept() -> None:
    bench = Bench().running()
    page = document({"url": "https://jobs.example.com/7?token=sesame&tab=log"})
    complete(bench.key, Report(succeeded=True, details=page), bench.store, NOON)
    assert bench.run.job_details.get("url") == '"https://jobs.example.com/7?tab=log"'


def test_the_same_good_news_twice_is_known_and_no_error() -> None:
    """T-119."""
    bench = Bench().running()
    complete(bench.key, GOOD, bench.store, NOON)
    before = bench.run
    assert complete(bench.key, GOOD, bench.store, NOON).how is Reception.KNOWN
    assert bench.run == before


def test_news_that_contradicts_what_is_known_is_a_conflict_and_changes_nothing() -> None:
    """T-119."""
    bench = Bench().running()
    complete(bench.key, GOOD, bench.store, NOON)
    before = bench.run
    assert complete(bench.key, BAD, bench.store, NOON).how is Reception.CONFLICT
    assert bench.run == before


def test_a_job_that_reports_before_its_start_is_acknowledged_is_heard() -> None:
    """T-05, T-06."""
    bench = Bench()
    command = bench.ready_to_start()

    def reports(job: Job) -> None:
        complete(job.run, GOOD, bench.store, NOON)

    bench.trigger.before_start = reports
    told = carry_out(bench.key, command, bench.hands)
    assert told is not None
    assert not told.changed, "the acknowledgement comes too late to matter"
    assert bench.run.status is RunStatus.COMPLETED
    assert not any(isinstance(wish, StartJob) for wish in bench.store.outstanding(bench.key))


def test_news_of_an_earlier_attempt_does_not_touch_the_one_under_way() -> None:
    """LAT-15, LAT-03."""
    bench = Bench().running()
    complete(bench.key, BAD, bench.store, NOON)
    bench.later(30).turn()
    bench.running()
    assert bench.run.attempt == 2
    before = bench.run
    late = Report(succeeded=True, attempt=1)
    assert complete(bench.key, late, bench.store, NOON).how is Reception.CONFLICT
    assert complete(bench.key, Report(succeeded=False, attempt=1), bench.store, NOON).how is Reception.KNOWN
    assert bench.run == before


def test_news_of_an_attempt_that_never_was_is_a_conflict() -> None:
    bench = Bench()
    for attempt in (None, 0, 7):
        assert complete(bench.key, Report(succeeded=True, attempt=attempt), bench.store, NOON).how is Reception.CONFLICT
    assert bench.run.status is RunStatus.PENDING
    assert isinstance(bench.wish(EvaluateTrait), EvaluateTrait)


def test_a_failure_says_whether_it_may_be_tried_again() -> None:
    """T-21, BUG-19."""
    bench = Bench().running()
    complete(bench.key, Report(succeeded=False, category=FailureCategory.PERMANENT), bench.store, NOON)
    assert bench.run.status is RunStatus.FAILED


def test_a_report_that_loses_its_race_is_compared_with_what_the_winner_wrote() -> None:
    """T-11, BUG-151."""
    bench = Bench().running()

    def other_first(call: int) -> None:
        if bench.kernel.calls[call] == "commit":
            bench.kernel.before = lambda _call: None
            complete(bench.key, GOOD, bench.store, NOON)

    bench.kernel.before = other_first
    assert complete(bench.key, BAD, bench.store, NOON).how is Reception.CONFLICT
    assert bench.run.status is RunStatus.COMPLETED


def test_a_report_about_a_run_that_is_not_there_makes_none() -> None:
    """LAT-43."""
    bench = Bench()
    with pytest.raises(NotFound, match="no run"):
        complete(a_key("2026-03-08"), GOOD, bench.store, NOON)
    assert bench.store.run(a_key("2026-03-08")) is None


def test_two_periods_have_outcomes_of_their_own() -> None:
    """BUG-66, BUG-72."""
    bench = Bench().running()
    complete(bench.key, GOOD, bench.store, NOON)
    assert bench.store.run(a_key("2026-03-07T14:00")) is None
    assert bench.store.latest_run(a_key("2026-03-08").slot) is None
