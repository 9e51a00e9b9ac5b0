"""A start that was cut short, and a target that is another one by the time somebody looks for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.app.bench import Bench

from interlock.app.hands import Silence
from interlock.app.triggering import start_job
from interlock.core.events import TriggerAccepted, TriggerInDoubt
from interlock.core.runs import RunStatus
from interlock.ports.triggers import Job
from interlock.testing.builders import a_spec
from interlock.testing.fakes import FakeTrigger


class Crash(BaseException):
    """The process dies here."""


def _die(_job: Job) -> None:
    raise Crash


def _cut_short(trigger: FakeTrigger) -> Bench:
    """A start at one place of which nobody knows what became of it."""
    bench = Bench(a_spec(permit_lifetime=timedelta(hours=1)), trigger=trigger)
    trigger.place = "eu-west-1"
    trigger.before_start = _die
    with pytest.raises(Crash):
        start_job(bench.key, bench.ready_to_start(), bench.hands)
    trigger.before_start = lambda _job: None
    return bench


@pytest.mark.parametrize("repeatable", [True, False])
def test_that_a_job_is_not_at_another_place_says_nothing_of_it(*, repeatable: bool) -> None:
    """G2: nothing is found there, and the same key would start a second job there."""
    trigger = FakeTrigger(repeatable=repeatable)
    bench = _cut_short(trigger)
    trigger.place = "us-east-1"
    command = bench.later(30).ready_to_start()
    assert start_job(bench.key, command, bench.hands) is Silence.LATER, "somebody may be in the middle of it"
    told = start_job(bench.key, bench.later(60).ready_to_start(), bench.hands)
    assert isinstance(told, TriggerInDoubt)
    assert "somewhere else" in told.reason
    assert (trigger.calls, bench.run.status) == ([], RunStatus.TRIGGERING)


def test_at_the_same_place_it_is_found_or_started_as_ever() -> None:
    trigger = FakeTrigger(repeatable=True)
    bench = _cut_short(trigger)
    told = start_job(bench.key, bench.later(30).ready_to_start(), bench.hands)
    assert isinstance(told, TriggerAccepted)
    assert len(trigger.calls) == 1


def test_a_claim_that_names_no_place_is_looked_after_as_before() -> None:
    trigger = FakeTrigger(repeatable=True)
    bench = Bench(a_spec(permit_lifetime=timedelta(hours=1)), trigger=trigger)
    trigger.before_start = _die
    with pytest.raises(Crash):
        start_job(bench.key, bench.ready_to_start(), bench.hands)
    trigger.before_start = lambda _job: None
    trigger.place = "eu-west-1"
    assert isinstance(start_job(bench.key, bench.later(30).ready_to_start(), bench.hands), TriggerAccepted)
