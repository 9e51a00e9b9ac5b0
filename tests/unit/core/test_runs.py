from __future__ import annotations

from msgspec.structs import replace
from tests.unit.core.states import blocked, cancelled, completed, monitoring, retrying, running, waiting

from interlock.core.ids import TraitName
from interlock.core.runs import TERMINAL, TRANSITIONS, Monitor, RunStatus, Sla, SlaState
from interlock.testing.builders import MINUTE, NOON, a_result, a_run, a_spec


def test_every_status_is_in_the_table_and_can_be_reached() -> None:
    """T-12, T-30."""
    assert set(TRANSITIONS) == set(RunStatus)
    reached = {onward for each in TRANSITIONS.values() for onward in each}
    assert reached | {RunStatus.PENDING} == set(RunStatus)


def test_exactly_the_ends_lead_nowhere() -> None:
    assert {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED} == TERMINAL
    assert completed().run.ended
    assert not running().run.ended


def test_every_status_leads_to_an_end() -> None:
    ends = set(TERMINAL)
    while grown := {status for status, onward in TRANSITIONS.items() if status not in ends and ends & set(onward)}:
        ends |= grown
    assert ends == set(RunStatus)


def test_the_last_failure_is_the_one_that_nothing_good_followed() -> None:
    assert a_run().last_failure is None
    assert retrying().run.last_failure is not None
    assert completed().run.last_failure is None


def test_results_are_found_by_trait() -> None:
    run = a_run(results=(a_result("aa"), a_result("bb")))
    assert run.result(TraitName("bb")) == a_result("bb")
    assert run.result(TraitName("cc")) is None


def test_schedules_are_found_by_name() -> None:
    assert a_spec().schedule("daily") == a_spec().schedules[0]
    assert a_spec().schedule("weekly") is None


def test_a_run_is_due_at_the_earliest_of_what_its_machines_want() -> None:
    sla = Sla(due_at=NOON + 30 * MINUTE, warn_at=NOON + 20 * MINUTE, begin_by=NOON + 10 * MINUTE)
    run = a_run(wake_at=NOON + 40 * MINUTE, closes_at=NOON + 35 * MINUTE, completion_sla=sla)
    assert run.due_at == NOON + 10 * MINUTE
    assert replace(run, status=RunStatus.RUNNING).due_at == NOON + 20 * MINUTE
    warned = replace(run, completion_sla=replace(sla, warned=True))
    assert warned.due_at == NOON + 30 * MINUTE
    settled = replace(run, completion_sla=replace(sla, state=SlaState.MET))
    assert settled.due_at == NOON + 35 * MINUTE
    assert replace(settled, status=RunStatus.RUNNING).due_at == NOON + 40 * MINUTE
    assert replace(settled, status=RunStatus.RUNNING, wake_at=None).due_at is None
    watched = replace(settled, status=RunStatus.COMPLETED_MONITORING, monitor=Monitor(until=NOON + MINUTE))
    assert watched.due_at == NOON + MINUTE
    assert replace(run, status=RunStatus.COMPLETED).due_at is None


def test_a_success_is_dated_by_the_job_and_not_by_the_end_of_its_watch() -> None:
    """LAT-05."""
    story = monitoring()
    done = story.at
    assert story.run.monitor is not None
    story.wakes_at(story.run.monitor.until)
    assert (story.run.succeeded_at, story.run.ended_at) == (done, story.at)
    assert running().run.succeeded_at is None
    assert cancelled().run.succeeded_at is None


def test_what_is_still_to_be_done_is_in_the_way_of_the_next_slot() -> None:
    assert [make().run.in_the_way for make in (waiting, running, monitoring, completed, cancelled)] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_news_about_traits_concerns_who_waits_and_who_watches() -> None:
    assert [make().run.listens for make in (waiting, blocked, running, monitoring, completed)] == [
        True,
        True,
        False,
        True,
        False,
    ]
