from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.core.states import HOUR, MONITORED, SPEC, Story, drifted, looking, monitoring

from interlock.codec.documents import document
from interlock.core.alerts import AlertLevel
from interlock.core.commands import AskRerun, EvaluateTrait, NotifyDownstream, PublishEnd, RaiseAlert
from interlock.core.documents import Document
from interlock.core.events import CancelAsked, EvidenceArrived, JobFinished, TraitEvaluated
from interlock.core.pipelines import PipelineSpec, ScheduleSpec, WatchSpec
from interlock.core.runs import Cause, RunStatus, Watch
from interlock.core.traits import DriftSpec, FailureCategory, Origin, TraitResult, TraitStatus
from interlock.testing.builders import MINUTE, NOON, SECOND, a_result, a_spec, a_trait, no_answer

PASS, FAIL, STALE, ERROR = TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.STALE, TraitStatus.ERROR
WATCH = WatchSpec(monitoring=2 * HOUR)


def _asked(story: Story) -> list[str]:
    return [wish.trait for wish in story.commands if isinstance(wish, EvaluateTrait)]


def _measured(value: object, *, threshold: float = 10, relative: bool = False, name: str = "count") -> PipelineSpec:
    assert value is not None
    drift = DriftSpec(field=name, threshold=threshold, relative=relative)
    return a_spec(a_trait("rows", drift=drift), watch=WATCH)


def _rows(story: Story, value: Document | None, status: TraitStatus = PASS) -> TraitResult:
    return a_result("rows", status, at=story.at, value=value)


def _moved(was: Document | None, is_now: Document | None, **rest: object) -> Story:
    spec = _measured(was or "", **rest)  # type: ignore[arg-type]  # of a drift
    story = Story(spec)
    story.answers(_rows(story, was)).started().succeeds()
    return story.opens_with(replace(_rows(story, is_now), observed_at=story.at))


# ---------------------------------------------------------------- beginning and end


def test_a_completed_run_is_watched_and_its_success_is_passed_on_at_once() -> None:
    """BUG-23, BUG-81."""
    story = monitoring()
    assert story.run.status is RunStatus.COMPLETED_MONITORING
    assert story.run.monitor is not None
    assert (story.run.monitor.state, story.run.monitor.until) == (Watch.WATCHING, story.at + 2 * HOUR)
    assert (story.run.ended_at, story.run.succeeded_at) == (None, story.at)
    assert [type(wish) for wish in story.commands] == [NotifyDownstream, PublishEnd]
    assert not story.run.ended
    assert not story.run.in_the_way


def test_a_watch_that_is_over_ends_the_run_and_passes_nothing_on_again() -> None:
    """BUG-23, BUG-164."""
    story = monitoring()
    assert story.run.monitor is not None
    story.wakes_at(story.run.monitor.until)
    assert (story.run.status, story.run.ended_at, story.commands) == (RunStatus.COMPLETED, story.at, ())
    assert story.run.monitor is not None
    assert story.run.monitor.state is Watch.OVER


def test_a_watch_asks_everything_afresh_at_the_interval_of_its_schedule() -> None:
    spec = replace(MONITORED, schedules=(ScheduleSpec(interval=5 * MINUTE),))
    story = Story(spec).started().succeeds()
    assert story.run.wake_at == story.at + 5 * MINUTE
    assert _asked(story.wakes()) == ["fresh", "upstream"]
    story.answers()
    assert story.run.wake_at == story.at + 5 * MINUTE
    assert story.run.status is RunStatus.COMPLETED_MONITORING


def test_answers_within_their_ttl_are_used_again() -> None:
    story = looking().answers().wakes()
    assert _asked(story) == ["upstream"]


def test_a_round_with_nothing_to_ask_is_compared_at_once() -> None:
    spec = a_spec(a_trait("fresh", ttl=HOUR), watch=WATCH)
    story = Story(spec).started().succeeds().opens_with()
    story.wakes()
    assert (story.commands, story.run.asked, story.run.wake_at) == ((), (), story.at + SPEC.watch.interval)


def test_a_person_ends_the_watch_and_not_the_success() -> None:
    story = monitoring()
    story.tell(CancelAsked(at=story.after(1), actor="ann", reason="enough"))
    assert (story.run.status, story.run.ended_at, story.commands) == (RunStatus.COMPLETED, story.at, ())


def test_a_watched_run_starts_nothing_and_hears_nothing_of_its_job_any_more() -> None:
    """T-07."""
    story = monitoring()
    again = JobFinished(at=story.after(1), attempt=1, succeeded=False, reason="late news")
    assert story.ignores(again)


def test_a_look_before_its_time_changes_nothing() -> None:
    story = monitoring()
    before = story.run
    assert story.wakes_at(story.at + SECOND).run == before


# ---------------------------------------------------------------- what drift is


@pytest.mark.parametrize("status", [FAIL, STALE])
def test_a_trait_that_does_not_hold_any_more_has_drifted(status: TraitStatus) -> None:
    """BUG-81."""
    story = looking()
    story.answers(a_result("fresh", status, at=story.at, reason="rows vanished"))
    assert (story.run.status, story.run.ended_at) == (RunStatus.COMPLETED, story.at)
    assert story.run.monitor is not None
    assert (story.run.monitor.state, story.run.monitor.drifted) == (Watch.DRIFTED, ("fresh",))
    (alert,) = (wish.alert for wish in story.commands if isinstance(wish, RaiseAlert))
    assert (alert.alert_id, alert.level) == (f"trait_drift/{story.run.key.run_id}", AlertLevel.WARNING)
    assert f"fresh passed when the job was started and is {status} now: rows vanished" in alert.message
    assert alert.details == document({"blockingTraits": ["fresh"]})


def test_drift_asks_for_a_rerun_unless_the_pipeline_does_not_want_one() -> None:
    """T-17, BUG-82."""
    assert [(wish.cause, wish.reason) for wish in drifted().commands if isinstance(wish, AskRerun)] == [
        (Cause.DRIFT, "drift of fresh")
    ]
    quiet = Story(replace(MONITORED, watch=WatchSpec(monitoring=HOUR, rerun_on_drift=False))).started().succeeds()
    quiet.opens_with(FAIL)
    assert (quiet.raised, [wish for wish in quiet.commands if isinstance(wish, AskRerun)]) == (["trait_drift"], [])


@pytest.mark.parametrize(
    "trouble",
    [
        no_answer("fresh"),
        a_result("fresh", ERROR),
        a_result("fresh", STALE, origin=Origin.RUNNER),
        a_result("fresh", FAIL, origin=Origin.RUNNER, category=FailureCategory.PERMANENT),
    ],
    ids=["no answer", "error", "runner says stale", "evaluator is gone"],
)
def test_an_evaluator_that_could_not_be_asked_is_not_drift(trouble: TraitResult) -> None:
    """T-112, BUG-10."""
    story = looking()
    story.answers(replace(trouble, observed_at=story.at))
    assert (story.run.status, story.raised) == (RunStatus.COMPLETED_MONITORING, [])
    assert story.run.wake_at == story.at + SPEC.watch.interval


def test_answers_that_do_not_come_are_not_drift() -> None:
    story = looking().wakes()
    assert (story.run.status, story.run.asked, story.raised) == (RunStatus.COMPLETED_MONITORING, (), [])
    assert _asked(story.wakes()) == ["fresh", "upstream"]


def test_a_trait_that_did_not_pass_at_the_start_cannot_drift() -> None:
    spec = a_spec("fresh", a_trait("disk", required=False), watch=WATCH)
    story = Story(spec).answers(PASS, FAIL).started().succeeds().opens_with(PASS, FAIL)
    assert (story.run.status, story.raised) == (RunStatus.COMPLETED_MONITORING, [])


def test_every_trait_that_drifted_is_named() -> None:
    story = looking().answers(FAIL, FAIL)
    assert story.run.monitor is not None
    assert story.run.monitor.drifted == ("fresh", "upstream")
    assert [wish.reason for wish in story.commands if isinstance(wish, AskRerun)] == ["drift of fresh, upstream"]


@pytest.mark.parametrize(
    ("was", "is_now", "rest", "moved"),
    [
        ({"count": 100}, {"count": 110}, {}, False),
        ({"count": 100}, {"count": 111}, {}, True),
        ({"count": 100}, {"count": 89.5}, {}, True),
        ({"count": 100}, {"count": 120}, {"threshold": 0.2, "relative": True}, False),
        ({"count": 100}, {"count": 79}, {"threshold": 0.2, "relative": True}, True),
        ({"count": -100}, {"count": -119}, {"threshold": 0.2, "relative": True}, False),
        ({"count": -100}, {"count": -121}, {"threshold": 0.2, "relative": True}, True),
        ({"count": 0}, {"count": 0}, {"threshold": 0.2, "relative": True}, False),
        ({"count": 0}, {"count": 1}, {"threshold": 0.2, "relative": True}, True),
        ({"count": 0}, {"count": 11}, {}, True),
        ({"count": 5}, {"count": 6}, {"threshold": 0}, True),
        ({"count": 100}, {"other": 1}, {}, False),
        ({"other": 1}, {"count": 500}, {}, False),
        ({"count": "many"}, {"count": 500}, {}, False),
        ({"count": 100}, {"count": True}, {}, False),
        ({"count": 100}, {"count": None}, {}, False),
        ({"size": 1}, {"size": 900}, {"name": "size"}, True),
    ],
    ids=str,
)
def test_a_measured_value_drifts_by_more_than_its_trait_allows(
    was: dict[str, object], is_now: dict[str, object], rest: dict[str, object], *, moved: bool
) -> None:
    """BUG-153, BUG-167."""
    story = _moved(document(was), document(is_now), **rest)
    assert (story.raised == ["trait_drift"]) is moved
    assert story.run.ended is moved


def test_the_values_are_told() -> None:
    story = _moved(document({"count": 100}), document({"count": 250}))
    (alert,) = (wish.alert for wish in story.commands if isinstance(wish, RaiseAlert))
    assert "rows.count was 100 when the job was started and is 250 now" in alert.message


@pytest.mark.parametrize("text", ["1e999", "-1e999", "NaN"])
def test_what_is_no_finite_number_is_not_compared(text: str) -> None:
    """T-122."""
    odd = Document((("count", text),))
    assert _moved(odd, odd).raised == []
    assert _moved(document({"count": 1}), odd).raised == []


def test_a_value_that_is_not_there_is_not_compared() -> None:
    assert _moved(None, document({"count": 500})).raised == []
    assert _moved(document({"count": 500}), None).raised == []


def test_a_trait_that_the_pipeline_no_longer_has_is_not_compared() -> None:
    story = monitoring()
    story.spec = a_spec("other", watch=WATCH)
    assert story.opens_with(FAIL).raised == []


def test_each_slot_is_compared_with_its_own_start() -> None:
    """BUG-112."""
    small = _moved(document({"count": 10}), document({"count": 10}))
    large = _moved(document({"count": 900}), document({"count": 900}))
    assert (small.raised, large.raised) == ([], [])


# ---------------------------------------------------------------- evidence, and what comes late


def test_evidence_is_looked_at_at_once() -> None:
    """BUG-81."""
    story = monitoring()
    story.tell(EvidenceArrived(at=story.after(1), source="a push"))
    assert _asked(story) == ["fresh", "upstream"]


def test_evidence_in_a_round_or_from_before_it_changes_nothing() -> None:
    story = looking()
    assert story.ignores(EvidenceArrived(at=story.after(1), source="a push"))
    story.answers()
    assert story.ignores(EvidenceArrived(at=NOON, source="old"))


def test_an_answer_of_another_round_or_about_nobody_changes_nothing() -> None:
    story = looking()
    for number, name in ((story.run.round - 1, "fresh"), (story.run.round, "nobody")):
        late = TraitEvaluated(at=story.at, round=number, result=a_result(name, FAIL, at=story.at))
        assert story.ignores(late)


def test_an_answer_that_comes_after_the_watch_finds_it_over() -> None:
    story = looking()
    assert story.run.monitor is not None
    story.at = story.run.monitor.until
    story.answers(FAIL)
    assert (story.run.status, story.raised) == (RunStatus.COMPLETED, [])
    assert story.run.monitor is not None
    assert story.run.monitor.state is Watch.OVER
