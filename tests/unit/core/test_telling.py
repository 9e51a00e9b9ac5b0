from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.core.states import SOFT, Story, blocked, completed, failed, in_doubt, running, waiting

from interlock.core.alerts import AlertType
from interlock.core.commands import RaiseAlert, ResolveAlert
from interlock.core.events import CancelAsked, JobFinished, JobSeen, JobUnseen, JobVanished
from interlock.core.runs import Cause, RunStatus
from interlock.core.telling import alert_id, alert_id_of, kept, mended, tell, told
from interlock.core.traits import FailureCategory
from interlock.testing.builders import NOON, SECOND, a_key, a_run, a_spec, no_answer


def test_a_fact_about_a_run_is_named_after_the_run_and_one_about_an_attempt_after_both() -> None:
    """BUG-03."""
    key = a_key()
    assert alert_id(AlertType.RUN_FAILED, key, 3) == f"run_failed/{key.run_id}"
    assert alert_id(AlertType.JOB_LOST, key, 3) == f"job_lost/{key.run_id}/3"
    assert alert_id(AlertType.START_UNKNOWN, key, 1) == f"start_unknown/{key.run_id}/1"
    assert (alert_id_of(AlertType.RUN_FAILED, "aa:b:c:1"), alert_id_of(AlertType.RUN_FAILED, "")) == (
        "run_failed/aa:b:c:1",
        "",
    )


def test_an_alert_carries_whose_it_is() -> None:
    run = a_run()
    alert = tell(run, a_spec(tier=2, owner="data"), AlertType.RUN_FAILED, "it failed", NOON).alert
    assert (alert.slot, alert.run_id, alert.tier, alert.owner) == (run.key.slot, run.key.run_id, 2, "data")
    assert (alert.message, alert.at, alert.alert_type) == ("it failed", NOON, AlertType.RUN_FAILED)


def test_what_people_know_is_what_was_raised_and_not_resolved() -> None:
    run = a_run(open_alerts=("job_lost/x/1", "run_failed/x"))
    wish = tell(run, a_spec(), AlertType.WINDOW_CLOSED, "over", NOON)
    gone = ResolveAlert(alert_id="job_lost/x/1", resolution="seen", at=NOON)
    never = ResolveAlert(alert_id="late_data/x", resolution="none", at=NOON)
    assert kept(run, (wish, gone, never)) == ("run_failed/x", f"window_closed/{run.key.run_id}")
    assert told(run, AlertType.JOB_LOST, AlertType.LATE_DATA)
    assert not told(run, AlertType.LATE_DATA)


def test_a_doubt_that_is_over_is_mended() -> None:
    story = in_doubt()
    assert story.run.open_alerts == (f"start_unknown/{story.run.key.run_id}/1",)
    story.succeeds()
    assert story.resolved == ["start_unknown"]
    assert not told(story.run, AlertType.START_UNKNOWN)


def test_a_job_that_is_lost_twice_is_told_once_and_when_it_was_seen_between_twice() -> None:
    """T-22."""
    story = running()
    for look in range(2):
        story.tell(JobUnseen(at=story.after(30), attempt=1, look=look, reason="no route"))
    assert story.raised == ["job_lost"]
    story.tell(JobVanished(at=story.after(30), attempt=1, reason="404"))
    assert (story.raised, story.run.wake_at, story.run.doubt) == ([], None, "404")
    story.tell(JobSeen(at=story.after(1), attempt=1))
    assert story.resolved == ["job_lost"]
    story.tell(JobVanished(at=story.after(1), attempt=1, reason="404"))
    assert story.raised == ["job_lost"]


@pytest.mark.parametrize("make", [blocked, in_doubt])
def test_a_person_who_cancels_needs_no_reminder(make: object) -> None:
    assert callable(make)
    story: Story = make()
    story.tell(CancelAsked(at=story.after(1), actor="ann", reason="enough"))
    assert (len(story.resolved), story.run.open_alerts) == (1, ())


def test_a_person_who_cancels_a_late_run_needs_no_reminder() -> None:
    story = waiting(SOFT).wakes_at(NOON + 3600 * SECOND)
    story.tell(CancelAsked(at=story.after(9), actor="ann", reason="enough"))
    assert [wish.resolution for wish in story.commands if isinstance(wish, ResolveAlert)] == ["the run was cancelled"]


def test_trouble_with_the_evaluators_is_mended_by_a_persons_word() -> None:
    story = Story(a_spec())
    for _ in range(5):
        story.answers(no_answer(at=story.at)).wakes()
    assert story.run.open_alerts == (f"evaluation_trouble/{story.run.key.run_id}",)
    story.tell(CancelAsked(at=story.after(1), actor="ann", reason="enough"))
    assert story.resolved == ["evaluation_trouble"]


def test_trouble_with_the_evaluators_is_mended_when_a_job_is_started() -> None:
    story = Story(a_spec())
    for _ in range(5):
        story.answers(no_answer(at=story.at)).wakes()
    assert story.answers().resolved == ["evaluation_trouble"]


def test_a_failure_stays_told() -> None:
    story = failed()
    assert story.run.open_alerts == (f"run_failed/{story.run.key.run_id}",)


def test_a_rerun_that_completes_mends_what_its_predecessors_left() -> None:
    """T-16."""
    story = Story(cause=Cause.RERUN, number=3).started().succeeds()
    names = {wish.alert_id for wish in story.commands if isinstance(wish, ResolveAlert)}
    kinds = {
        "run_failed",
        "evaluation_failed",
        "evaluation_trouble",
        "upstream_cannot_complete",
        "completion_sla_breach",
        "evaluation_sla_breach",
        "validation_timeout",
        "window_closed",
        "rerun_cap_reached",
        "trait_drift",
        "late_data",
    }
    for number in (1, 2):
        run_id = a_key(number=number).run_id
        assert {name.partition("/")[0] for name in names if name.endswith(f"/{run_id}")} == kinds
    assert not any(name.endswith(":3") for name in names)
    resolutions = {wish.resolution for wish in story.commands if isinstance(wish, ResolveAlert)}
    assert resolutions == {f"{story.run.key} completed"}


def test_what_is_folded_into_a_drift_is_mended_before_it() -> None:
    """The other way round, the end of the drift would have it told on its own, when it is no longer true."""
    story = Story(cause=Cause.RERUN, number=2).started().succeeds()
    names = [wish.alert_id.partition("/")[0] for wish in story.commands if isinstance(wish, ResolveAlert)]
    assert names.index("rerun_cap_reached") < names.index("trait_drift")


def test_only_the_nearest_predecessors_are_looked_after() -> None:
    story = Story(cause=Cause.RERUN, number=9).started().succeeds()
    names = {wish.alert_id.rpartition(":")[2] for wish in story.commands if isinstance(wish, ResolveAlert)}
    assert names == {"4", "5", "6", "7", "8"}


def test_a_rerun_that_fails_mends_nothing() -> None:
    story = Story(cause=Cause.RERUN, number=2).started().fails(FailureCategory.PERMANENT)
    assert not any(isinstance(wish, ResolveAlert) for wish in story.commands)


def test_a_first_run_that_completes_has_nothing_to_mend() -> None:
    assert completed().resolved == []


def test_what_a_run_cannot_mend_itself_stays() -> None:
    """Late data, a missed schedule and their like are other people's to resolve."""
    run = a_run(open_alerts=("late_data/x", "stuck_run/x"))
    assert mended(run, replace(run, version=2), (), NOON) == ()


def test_the_end_of_the_watch_over_a_rerun_mends_nothing_a_second_time() -> None:
    """What was told since is about what happened since."""
    watched = replace(a_run(), key=a_key(number=3), status=RunStatus.COMPLETED_MONITORING)
    assert mended(watched, replace(watched, status=RunStatus.COMPLETED, version=2), (), NOON) == ()


def test_a_run_that_was_given_up_without_a_persons_word_stays_told_as_late() -> None:
    late = a_run(open_alerts=("evaluation_sla_breach/x", "completion_sla_breach/x"))
    given_up = replace(late, status=RunStatus.CANCELLED, version=2)
    assert mended(late, given_up, (), NOON) == ()
    assert len(mended(late, given_up, (), NOON, person=True)) == 2


def test_a_healthy_run_tells_nobody_anything() -> None:
    """G6. LAT-38."""
    story = Story(limits=SOFT)
    raised = [wish for wish in story.commands if isinstance(wish, RaiseAlert)]
    for step in (story.answers, story.started, story.succeeds):
        step()
        raised += [wish for wish in story.commands if isinstance(wish, RaiseAlert)]
    assert raised == []
    assert story.run.ended


def test_a_doubt_that_ends_in_another_attempt_is_mended() -> None:
    story = in_doubt()
    story.tell(JobFinished(at=story.after(1), attempt=1, succeeded=False, reason="exit 1"))
    assert story.resolved == ["start_unknown"]
