"""Running a slot again within the budget of its cause."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.app.bench import Bench

from interlock.app.arrivals import open_rerun
from interlock.app.pausing import pause
from interlock.app.perform import carry_out, perform
from interlock.app.reruns import Rerun, ask_rerun
from interlock.core.commands import AskRerun
from interlock.core.ids import CommandId, RunKey
from interlock.core.pipelines import ExclusionSpec, RerunSpec
from interlock.core.runs import Cause, Override
from interlock.testing.builders import NOON, Files, a_spec


def test_a_rerun_is_opened_once_however_often_it_is_asked_for() -> None:
    """T-16, LAT-16, BUG-108."""
    bench = Bench().completed()
    first = ask_rerun(bench.key, Cause.DRIFT, "drift of freshness", bench.hands)
    again = ask_rerun(bench.key, Cause.DRIFT, "drift of freshness", bench.hands)
    assert (first.how, again.how) == (Rerun.OPENED, Rerun.KNOWN)
    assert first.run is not None
    assert first.run.key == RunKey(bench.key.slot, 2)
    assert first.run.cause is Cause.DRIFT


def test_a_run_that_has_not_ended_is_not_run_again_yet() -> None:
    bench = Bench().running()
    assert ask_rerun(bench.key, Cause.RERUN, "why not", bench.hands).how is Rerun.LATER


def _used_up(cause: Cause) -> Bench:
    bench = Bench(a_spec(reruns=RerunSpec(drift=1, manual=1))).completed()
    opened = ask_rerun(bench.key, cause, "first", bench.hands)
    assert opened.run is not None
    bench.key = opened.run.key
    return bench.completed()


def test_drift_and_late_data_share_a_budget_and_people_are_told_when_it_is_used_up() -> None:
    """T-17."""
    bench = _used_up(Cause.DRIFT)
    answer = ask_rerun(bench.key, Cause.LATE_DATA, "late", bench.hands)
    assert answer.how is Rerun.REJECTED
    assert "1 of 1" in answer.words
    assert "rerun_cap_reached" in bench.alerts()
    assert "RERUN_REJECTED" in bench.told()


def test_people_have_a_budget_of_their_own_and_are_told_to_their_face() -> None:
    bench = _used_up(Cause.RERUN)
    assert ask_rerun(bench.key, Cause.REPLAY, "again", bench.hands).how is Rerun.REJECTED
    assert bench.alerts() == []
    assert ask_rerun(bench.key, Cause.DRIFT, "drift", bench.hands).how is Rerun.OPENED


def test_an_override_goes_past_the_budget() -> None:
    bench = _used_up(Cause.RERUN)
    override = Override(actor="ann", reason="must be", constraints=("reruns",))
    answer = ask_rerun(bench.key, Cause.RERUN, "must be", bench.hands, override=override)
    assert answer.how is Rerun.OPENED
    assert answer.run is not None
    assert answer.run.override == override


def test_data_does_not_run_an_excluded_day_again_and_a_person_may() -> None:
    bench = Bench(a_spec(exclusions=ExclusionSpec(weekdays=(5,)))).completed()
    assert ask_rerun(bench.key, Cause.DRIFT, "drift", bench.hands).how is Rerun.REJECTED
    assert ask_rerun(bench.key, Cause.RERUN, "corrected", bench.hands).how is Rerun.OPENED


def test_a_rerun_that_data_asks_for_waits_for_the_end_of_a_pause() -> None:
    bench = Bench().completed()
    pause(bench.spec.name, NOON + timedelta(hours=1), "ann", "migration", bench.hands)
    wish = AskRerun(id=CommandId(f"{bench.key.run_id}/99/0"), cause=Cause.DRIFT, reason="drift")
    assert carry_out(bench.key, wish, bench.hands) is None
    assert bench.store.latest_run(bench.key.slot) == bench.run
    bench.later(3601)
    perform(bench.key, wish, bench.hands)
    assert bench.store.latest_run(bench.key.slot) != bench.run


def test_a_pause_holds_back_no_person_who_may_go_past_it() -> None:
    bench = Bench().completed()
    pause(bench.spec.name, NOON + timedelta(hours=1), "ann", "migration", bench.hands)
    assert ask_rerun(bench.key, Cause.RERUN, "corrected", bench.hands).how is Rerun.OPENED


def test_a_rerun_whose_opener_died_before_it_said_so_is_told_once() -> None:
    bench = Bench().completed()
    open_rerun(bench.key.slot, bench.spec, bench.store, NOON, cause=Cause.DRIFT, note="drift")
    for _ in range(2):
        assert ask_rerun(bench.key, Cause.DRIFT, "drift", bench.hands).how is Rerun.KNOWN
    assert bench.told().count("RERUN_ACCEPTED") == 1


def test_a_rerun_for_another_reason_is_not_told_as_this_one() -> None:
    bench = Bench().completed()
    open_rerun(bench.key.slot, bench.spec, bench.store, NOON, cause=Cause.RERUN, note="ann: corrected")
    assert ask_rerun(bench.key, Cause.DRIFT, "drift", bench.hands).how is Rerun.KNOWN
    assert "RERUN_ACCEPTED" not in bench.told()


def test_a_pipeline_that_is_gone_is_not_run_again() -> None:
    bench = Bench().completed()
    answer = ask_rerun(bench.key, Cause.DRIFT, "drift", bench.hands._replace(catalog=Files()))
    assert answer.how is Rerun.REJECTED
    assert "no longer defined" in answer.words
