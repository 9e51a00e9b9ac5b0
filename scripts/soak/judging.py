"""The laws, held against what the store says when everything is over: each is named after the guarantee that it is about."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from scripts.soak.crowd import Crowd
from scripts.soak.project import Stub
from scripts.soak.stores import looked_at

from interlock.app.arrivals import limits_of
from interlock.codec.documents import mapping
from interlock.core.constraints import violations
from interlock.core.events import EvaluationAsked
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.ids import PipelineName
from interlock.core.lifecycle import Terms, decide, opened
from interlock.core.runs import Cause, Outcome, Run, SlaState
from interlock.ports.sensors import SensorId
from interlock.runtime.clock import SystemClock
from interlock.stores.agendas import AgendaRows
from interlock.stores.dispatches import DispatchRows
from interlock.stores.kernel import Kernel
from interlock.stores.repository import Repository
from interlock.stores.sensors import SensorRows

_PAGE = 1000
_GRACE = timedelta(minutes=3)


class Evidence(NamedTuple):
    """What was counted, and what was broken."""

    figures: dict[str, object]
    broken: list[str]


def judge(root: Path, names: Sequence[str], stub: Stub, crowd: Crowd) -> Evidence:
    """Read the whole store and hold every law."""
    with looked_at(root) as kernel:
        store = Repository(kernel)
        runs = [run for name in names for run in _runs(store, name)]
        expected = [each for name in names for each in _expectations(AgendaRows(kernel), name)]
        broken = [
            *_refolded(store, AgendaRows(kernel), runs),
            *_started_once(root, stub, runs),
            *_reported(stub, runs),
            *_counted(kernel, crowd),
            *_ended(runs),
            *_settled(expected, runs),
            *_told_once(root, DispatchRows(kernel)),
            *crowd.faults,
        ]
        figures: dict[str, object] = {
            "runs": len(runs),
            "run states": dict(Counter(str(run.status) for run in runs)),
            "attempts": sum(run.attempt for run in runs),
            "journal lines": sum(len(store.journal(run.key)) for run in runs),
            "http starts": sum(stub.starts.values()),
            "callbacks taken": len(stub.accepted),
            "command starts": len((root / "starts").read_text().split()),
            "expectations": dict(Counter(str(each.state) for each in expected)),
            "alerts": len(DispatchRows(kernel).alerts(limit=_PAGE)),
            "broken": len(broken),
        }
    return Evidence(figures, broken)


def _runs(store: Repository, name: str) -> Iterator[Run]:
    before = None
    while page := store.runs_of(name, limit=200, before=before):
        yield from page
        before = page[-1].key.run_id


def _expectations(agendas: AgendaRows, name: str) -> Iterator[Expectation]:
    before = None
    while page := agendas.expectations(limit=200, pipeline=name, before=before):
        yield from page
        before = str(page[-1].slot)


def _refolded(store: Repository, agendas: AgendaRows, runs: Sequence[Run]) -> Iterator[str]:
    """G1, G2, G3: every journal folds to its run, and no step of it breaks a safety constraint."""
    for run in runs:
        spec = store.spec(run.spec_digest)
        begin, *rest = store.journal(run.key)
        expectation = agendas.expectation(run.key.slot)
        by_calendar = run.key.number == 1 and run.cause is not Cause.MANUAL
        terms = Terms(
            cause=run.cause,
            note=run.note,
            details=run.details,
            override=run.override,
            limits=limits_of(run.key.slot, spec, begin.at),
            since=expectation.since if expectation is not None and by_calendar else None,
        )
        decision = opened(run.key, spec, run.spec_digest, begin.at, terms)
        for entry in rest:
            assert entry.fact is not None
            before = decision.run
            if isinstance(entry.fact, EvaluationAsked) and entry.fact.spec_digest:
                spec = store.spec(entry.fact.spec_digest)
            decision = decide(before, entry.fact, spec)
            for constraint in violations(before, entry.fact, decision, spec):
                yield f"G1: {run.key} at {entry.version}: {constraint}"
        if decision.run != run:
            yield f"G3: the journal of {run.key} does not fold to it: {_difference(decision.run, run)}"


def _difference(one: Run, other: Run) -> str:
    fields = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    return ", ".join(f"{name}: {getattr(one, name)!r} / {getattr(other, name)!r}" for name in fields)


def _started_once(root: Path, stub: Stub, runs: Sequence[Run]) -> Iterator[str]:
    """G2: no attempt began twice, and none that nobody knows of."""
    known = {f"{run.key.run_id}/{number}" for run in runs for number in range(1, run.attempt + 1)}
    for where, starts in (("stub", stub.starts), ("commands", Counter((root / "starts").read_text().split()))):
        for attempt, times in starts.items():
            if times > 1:
                yield f"G2: {attempt} was started {times} times ({where})"
            if attempt not in known:
                yield f"G2: {attempt} was started, and no run knows of it ({where})"


def _reported(stub: Stub, runs: Sequence[Run]) -> Iterator[str]:
    """G3: a report that was acknowledged is in the run."""
    by_id = {str(run.key.run_id): run for run in runs}
    for name, status in stub.accepted.items():
        run_id, _, number = name.rpartition("/")
        attempts = [each for each in by_id[run_id].attempts if each.number == int(number)]
        wanted = Outcome.SUCCEEDED if status == "success" else Outcome.FAILED
        if not attempts or attempts[0].outcome is not wanted:
            yield f"G3: {name} was acknowledged as {status}, and the run says {attempts}"


def _counted(kernel: Kernel, crowd: Crowd) -> Iterator[str]:
    """G3: every increment that was acknowledged counts, and none twice."""
    for name, times in crowd.counted.items():
        sensor = SensorRows(kernel).sensor(SensorId(PipelineName(name), "rows"))
        found = None if sensor is None else mapping(sensor.data).get("count")
        if found != times:
            yield f"G3: {times} increments of {name} were acknowledged, and the sensor says {found}"


def _ended(runs: Sequence[Run]) -> Iterator[str]:
    """G5: what was let through has ended, with a verdict on every deadline that is over."""
    now = SystemClock().now()
    for run in runs:
        if run.attempt and run.opened_at < now - _GRACE and not run.ended and not run.succeeded_at:
            yield f"G5: {run.key} does not end: {run.status}, {run.doubt or run.blocked}"
        for sla in (run.evaluation_sla, run.completion_sla):
            if run.ended and sla is not None and sla.state is SlaState.ARMED:
                yield f"G5: {run.key} has ended without a verdict about {sla.due_at}"
        due = run.completion_sla
        if due is not None and due.state is SlaState.MET and (run.succeeded_at or run.updated_at) > due.due_at:
            yield f"G5: {run.key} met {due.due_at}, and succeeded at {run.succeeded_at}"


def _settled(expected: Sequence[Expectation], runs: Sequence[Run]) -> Iterator[str]:
    """G4: whatever should have happened is known to have, or known not to have."""
    now = SystemClock().now()
    slots = {run.key.slot for run in runs}
    for each in expected:
        over = each.opens_at < now - _GRACE
        if over and each.state is ExpectationState.EXPECTED and each.slot not in slots:
            yield f"G4: {each.slot} was expected, has no run, and nobody noticed"


def _told_once(root: Path, dispatches: DispatchRows) -> Iterator[str]:
    """G6: one fact, one notice; a repetition is told only when its delivery was cut short by a kill."""
    lines = (root / "alerts.jsonl").read_text().splitlines() if (root / "alerts.jsonl").exists() else []
    told = [json.loads(line) for line in lines]
    opened_twice = Counter(str(each["alertId"]) for each in told if each.get("notice", "opened") == "opened")
    kept = {record.alert.alert_id for record in dispatches.alerts(limit=_PAGE)}
    for alert, times in opened_twice.items():
        if times > 2:
            yield f"G6: {alert} was told {times} times"
        if alert not in kept and len(kept) < _PAGE:
            yield f"G3: {alert} was told, and the store does not know of it"
