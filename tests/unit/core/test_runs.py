from __future__ import annotations

from tests.unit.core.states import completed, retrying, running

from interlock.core.ids import TraitName
from interlock.core.runs import TERMINAL, TRANSITIONS, RunStatus
from interlock.testing.builders import a_result, a_run, a_spec


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
