from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from interlock.app import perform, triggering
from interlock.app.hands import Hands, Silence
from interlock.core.commands import StartJob
from interlock.core.events import Event
from interlock.core.ids import RunKey
from interlock.core.runs import RunStatus
from interlock.ports.stores import Claim
from interlock.stores.repository import Repository
from interlock.testing.world import played

SEEDS = 300
BLOCKS = 6


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_world_breaks_a_promise(block: int) -> None:
    """T-01, T-04, T-08, T-10, T-11, T-60, T-117, BUG-05, BUG-108, LAT-46."""
    for seed in range(block, SEEDS, BLOCKS):
        played(seed)


def test_when_all_is_well_the_job_is_started_exactly_once() -> None:
    for seed in range(20):
        world = played(seed, chaos=0.0)
        assert world.run.status is RunStatus.COMPLETED
        assert len(world.starts) == 1


def test_the_worlds_are_rough_enough_to_prove_something() -> None:
    worlds = [played(seed) for seed in range(100)]
    ends = Counter(world.run.status for world in worlds)
    kinds = Counter(
        str(record.record.kind) for world in worlds for record in world.store.timeline(world.spec.name, limit=999)
    )
    assert ends[RunStatus.FAILED] > 0
    assert ends[RunStatus.COMPLETED] > 40
    for kind in ("TRIGGER_REFUSED", "TRIGGER_IN_DOUBT", "RETRY_SCHEDULED", "CALLBACK_RECEIVED"):
        assert kinds[kind] > 0, kinds


def _play_all() -> None:
    for seed in range(SEEDS):
        played(seed)


def test_an_actuator_that_ignores_an_expired_permit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-26."""
    real = triggering.start_job

    def careless(key: RunKey, command: StartJob, hands: Hands) -> Event | Silence:
        later = replace(command.permit, valid_until=command.permit.valid_until + timedelta(days=1))
        return real(key, replace(command, permit=later), hands)

    monkeypatch.setattr(perform, "start_job", careless)
    monkeypatch.setattr(
        triggering,
        "_still_wished",
        lambda run, command: run.status is RunStatus.TRIGGERING and run.attempt == command.permit.attempt,
    )
    with pytest.raises(AssertionError, match=r"world \d+: \w+: G1"):
        _play_all()


def test_an_actuator_that_ignores_the_claims_of_others_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAT-46, BUG-108."""
    monkeypatch.setattr(Repository, "claim", lambda *_: None)
    monkeypatch.setattr(Repository, "put_claim", lambda *_: True)
    with pytest.raises(AssertionError, match=r"world \d+: \w+: G2"):
        _play_all()


def test_an_actuator_that_does_not_look_before_it_starts_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-01."""
    monkeypatch.setattr(triggering, "_looked_for", lambda *_: None)
    with pytest.raises(AssertionError, match=r"world \d+: \w+: G\d"):
        _play_all()


def test_an_actuator_that_sleeps_past_its_claim_and_calls_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-02."""
    monkeypatch.setattr(triggering, "CALL_GRACE", timedelta(days=1))
    real = Claim

    def short(**fields: object) -> Claim:
        claim = real(**fields)  # type: ignore[arg-type]  # passed on as they came
        return replace(claim, until=claim.at + timedelta(seconds=1))

    monkeypatch.setattr(triggering, "Claim", short)
    with pytest.raises(AssertionError, match=r"world \d+: \w+: G\d"):
        _play_all()
