"""Bugs planted on purpose in watcher, agenda, watchdog and dispatch: some fleet must catch each of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from interlock.app import agendas, delivering, opening, triggering
from interlock.app.advance import advance
from interlock.app.hands import Hands
from interlock.core import deliveries, gate, settling, slas
from interlock.core.agenda import Plan, due_windows
from interlock.core.commands import Command, NotifyDownstream
from interlock.core.decision import stay
from interlock.core.deliveries import Delivery, DeliveryState, Pace, Trouble
from interlock.core.dispatching import Dispatch
from interlock.core.events import Woke
from interlock.core.expectations import ExpectationState
from interlock.core.ids import RunKey
from interlock.runtime.flights import Flight
from interlock.runtime.runwork import RunWork
from interlock.stores.repository import Repository
from interlock.testing.fleet.stories import (
    around_midnight,
    asleep_before_a_start,
    noisy,
)
from interlock.testing.fleet.world import Story, played

SEEDS = 100
Patch = pytest.MonkeyPatch


def _time_is_told_before_the_wishes_are_tried(patch: Patch) -> None:
    begin = RunWork._begin

    def mutant(work: RunWork, flight: Flight) -> None:
        hands, key = work._station.hands, flight.unit
        assert isinstance(key, RunKey)
        advance(key, Woke(at=hands.clock.now()), hands.store)
        begin(work, flight)

    patch.setattr(RunWork, "_begin", mutant)


def _starts_left_by_another_watcher_are_not_tried(patch: Patch) -> None:
    patch.setattr(RunWork, "_takes_up_a_start", lambda *_: False)


def _wishes_are_struck_before_they_are_carried_out(patch: Patch) -> None:
    perform = RunWork._perform

    def mutant(work: RunWork, flight: Flight, wish: Command) -> None:
        work._station.hands.store.settle(flight.unit, wish.id)  # type: ignore[arg-type]
        perform(work, flight, wish)

    patch.setattr(RunWork, "_perform", mutant)


def _expectations_are_not_written_ahead(patch: Patch) -> None:
    patch.setattr(agendas, "expect", lambda *_, **__: None)


def _alerts_are_told_without_a_lease(patch: Patch) -> None:
    def mutant(record: Dispatch, at: datetime, hands: Hands) -> Dispatch:
        until = at + timedelta(minutes=5)
        now = delivering._up_to_date(record, (), at, hands)
        due = tuple(replace(each, state=DeliveryState.TRYING) if each.ripe(at) else each for each in now.deliveries)
        return replace(now, deliveries=due, held_until=until)

    patch.setattr(delivering, "_lease", mutant)


def _tellings_are_not_recorded(patch: Patch) -> None:
    patch.setattr(delivering, "_record", lambda *_: None)


def _failed_tellings_are_given_up(patch: Patch) -> None:
    failed = deliveries.failed

    def mutant(delivery: Delivery, trouble: Trouble, pace: Pace, at: datetime) -> Delivery:
        return failed(delivery, trouble._replace(retryable=False), pace, at)

    patch.setattr(deliveries, "failed", mutant)


def _claims_are_skipped(patch: Patch) -> None:
    patch.setattr(Repository, "claim", lambda *_: None)
    patch.setattr(Repository, "put_claim", lambda *_: True)


def _pauses_are_ignored(patch: Patch) -> None:
    for module in (opening, triggering):
        patch.setattr(module, "pause_words", lambda *_: "")
    patch.setattr(gate, "held", lambda run, *_: stay(run))


def _downstreams_are_told_twice(patch: Patch) -> None:
    ended = slas._ended

    def mutant(*args: Any, **rest: Any) -> tuple[Command, ...]:
        wishes = ended(*args, **rest)
        return (*wishes, *(each for each in wishes if isinstance(each, NotifyDownstream)))

    patch.setattr(slas, "_ended", mutant)


def _hard_closes_are_ignored(patch: Patch) -> None:
    patch.setattr(slas, "closing", lambda *_: None)


def _excluded_days_are_opened(patch: Patch) -> None:
    for module in (opening, agendas):
        patch.setattr(module, "exclusion", lambda *_: "")


def _windows_are_opened_early(patch: Patch) -> None:
    plan, refusal = due_windows, opening.refusal

    def mutant(schedule: Any, pipeline: Any, opened_to: datetime, now: datetime, **rest: Any) -> Plan:
        return plan(schedule, pipeline, opened_to, now + timedelta(minutes=20), **rest)

    patch.setattr(agendas, "due_windows", mutant)
    patch.setattr(opening, "refusal", lambda *args: None if (no := refusal(*args)) and no.why.name == "EARLY" else no)


def _what_is_late_counts_as_met(patch: Patch) -> None:
    verdict = settling.verdict_of

    def mutant(*args: Any) -> Any:
        found = verdict(*args)
        if found is None or found.state is not ExpectationState.LATE:
            return found
        return found._replace(state=ExpectationState.MET)

    patch.setattr(settling, "verdict_of", mutant)


MUTANTS: tuple[tuple[Callable[[Patch], None], Story | None], ...] = (
    (_time_is_told_before_the_wishes_are_tried, asleep_before_a_start),
    (_starts_left_by_another_watcher_are_not_tried, noisy),
    (_wishes_are_struck_before_they_are_carried_out, None),
    (_expectations_are_not_written_ahead, None),
    (_alerts_are_told_without_a_lease, noisy),
    (_tellings_are_not_recorded, noisy),
    (_failed_tellings_are_given_up, None),
    (_claims_are_skipped, None),
    (_pauses_are_ignored, None),
    (_downstreams_are_told_twice, None),
    (_hard_closes_are_ignored, around_midnight),
    (_excluded_days_are_opened, None),
    (_windows_are_opened_early, None),
    (_what_is_late_counts_as_met, None),
)


@pytest.mark.parametrize(("plant", "story"), MUTANTS, ids=lambda each: getattr(each, "__name__", "any").strip("_"))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], story: Story | None, monkeypatch: Patch) -> None:
    """LAT-14, T-02, T-44, BUG-01, BUG-86."""
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r"fleet \d+: (?!.*(TypeError|AttributeError|NameError))"):
        _play_all(story)


def _play_all(story: Story | None) -> None:
    for seed in range(SEEDS):
        played(seed, story, steps=60)
