"""The same seeded world under a watcher and under the generated state machine: what happens must be the same.

Nothing goes wrong with the shells here; data is late, evaluators and jobs fail, as their names and the seed say. Both worlds
look at their clocks at the same instants, so that "the same" needs no tolerance.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from interlock.core.dispatching import AlertRecord
from interlock.core.runs import Run
from interlock.testing.builders import SECOND
from interlock.testing.fleet.cloud import CloudFleet
from interlock.testing.fleet.world import Fleet

GRIDS: Final = (13 * SECOND, 11 * SECOND, 17 * SECOND)
"""How far apart the instants are at which a world is looked at; half a second off, so that no deadline falls on one."""

LASTS: Final = timedelta(hours=10)
_ORIGIN: Final = datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


class Outcome(NamedTuple):
    """What became of a world: each run, each start, and each thing that people were told."""

    runs: dict[str, Any]
    starts: list[str]
    alerts: list[str]


def outcome(fleet: Fleet, seed: int, grid: timedelta = GRIDS[0], lasts: timedelta = LASTS) -> Outcome:
    """Play a world for so long and return what became of it."""
    stage = fleet.stage
    stage.fortune = (1.0, seed)
    ends = stage.begins + lasts
    while stage.now < ends:
        stage.clock.set(_on_grid(max(stage.now, fleet.next_instant()), grid))
        fleet.jobs_go_on()
        for watcher in fleet.watchers:
            watcher.act(watcher.work)
        if stage.now >= fleet.scan_at:
            fleet.scan()
    fleet.laws.check()
    return Outcome(
        {key.run_id: _of_run(run) for key, run in fleet.laws.runs.items()},
        sorted(key for _, key in fleet.laws.starts),
        sorted(each.alert.alert_id for each in fleet.laws.dispatches.alerts(limit=100_000) if _stood(each)),
    )


def _stood(alert: AlertRecord) -> bool:
    """Say whether an alert was more than the order of two things that happened in one moment."""
    return alert.open or alert.resolved_at is None or alert.resolved_at - alert.alert.at > SECOND


def both(seed: int, grid: timedelta = GRIDS[0]) -> tuple[Outcome, Outcome]:
    """Play a seed's world twice: under a watcher, and on AWS."""
    local, cloud = Fleet(seed, chaos=0.0, watchers=1), CloudFleet(seed, chaos=0.0)
    return outcome(local, seed, grid), outcome(cloud, seed, grid)


def difference(seed: int) -> tuple[Outcome, Outcome] | None:
    """Return how the two differ; None when they do not.

    On a grid, things fall on one instant that would not otherwise, such as the end of an upstream and the opening of what
    waits for it, and who comes first is nobody's law. A difference that hangs by that is not there on every grid.
    """
    found = None
    for grid in GRIDS:
        found = both(seed, grid)
        if found[0] == found[1]:
            return None
    return found


def _of_run(run: Run) -> Any:
    attempts = tuple((each.number, each.outcome, each.category, each.job_id) for each in run.attempts)
    slas = tuple(sla and sla.state for sla in (run.evaluation_sla, run.completion_sla))
    return run.status, run.cause, run.attempt, attempts, slas, run.monitor and run.monitor.state, run.open_alerts


def _on_grid(at: datetime, grid: timedelta) -> datetime:
    """Return the first instant of the grid after another."""
    return at + grid - (at - _ORIGIN) % grid
