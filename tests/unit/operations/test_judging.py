"""Looking at verdicts and traits, and telling the result of a trait."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from tests.unit.operations.office import NOW, Office, a_reader, an_office

from interlock.api.judging import Evaluate, PushTrait, Readiness, Trait, TraitEvaluation, Traits
from interlock.api.looking import Why
from interlock.app.arrivals import open_run
from interlock.app.push_views import PushView
from interlock.codec.documents import mapping
from interlock.config.load import load_project
from interlock.core.chronicle import EventKind
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import ConfigError, Conflict, Invalid, NotFound
from interlock.operations.performing import perform

PUSHED = """\
name: pushed
archetype: one-check
traits: {data-check: {evaluator: push, ttl: 10m}}
schedules:
  - {name: daily}
  - {name: weekly, cron: "0 6 * * 1"}
"""


@pytest.fixture
def office(tmp_path: Any) -> Any:
    root = tmp_path / "project"
    (root / "pipelines").mkdir(parents=True)
    (root / "pipelines/pushed.yaml").write_text(PUSHED)
    (root / "pipelines/endless.yaml").write_text(PUSHED.replace("pushed", "endless").replace(", ttl: 10m", ""))
    with an_office(root) as found:
        yield found


def push(office: Office, pipeline: str = "pushed", trait: str = "data-check", **more: Any) -> PushView:
    more = {"status": TraitStatus.PASS} | more
    return perform(PushTrait(pipeline_id=pipeline, trait_type=trait, **more), office.desk)


def trait(office: Office, pipeline: str = "pushed") -> TraitEvaluation:
    return perform(Trait(pipeline_id=pipeline, trait_type="data-check"), office.desk)


# ---------------------------------------------------------------- readiness


def test_without_a_verdict_nothing_is_ready_and_every_trait_is_not_seen(office: Office) -> None:
    shown = perform(Readiness(pipeline_id="orders"), office.desk)
    assert (shown.status, shown.blocking, shown.date) == ("NOT_READY", ("data-check",), "2026-03-07")
    assert [(each.status, each.reason) for each in shown.traits] == [("STALE", "never evaluated")]


def test_the_latest_verdict_is_shown_as_it_was_found(office: Office) -> None:
    judged = perform(Evaluate(pipeline_id="orders"), office.desk)
    shown = perform(Readiness(pipeline_id="orders"), office.desk)
    assert judged.status == "READY"
    assert shown == judged


def test_a_verdict_whose_evidence_has_expired_counts_as_not_ready(office: Office) -> None:
    """T-78."""
    push(office, ttl="5m")
    assert perform(Evaluate(pipeline_id="pushed"), office.desk).status == "READY"
    with time_machine.travel(NOW + timedelta(minutes=6)):
        shown = perform(Readiness(pipeline_id="pushed"), office.desk)
    assert (shown.status, shown.traits[0].status) == ("NOT_READY", "STALE")


def test_the_verdict_on_a_slot_is_that_slots_own(office: Office) -> None:
    perform(Evaluate(pipeline_id="orders", date="2026-03-06"), office.desk)
    assert perform(Readiness(pipeline_id="orders"), office.desk).date == "2026-03-06"
    assert perform(Readiness(pipeline_id="orders", date="2026-03-06"), office.desk).status == "READY"
    assert perform(Readiness(pipeline_id="orders", date="2026-03-07"), office.desk).status == "NOT_READY"
    perform(Evaluate(pipeline_id="pushed", schedule="weekly"), office.desk)
    assert perform(Readiness(pipeline_id="pushed", schedule="weekly"), office.desk).schedule_id == "weekly"
    assert perform(Readiness(pipeline_id="pushed", schedule="daily"), office.desk).traits[0].evaluated_at is None


def test_the_verdict_on_a_slot_may_be_that_of_its_run(office: Office) -> None:
    run = office.held_back()
    shown = perform(Readiness(pipeline_id="orders", date=str(run.key.slot.period)), office.desk)
    assert (shown.status, shown.traits[0].reason) == ("NOT_READY", "3 of 4")


def test_looking_writes_nothing_and_needs_nothing_to_act_with(office: Office) -> None:
    """T-97."""
    perform(Evaluate(pipeline_id="orders"), office.desk)
    before = office.store.timeline("orders", limit=99)
    with a_reader(office.root) as desk:
        for request in (Readiness(pipeline_id="orders"), Readiness(pipeline_id="orders", date="2026-03-01")):
            perform(request, desk)
        perform(Traits(pipeline_id="orders"), desk)
    perform(Readiness(pipeline_id="orders"), office.desk)
    assert office.store.timeline("orders", limit=99) == before


@pytest.mark.parametrize("request_kind", [Readiness, Traits, Evaluate])
def test_what_nobody_knows_is_not_found(office: Office, request_kind: Any) -> None:
    """T-93."""
    with pytest.raises(NotFound, match="did you mean orders"):
        perform(request_kind(pipeline_id="order"), office.desk)


def test_a_period_that_is_none_and_a_schedule_that_is_none_are_said_so(office: Office) -> None:
    with pytest.raises(Invalid, match="date"):
        perform(Readiness(pipeline_id="orders", date="yesterday"), office.desk)
    with pytest.raises(NotFound):
        perform(Readiness(pipeline_id="orders", schedule="dayly"), office.desk)


def test_a_pipeline_whose_file_is_broken_says_why(office: Office) -> None:
    from interlock.config.load import load_project

    (office.root / "pipelines/orders.yaml").write_text("name: orders\nx: 1\n")
    office.work.registry.swap(load_project(office.root, tolerant=True)[0])
    with pytest.raises(ConfigError, match="unknown key"):
        perform(Readiness(pipeline_id="orders"), office.desk)


# ---------------------------------------------------------------- traits


def test_while_nothing_is_known_the_list_is_empty(office: Office) -> None:
    """T-94."""
    assert perform(Traits(pipeline_id="orders"), office.desk).items == ()
    with pytest.raises(NotFound, match="nothing is known"):
        perform(Trait(pipeline_id="orders", trait_type="data-check"), office.desk)


def test_what_was_answered_is_shown_with_the_slot_it_was_asked_for(office: Office) -> None:
    perform(Evaluate(pipeline_id="orders"), office.desk)
    (shown,) = perform(Traits(pipeline_id="orders"), office.desk).items
    assert shown == trait(office, "orders")
    assert (shown.pipeline_id, shown.trait_type, shown.status, shown.origin) == (
        "orders",
        "data-check",
        "PASS",
        "evaluator",
    )
    assert (shown.schedule_id, shown.date, shown.required) == ("daily", "2026-03-07", True)


def test_an_evaluator_that_could_not_tell_is_shown_too(office: Office) -> None:
    """T-123."""
    (office.root / "evaluators/check").write_text("#!/bin/sh\nkill -9 $$\n")
    perform(Evaluate(pipeline_id="orders"), office.desk)
    shown = trait(office, "orders")
    assert (shown.status, shown.failure_category, shown.origin) == ("FAIL", "EVALUATOR_CRASH", "runner")


def test_a_trait_that_the_pipeline_has_not_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound, match="did you mean data-check"):
        perform(Trait(pipeline_id="orders", trait_type="data-chek"), office.desk)


def test_what_was_pushed_is_known_before_anybody_has_asked(office: Office) -> None:
    """T-120."""
    pushed = push(office, value={"rows": 7}, reason="counted")
    shown = trait(office)
    assert (shown.status, shown.reason, shown.origin) == ("PASS", "counted", "push")
    assert shown.value is not None
    assert mapping(shown.value) == {"rows": 7}
    assert (shown.evaluated_at, shown.expires_at) == (pushed.evaluated_at, pushed.expires_at)
    assert (shown.schedule_id, shown.date) == (None, None)


def test_what_was_pushed_since_counts_before_what_was_answered(office: Office) -> None:
    push(office)
    perform(Evaluate(pipeline_id="pushed"), office.desk)
    assert trait(office).status == "PASS"
    push(office, status=TraitStatus.FAIL, reason="it is gone")
    assert (trait(office).status, trait(office).reason) == ("FAIL", "it is gone")


def test_a_pushed_pass_is_stale_once_its_time_is_over(office: Office) -> None:
    """T-78."""
    push(office, ttl=60)
    with time_machine.travel(NOW + timedelta(seconds=59)):
        assert trait(office).status == "PASS"
    with time_machine.travel(NOW + timedelta(seconds=90)):
        assert trait(office).status == "STALE"


# ---------------------------------------------------------------- pushing


def test_a_push_is_answered_as_clients_of_the_reference_expect_it(office: Office) -> None:
    shown = push(office, value={"rows": 7}, reason="counted", ttl=120)
    assert (shown.pipeline_id, shown.trait_type, shown.status, shown.reason) == (
        "pushed",
        "data-check",
        "PASS",
        "counted",
    )
    assert shown.expires_at == shown.evaluated_at + timedelta(seconds=120)
    assert shown.pushed_by == "api:anna"


@pytest.mark.parametrize(
    ("more", "words"),
    [({"value": {"a": "x" * 70_000}}, "at most 65536"), ({"ttl": "9" * 100_000}, "such as 30m")],
)
def test_a_push_that_is_too_large_to_be_kept_is_refused_in_few_words(
    office: Office, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid, match=words) as told:
        push(office, **more)
    assert len(str(told.value)) < 300


def test_who_may_only_push_does_not_learn_the_password_in_the_address_of_a_check(office: Office) -> None:
    text = PUSHED.replace("pushed", "remote").replace("push,", '"http://anna:hunter2@127.0.0.1:9/?token=swordfish",')
    (office.root / "pipelines/remote.yaml").write_text(text)
    office.work.registry.swap(load_project(office.root))
    with pytest.raises(Conflict, match=r"127\.0\.0\.1:9") as told:
        push(office, "remote")
    perform(Evaluate(pipeline_id="remote"), office.desk)
    why = str(perform(Why(pipeline_id="remote"), office.desk))
    for words in (str(told.value), why):
        assert "hunter2" not in words
        assert "swordfish" not in words


def test_a_pushed_reason_is_one_line_that_no_terminal_obeys_as_an_evaluators_is(office: Office) -> None:
    shown = push(office, reason="fine\x1b[2J\x9b31m\nREADY")
    assert shown.reason.isprintable()
    assert shown.reason.startswith("fine")


def test_a_push_opens_the_gate_of_a_trait_that_is_pushed(office: Office) -> None:
    """T-120."""
    assert perform(Evaluate(pipeline_id="pushed"), office.desk).status == "NOT_READY"
    push(office)
    assert perform(Evaluate(pipeline_id="pushed"), office.desk).status == "READY"


def test_a_push_is_told_with_who_did_it(office: Office) -> None:
    """T-77."""
    push(office)
    lines = [line.record for line in office.store.timeline("pushed", limit=9)]
    assert [(line.kind, line.message) for line in lines if line.kind is EventKind.TRAIT_PUSHED] == [
        (EventKind.TRAIT_PUSHED, "pushed by api:anna")
    ]


def test_a_run_that_waits_is_judged_again_when_something_is_pushed(office: Office) -> None:
    run = open_run(office.slot("pushed"), office.spec("pushed"), office.store, office.work.clock.now()).run
    push(office)
    after = office.store.run(run.key)
    assert after is not None
    assert after.version > run.version


def test_a_trait_that_is_checked_here_takes_no_push(office: Office) -> None:
    """T-78: a push never outranks an evaluator."""
    with pytest.raises(Conflict, match="evaluator: push"):
        push(office, "orders")
    assert office.work.pushes.get_push(office.spec().name, office.spec().traits[0].name) == ()


@pytest.mark.parametrize("ttl", [None, 0, -5])
def test_a_push_without_an_end_is_refused_where_the_trait_has_none(office: Office, ttl: int | None) -> None:
    """T-78: a PASS that never ends would keep its gate open long after whoever pushed has gone."""
    with pytest.raises(Invalid, match="a ttl is needed"):
        push(office, "endless", ttl=ttl)
    assert push(office, "endless", ttl=30).expires_at is not None


@pytest.mark.parametrize("ttl", [None, 0, -5])
def test_a_push_without_an_end_counts_for_as_long_as_the_trait_allows(office: Office, ttl: int | None) -> None:
    shown = push(office, ttl=ttl)
    assert shown.expires_at == shown.evaluated_at + timedelta(minutes=10)


def test_a_value_that_cannot_be_kept_is_refused(office: Office) -> None:
    with pytest.raises(Invalid, match="value"):
        push(office, value={"rows": "\ud800"})


@pytest.mark.parametrize("ttl", ["soon", "-5m", 10**12, "500d", ""])
def test_a_ttl_that_is_none_is_refused(office: Office, ttl: Any) -> None:
    with pytest.raises(Invalid, match="ttl"):
        push(office, ttl=ttl)


def test_a_push_may_count_for_one_slot_only(office: Office) -> None:
    push(office, schedule="weekly", date="2026-03-02", status=TraitStatus.FAIL, category=FailureCategory.PERMANENT)
    push(office)
    assert perform(Evaluate(pipeline_id="pushed", schedule="daily"), office.desk).status == "READY"


def test_what_a_push_names_must_be_there(office: Office) -> None:
    with pytest.raises(NotFound, match="no schedule"):
        push(office, schedule="dayly")
    with pytest.raises(Invalid, match="date"):
        push(office, date="7th of March")
    with pytest.raises(NotFound):
        push(office, "nobody")
    with pytest.raises(NotFound, match="did you mean"):
        push(office, trait="data-chek")


@pytest.mark.parametrize("status", [TraitStatus.PASS, TraitStatus.FAIL, TraitStatus.ERROR])
def test_what_a_trait_is_known_to_be_is_what_an_evaluation_would_find(office: Office, status: TraitStatus) -> None:
    """T-78, T-120: also once the trait's own ttl is over, and the push's is not."""
    push(office, ttl="2h", status=status)
    for minutes in (5, 60, 119, 121):
        with time_machine.travel(NOW + timedelta(minutes=minutes)):
            known = trait(office).status
            assert perform(Evaluate(pipeline_id="pushed"), office.desk).traits[0].status == known, minutes
