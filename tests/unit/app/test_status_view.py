"""How a pipeline is shown to stand."""

from __future__ import annotations

from datetime import timedelta

from interlock.app.arrivals import open_run
from interlock.app.callbacks import Report, complete
from interlock.app.evaluating import evaluate_pipeline
from interlock.app.perform import carry_out
from interlock.app.queries import pipeline_status
from interlock.core.pipelines import PipelineSpec
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import NOON, a_hand, a_key, a_slot, a_spec, a_trait

SPEC: PipelineSpec = a_spec(a_trait(ttl=timedelta(minutes=1)))
LATER = NOON + timedelta(hours=1)


def test_the_verdict_that_let_a_job_through_is_shown_as_it_was_given() -> None:
    store = Repository(MemoryKernel())
    open_run(a_slot(), SPEC, store, NOON)
    hands = a_hand(store)
    while wishes := store.outstanding(a_key()):
        for wish in wishes:
            carry_out(a_key(), wish, hands)
    complete(a_key(), Report(succeeded=True), store, NOON)
    assert pipeline_status(SPEC, store, LATER).readiness == "READY"


def test_a_verdict_that_nothing_was_started_on_grows_stale() -> None:
    """T-28, T-107."""
    store = Repository(MemoryKernel())
    evaluate_pipeline(SPEC, a_slot(), a_hand(store))
    assert pipeline_status(SPEC, store, NOON).readiness == "READY"
    shown = pipeline_status(SPEC, store, LATER)
    assert shown.decision is not None
    assert (shown.readiness, [trait.status for trait in shown.decision.traits]) == ("NOT_READY", ["STALE"])
