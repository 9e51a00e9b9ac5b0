"""What one run costs on AWS: state transitions, invocations, history, rows written, dollars: `python -m bench.aws_runs`.

The generated state machine runs the real bodies of the functions in the simulated fleet, one pipeline of three traits for
one day, with the waits as lazy as they are by default; what is counted does not hang by the machine it is counted on. The
baseline is the reference implementation's arithmetic for the same paths (three traits): a synchronous run 26 transitions, a
job of an hour polled every 30 seconds 625, two hours of watching every minute 1,200, eight hours of not being ready 5,300.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from interlock.aws.patience import LONGEST
from interlock.core.pipelines import MissedPolicy, ScheduleSpec, TriggerSpec, WatchSpec
from interlock.ports.triggers import Job, JobHandle, JobReport
from interlock.stores.dynamodb.items import item_of
from interlock.stores.kernel import Change, Put
from interlock.stores.rows import row_of
from interlock.testing.builders import MINUTE, SECOND, a_trait
from interlock.testing.fleet.cloud import CloudFleet
from interlock.testing.fleet.outside import FleetTrigger
from interlock.testing.fleet.plans import Plan
from interlock.testing.fleet.stories import a_plan

BEGINS: Final = datetime(2026, 6, 17, 0, 30, tzinfo=UTC)
HOUR: Final = 60 * MINUTE
TRAITS: Final = tuple(a_trait(f"trait-{letter}", ttl=5 * MINUTE) for letter in "abc")
BASELINE: Final = {"quick": 26, "hour": 625, "watched": 1200, "waiting": 5300}
LIMITS: Final = {
    "quick_transitions": 12,
    "hour_of_baseline": 1 / 3,
    "watched_of_baseline": 1 / 3,
    "waiting_of_baseline": 1 / 3,
}

# Dollars for each, on demand, in us-east-1: Step Functions' and DynamoDB's by stored copies of public pages, Lambda's as
# remembered. Look them up before you rely on them.
TRANSITION: Final = 0.025 / 1000
REQUEST: Final = 0.20 / 1e6
GB_SECOND: Final = 0.0000133334  # arm64
WRITE: Final = 0.625 / 1e6
READ: Final = 0.125 / 1e6
GIGABYTES: Final = 0.5
SECONDS: Final = 0.15  # taken for a warm call that reads and commits a few rows; not measured on AWS


class Counted(NamedTuple):
    """What a path took: of Step Functions, of Lambda by function, of DynamoDB."""

    transitions: int
    events: int
    hours: float
    invocations: dict[str, int]
    writes: int
    units: int

    @property
    def calls(self) -> int:
        """Every invocation, the stream's included."""
        return sum(self.invocations.values())

    @property
    def dollars(self) -> float:
        """What a run costs by the list: transitions, calls, writes, and a read for each write."""
        lambdas = self.calls * (REQUEST + GB_SECOND * GIGABYTES * SECONDS)
        return self.transitions * TRANSITION + lambdas + self.units * WRITE + 4 * self.calls * READ


def path(plan: Plan, *, late: timedelta = timedelta(), lasts: int) -> Counted:
    """Play one slot of one pipeline: its data is so late, its job lasts so many minutes."""
    fleet = CloudFleet(1, plans=(plan,), begins=BEGINS, chaos=0.0, watchers=1, longest=LONGEST)
    fleet.data.delays[plan.spec.name] = late
    trigger = fleet.triggers[plan.spec.name]
    trigger.usual = (lasts, lasts)
    if not lasts:
        _done_at_once(fleet, trigger)
    fleet.scan_at = BEGINS + 100 * HOUR
    fleet.cloud.act(fleet.cloud.work)  # the schedules are planned
    written = Written(fleet)
    while not any(each.ended for each in fleet.cloud.machine.executions.values()):
        fleet.calm_step(SECOND)
    (execution,) = [each for each in fleet.cloud.machine.executions.values() if each.ended]
    assert not execution.error, (execution.error, execution.cause)
    history = execution.history
    invocations = {
        name.removeprefix("${").removesuffix("_arn}"): count
        for name, count in history.invocations.items()
        if name.startswith("${")
    }
    invocations |= {"stream_router": written.runs, "alert_delivery": written.dispatches}
    (run,) = fleet.laws.runs.values()
    assert run.ended_at is not None
    lasted = (run.ended_at - run.opened_at) / HOUR
    return Counted(history.transitions, history.length, lasted, invocations, written.rows, written.units)


def _done_at_once(fleet: CloudFleet, trigger: FleetTrigger) -> None:
    """Let jobs be done by the time that anybody looks."""
    poll = trigger.poll

    def polled(job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        trigger.end(job.key)
        return poll(job, handle, timeout=timeout)

    trigger.poll = polled  # type: ignore[method-assign]


class Written:
    """Counts what is written of a run: rows, units (a kilobyte each, twice in a transaction), and what the stream tells."""

    def __init__(self, fleet: CloudFleet) -> None:
        self.rows = self.units = self.runs = self.dispatches = 0
        self._commit = fleet.stage.kernel.commit
        fleet.stage.kernel.commit = self.commit  # type: ignore[method-assign]

    def commit(self, pk: str, batch: Sequence[Change]) -> bool:
        """Count a commit that is made."""
        done = self._commit(pk, batch)
        if done and not pk.startswith(("members/", "pipeline/", "parked/")):
            for change in batch:
                self._count(change, twice=len(batch) > 1)
        elif done and pk.startswith("parked/"):
            self.rows += 1
            self.units += 2 + 6  # the token's row, and the condition on the run's, both in a transaction
        return done

    def _count(self, change: Change, *, twice: bool) -> None:
        size = 1
        if isinstance(change, Put):
            item = item_of(row_of(change.record), 4)
            size = -(-sum(len(str(value)) for value in item.values()) // 1024)
            self.runs += change.record.sk.startswith("RUN#")
            self.dispatches += change.record.pk.startswith("dispatch/")
            size += sum(1 for key in item if key.startswith("GSI") and key.endswith("PK"))
        self.rows += 1
        self.units += size * (2 if twice else 1)


def _plan(**rest: Any) -> Plan:
    daily = ScheduleSpec(after=time(1, 0), missed=MissedPolicy.SKIP)
    trigger = TriggerSpec(type="fake", poll_interval=30 * SECOND)
    fields = {"trigger": trigger, "watch": WatchSpec(interval=30 * SECOND), **rest}
    return a_plan("sales", daily, traits=TRAITS, **fields)


PATHS: Final = {
    "quick": "ready at once, the job answers at once",
    "hour": "a job of one hour, looked at",
    "reported": "a job of one hour that reports its end, looked at every 30 minutes",
    "watched": "two hours of watching for drift",
    "waiting": "eight hours of not being ready",
}


def counted() -> dict[str, Counted]:
    """Count every path."""
    watched = _plan(watch=WatchSpec(interval=30 * SECOND, monitoring=2 * HOUR))
    slow = TriggerSpec(type="fake", poll_interval=30 * MINUTE)
    return {
        "quick": path(_plan(), lasts=0),
        "hour": path(_plan(), lasts=60),
        "reported": path(_plan(trigger=slow), lasts=60),
        "watched": path(watched, lasts=0),
        "waiting": path(_plan(), late=8 * HOUR, lasts=0),
    }


def main() -> dict[str, float]:
    """Count, print a table as the docs have it, return the figures."""
    found = counted()
    figures: dict[str, float] = {}
    heads = (
        "path",
        "transitions",
        "of the reference",
        "calls of functions",
        "rows written",
        "events an hour",
        "$ a 1,000 runs",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, each in found.items():
        base = BASELINE.get(name)
        share = f"{each.transitions / base:.0%} of {base:,}" if base else ""
        an_hour = f"{each.events / each.hours:.0f}" if each.hours > 0.5 else ""
        cells = (each.transitions, share, each.calls, each.writes, an_hour, f"{1000 * each.dollars:.2f}")
        print(f"| {PATHS[name]} | " + " | ".join(map(str, cells)) + " |")
        figures[f"{name}_transitions"] = each.transitions
        figures[f"{name}_calls"] = each.calls
        figures[f"{name}_writes"] = each.writes
        figures[f"{name}_dollars_per_1000"] = 1000 * each.dollars
        if base:
            figures[f"{name}_of_baseline"] = each.transitions / base
    return figures


if __name__ == "__main__":
    main()
