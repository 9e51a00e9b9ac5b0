"""The AWS mode in simulated fleets: every law of the fleet, and the same world as under a watcher."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.aws.patience import LONGEST
from interlock.testing.fleet.cloud import Cloud, CloudFleet
from interlock.testing.fleet.parity import difference, outcome
from interlock.testing.fleet.world import Fleet, played

SEEDS = 40
PAIRS = 30


@pytest.mark.parametrize("part", range(4))
def test_every_law_of_a_fleet_holds_on_aws_whatever_goes_wrong(part: int) -> None:
    """AWS-06, AWS-11, AWS-12, AWS-24, AWS-26, AWS-36, AWS-42: functions die, answers are lost, records come twice, out of order
    or never, executions are stopped by people, the scheduler stays away, and clocks err. Whoever sleeps can be woken all the while."""
    fleets = [played(seed, CloudFleet) for seed in range(part * SEEDS // 4, (part + 1) * SEEDS // 4)]
    clouds: list[Cloud] = [fleet.cloud for fleet in fleets]  # type: ignore[attr-defined]
    # The worlds are rough enough to mean something.
    assert sum(len(fleet.laws.starts) for fleet in fleets) > 15
    assert sum(len(cloud.machine.executions) for cloud in clouds) > 60
    assert sum(cloud.lost for cloud in clouds) > 10
    assert sum(cloud.stopped for cloud in clouds) > 1


def test_every_law_holds_with_executions_that_are_as_lazy_as_on_aws() -> None:
    for seed in range(1000, 1012):
        played(seed, lambda number: CloudFleet(number, longest=LONGEST))


def test_a_history_that_is_soon_full_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS-30: executions hand over to fresh ones, again and again."""
    monkeypatch.setattr("interlock.aws.onward.RENEWED", 60)
    heirs = 0
    for seed in range(2000, 2010):
        fleet = played(seed, CloudFleet)
        names = fleet.cloud.machine.executions  # type: ignore[attr-defined]
        heirs += sum("-r" in name for name in names)
    assert heirs > 10


@pytest.mark.parametrize("part", range(3))
def test_the_same_world_gives_the_same_runs_starts_and_alerts_under_a_watcher_and_on_aws(part: int) -> None:
    """AWS-05, AWS-09, AWS-39: one core decides, whoever asks it."""
    for seed in range(part * PAIRS // 3, (part + 1) * PAIRS // 3):
        assert difference(seed) is None, f"world {seed}"


def test_a_difference_between_the_two_would_be_seen() -> None:
    seed = 7
    local = outcome(Fleet(seed, chaos=0.0, watchers=1), seed)
    shorter = outcome(CloudFleet(seed, chaos=0.0), seed, lasts=timedelta(hours=3))
    assert shorter != local
