"""The laws of a simulated fleet, each under the name of the guarantee it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from interlock.core.commands import Command, RaiseAlert
from interlock.core.constraints import violations
from interlock.core.decision import Decision
from interlock.core.deliveries import DeliveryState
from interlock.core.events import EvaluationAsked, Held
from interlock.core.expectations import Expectation, ExpectationState
from interlock.core.ids import PipelineName, RunKey, parse_run_id
from interlock.core.lifecycle import decide
from interlock.core.pipelines import Mode, PipelineSpec
from interlock.core.runs import TRANSITIONS, Cause, Outcome, Run, RunStatus, Sla, SlaState
from interlock.core.schedules import exclusion, window_of
from interlock.ports.stores import Commit
from interlock.ports.triggers import Job, JobState
from interlock.stores.agendas import AgendaRows
from interlock.stores.controls import ControlRows
from interlock.stores.dispatches import DispatchRows
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, SECOND
from interlock.testing.fleet.outside import FleetEvaluator, FleetSink, FleetTrigger
from interlock.testing.fleet.plans import DAY, HOUR, SKEW
from interlock.testing.fleet.stage import Broken, Stage

_TOLD_FOR: Final = 25 * SECOND
"""A telling that took longer may be repeated by somebody who takes its lease to be over."""

_BY_ITSELF: Final = (Cause.SCHEDULE, Cause.MARKER, Cause.WATCHDOG, Cause.DRIFT, Cause.LATE_DATA)
_REVOCABLE: Final = (ExpectationState.EXPECTED, ExpectationState.WAIVED, ExpectationState.EXCLUDED)


class Laws:
    """What must hold, looked at from outside: by the true time, by the target systems, and by the rows of the store."""

    def __init__(
        self,
        stage: Stage,
        store: Repository,
        evaluator: FleetEvaluator,
        triggers: Mapping[PipelineName, FleetTrigger],
        sinks: tuple[FleetSink, ...],
    ) -> None:
        self._stage = stage
        self._store = store
        self._evaluator = evaluator
        self._triggers = triggers
        self._sinks = sinks
        self.agendas = AgendaRows(stage.kernel)
        self.dispatches = DispatchRows(stage.kernel)
        self.controls = ControlRows(stage.kernel)
        self.runs: dict[RunKey, Run] = {}
        self.expectations: dict[str, Expectation] = {}
        self.paused: dict[PipelineName, int] = {}
        self.starts: list[tuple[datetime, str]] = []
        self.openings: dict[RunKey, list[Decision]] = {}
        self.through: dict[RunKey, datetime] = {}
        self.held: dict[RunKey, datetime] = {}

    def committed(self, change: Commit) -> None:
        """Judge a commit of a run before it is made, and keep how runs were opened."""
        if change.entry is None:
            return
        decision = Decision(run=change.after, commands=change.commands)
        broken = violations(change.before, change.entry.fact, decision, self._store.spec(change.after.spec_digest))
        if broken:
            listed = "; ".join(map(str, broken))
            raise Broken(f"SC: {change.after.key} after {change.entry.fact}: {listed}")
        if change.before is None and self._store.run(change.after.key) is None:
            self.openings.setdefault(change.after.key, []).append(decision)

    # ------------------------------------------------------------------ at the instant of a start

    def starting(self, job: Job) -> None:
        """G1 and G2, at the instant at which a target system is asked to start a job."""
        run = self._store.run(job.run)
        assert run is not None
        spec = self._store.spec(run.spec_digest)
        permit = run.permit
        if permit is None or permit.attempt != job.attempt or run.status is not RunStatus.TRIGGERING:
            # The call of a hand that was slow. Where clocks keep within what is allowed for, it finds its own job at most.
            if not self._slack() and not self._triggers[spec.name].jobs.get(job.key):
                raise Broken(f"G1: {job.key} is started without a permit: {run.status}, attempt {run.attempt}")
            return
        if spec.mode is Mode.SHADOW:
            raise Broken(f"G1: {job.key} is started in shadow")
        self._fresh(job, run, spec)
        self._allowed(job, run, spec)
        self._alone(job)
        self.starts.append((self._stage.now, job.key))

    def _slack(self) -> timedelta:
        # Clocks that err by more than the pipelines allow for void the promise by so much, and by no more.
        return max(timedelta(), self._stage.worst - SKEW)

    def _fresh(self, job: Job, run: Run, spec: PipelineSpec) -> None:
        now, permit = self._stage.now, run.permit
        assert permit is not None
        for trait in spec.traits:
            if not trait.required or trait.name in permit.overridden:
                continue
            asked = self._evaluator.passes.get((run.key.run_id, trait.name))
            lives = trait.ttl or HOUR
            if asked is None or now >= asked + lives + self._slack():
                raise Broken(f"G1: {job.key} is started at {now}, and {trait.name} passed at {asked}, ttl {trait.ttl}")

    def _allowed(self, job: Job, run: Run, spec: PipelineSpec) -> None:
        now, slot = self._stage.now, run.key.slot
        if run.override is not None:
            return
        if run.hard and run.closes_at is not None and now >= run.closes_at + SKEW + self._slack():
            raise Broken(f"G1: {job.key} is started at {now}, after its hard close {run.closes_at}")
        if run.cause in _BY_ITSELF and exclusion(spec.exclusions, slot.period):
            raise Broken(f"G1: {job.key} is started on an excluded day")
        pause = self.controls.pause(slot.pipeline)
        since = self.paused.get(slot.pipeline)
        if pause is None or since is None:
            return
        slack = max(self._stage.worst, SKEW)
        in_force = pause.at + slack <= now < pause.until - slack
        claim = self._store.claim(run.key, job.attempt)
        # What was claimed before the pause may have been started before it: that is never refused.
        if (
            in_force
            and since < self._stage.acts
            and claim is not None
            and claim.turn == 1
            and claim.at > pause.at + slack + MINUTE
        ):
            raise Broken(f"G1: {job.key} is started at {now}, while paused from {pause.at} until {pause.until}")

    def _alone(self, job: Job) -> None:
        trigger = self._triggers[job.run.slot.pipeline]
        if trigger.jobs.get(job.key) and not trigger.repeatable:
            raise Broken(f"G2: {job.key} is started again")
        for key in trigger.live(job.run.slot):
            if key != job.key and not self._slack() and not self._given_up_by_people(key):
                raise Broken(f"G2: {job.key} is started beside {key}, which is running")

    def _given_up_by_people(self, key: str) -> bool:
        run_id, _, attempt = key.rpartition("/")
        run = self._store.run(parse_run_id(run_id))
        found = [each for each in run.attempts if each.number == int(attempt)] if run else []
        return any(each.outcome is Outcome.CANCELLED for each in found)

    def told(self, act: int) -> None:
        """Note which tellings of an act were cut short, or took longer than their lease: those may be repeated."""
        for sink in self._sinks:
            for at, notice in sink.under_way.pop(act, []):
                slow = self._stage.now - at > _TOLD_FOR - self._stage.worst
                if slow or act in self._stage.struck:
                    sink.excused[notice.notice_id] += 1
                times, excused = sink.times[notice.notice_id], sink.excused[notice.notice_id]
                if times > 1 + excused and not self._stage.chaos:
                    raise Broken(f"G6: {sink.name} was told {notice.notice_id} {times} times, {excused} excused")

    # ------------------------------------------------------------------ after every step

    def check(self) -> None:
        """Check whatever has changed since this was last called."""
        for pk, sk in self._stage.kernel.changed():
            if not pk.startswith("slot/"):
                continue
            if sk.startswith("RUN#"):
                self._check_run(parse_run_id(f"{pk.removeprefix('slot/')}:{int(sk.removeprefix('RUN#'))}"))
            elif sk.startswith("EXPECTED"):
                self._check_expectation(pk)
        for trigger in self._triggers.values():
            doubled = [key for key, states in trigger.jobs.items() if len(states) > 1]
            assert not doubled, f"G2: started twice: {doubled}"

    def _check_run(self, key: RunKey) -> None:
        run, before = self._store.run(key), self.runs.get(key)
        assert run is not None, f"G3: {key} is gone"
        self.runs[key] = run
        if before is None:
            self._check_opening(run)
        elif before.ended:
            assert run == before, f"G5: {key} moved after its end"
        else:
            assert run.version >= before.version, f"G3: {key} went back"
            assert run.status in _reachable(before.status), f"G5: {key} went from {before.status} to {run.status}"
        if run.status is RunStatus.TRIGGERING and run.doubt:
            tried = self._store.claim(key, run.attempt)
            assert tried is not None, f"G6: {key} is said to be in doubt, and nobody ever tried to start it"
        for sla in (run.evaluation_sla, run.completion_sla):
            assert sla is None or sla.state is not SlaState.ARMED or not run.ended, f"G5: {key} has no verdict"

    def _check_opening(self, run: Run) -> None:
        slot = run.key.slot
        spec = self._store.spec(run.spec_digest)
        if run.cause is Cause.SCHEDULE:
            assert self.agendas.expectation(slot) is not None, f"G3: {slot} is opened and nothing was expected of it"
            schedule = spec.schedule(slot.schedule)
            window = None if schedule is None else window_of(spec.name, schedule, slot.period)
            assert window is not None, f"G1: {slot} is opened and has no window"
            early = window.opens_at - self._stage.worst - SKEW
            assert self._stage.now >= early, f"G1: {slot} is opened at {self._stage.now}, before {window.opens_at}"
        if run.cause in _BY_ITSELF:
            assert not exclusion(spec.exclusions, slot.period), f"G1: {slot} is opened on an excluded day"
        if run.key.number > 1:
            previous = self._store.run(RunKey(slot, run.key.number - 1))
            assert previous is not None, f"G2: {run.key} has no predecessor"
            assert previous.ended, f"G2: {run.key} was opened before its predecessor ended"

    def _check_expectation(self, pk: str) -> None:
        slot = parse_run_id(f"{pk.removeprefix('slot/')}:1").slot
        now, before = self.agendas.expectation(slot), self.expectations.get(str(slot))
        if now is None:
            return
        self.expectations[str(slot)] = now
        if before is not None and before.state is not now.state:
            # Called skipped by a slow watcher, and opened by another one: then it is expected after all.
            opened = before.state is ExpectationState.SKIPPED and self._store.latest_run(slot) is not None
            told = f"G5: the expectation of {slot} went from {before.state} to {now.state}"
            assert opened or before.state in _REVOCABLE, told

    # ------------------------------------------------------------------ when all is over

    def judge(self, cutoff: datetime) -> None:
        """Check everything that began before an instant, after it has had the time to end."""
        wishes = [wish for key in sorted(self.runs) for wish in self._refolded(key)]
        self._check_told(wishes)
        for key, run in sorted(self.runs.items()):
            if run.opened_at <= cutoff:
                self._check_end(run)
                left = self._store.outstanding(key)
                assert not left, f"G3: {key} still wishes {left}"
        for expectation in self.expectations.values():
            waits = expectation.check_at is not None and expectation.check_at > self._stage.now - HOUR
            if expectation.opens_at <= cutoff and not waits:
                self._check_settled(expectation)
        self._check_deliveries()

    def _refolded(self, key: RunKey) -> list[Command]:
        """Fold a run's journal again: it must give the run, and every wish it ever had."""
        _, *rest = self._store.journal(key)
        stored = self.runs[key]
        # Of several who were about to open it, one did.
        decision = next(
            each
            for each in self.openings[key]
            if (each.run.opened_at, each.run.cause) == (stored.opened_at, stored.cause)
        )
        spec = self._store.spec(decision.run.spec_digest)
        wishes = list(decision.commands)
        self.through.pop(key, None)
        for entry in rest:
            assert entry.fact is not None
            if isinstance(entry.fact, Held):
                self.held[key] = max(entry.fact.until, self.held.get(key, entry.fact.until))
            asked = entry.fact.spec_digest if isinstance(entry.fact, EvaluationAsked) else ""
            spec = self._store.spec(asked) if asked else spec
            decision = decide(decision.run, entry.fact, spec)
            wishes += decision.commands
            if decision.run.attempt or decision.run.succeeded_at is not None:
                self.through.setdefault(key, decision.run.updated_at)
            assert decision.run.version == entry.version, f"G3: the journal of {key} does not fold at {entry.version}"
        assert decision.run == stored, f"G3: the journal does not give {key}"
        return wishes if spec.mode is Mode.LIVE else []

    def _check_told(self, wishes: list[Command]) -> None:
        for wish in wishes:
            if isinstance(wish, RaiseAlert):
                kept = self.dispatches.alert(wish.alert.alert_id)
                assert kept is not None, f"G3: {wish.alert.alert_id} was raised and is lost"

    def _check_end(self, run: Run) -> None:
        assert run.ended, f"G5: {run.key} does not end: {run.status}, {run.blocked or run.doubt}"
        spec = self._store.spec(run.spec_digest)
        held = self.held.get(run.key)
        _check_verdict(run, run.evaluation_sla, self.through.get(run.key), held)
        _check_verdict(run, run.completion_sla, run.succeeded_at, held)
        if spec.trigger is None or spec.mode is Mode.SHADOW:
            return
        jobs = [key for key in self._triggers[spec.name].jobs if key.startswith(f"{run.key.run_id}/")]
        ends = [self._triggers[spec.name].jobs[key][-1] for key in jobs]
        if self._slack():
            return  # a hand whose clock erred by more than is allowed for may have given up a start under way
        did = JobState.SUCCEEDED in ends and not self._found_wanting(run)
        assert (run.status is RunStatus.COMPLETED) == did or self._cancelled_late(run), (
            f"G5: {run.key} is {run.status}, but its jobs are {ends}"
        )
        if run.status is RunStatus.COMPLETED:
            self._check_verified(run, spec)

    def _found_wanting(self, run: Run) -> bool:
        # The job did well by its own account, and the last thing heard of it is that its work is not there.
        last = run.attempts[-1] if run.attempts else None
        return last is not None and last.outcome is Outcome.FAILED and "its verification says no" in last.reason

    def _check_verified(self, run: Run, spec: PipelineSpec) -> None:
        for check in spec.verify:
            passed = self._evaluator.passes.get((run.key.run_id, check.name))
            done = run.succeeded_at
            assert passed is not None, f"G5: {run.key} is COMPLETED, and {check.name} never passed"
            assert done is not None, f"G5: {run.key} is COMPLETED, and nobody knows when"

    def _cancelled_late(self, run: Run) -> bool:
        # A person's cancelling crossed the news of the job's end.
        return run.status is RunStatus.CANCELLED and any(each.outcome is Outcome.CANCELLED for each in run.attempts)

    def _check_settled(self, expectation: Expectation) -> None:
        slot, state = expectation.slot, expectation.state
        runs = [run for key, run in sorted(self.runs.items()) if key.slot == slot]
        allowed = _oracle(expectation, runs)
        assert state in allowed, (
            f"G5: the expectation of {slot} is {state} ({expectation.reason}), and should be one of {allowed}: "
            f"{[(str(run.key), str(run.status)) for run in runs]}"
        )

    def _check_deliveries(self) -> None:
        for record in self.dispatches.alerts(limit=10_000):
            for delivery in record.deliveries:
                sink = next(each for each in self._sinks if each.name == delivery.target.name)
                where = f"{record.alert.alert_id}#{delivery.number} to {sink.name}"
                late = delivery.next_at is not None and delivery.next_at < self._stage.now - HOUR
                assert not late, f"G3: {where} is {delivery.state} since {delivery.next_at}: {record}"
                held = record.held_until is not None and record.held_until > self._stage.now - HOUR
                assert held or delivery.state is not DeliveryState.TRYING, f"G3: {where} was begun and never ended"
                patient = self._stage.now - self._stage.begins > DAY
                assert patient or delivery.state is not DeliveryState.GIVEN_UP, f"G3: {where} was given up"
                if delivery.state is DeliveryState.DONE:
                    assert sink.times[f"{record.alert.alert_id}#{delivery.number}"], f"G3: {where} never arrived"
        for sink in self._sinks:
            for notice_id, times in sink.times.items():
                excused = sink.excused[notice_id]
                assert times <= 1 + excused, f"G6: {sink.name} was told {notice_id} {times} times, {excused} excused"


def _reachable(status: RunStatus) -> set[RunStatus]:
    found, fresh = {status}, [status]
    while fresh:
        after = [each for each in TRANSITIONS[fresh.pop()] if each not in found]
        found.update(after)
        fresh += after
    return found


def _check_verdict(run: Run, sla: Sla | None, done: datetime | None, held: datetime | None) -> None:
    if sla is None:
        return
    match sla.state:
        case SlaState.MET:
            assert done is not None, f"G5: {run.key} met a deadline by nothing"
            assert done <= sla.due_at, f"G5: {run.key} met {sla.due_at} at {done}"
        case SlaState.BREACHED:
            assert done is None or done > sla.due_at, f"G5: {run.key} breached {sla.due_at} although done at {done}"
        case _:
            excused = (
                (held is not None and sla.due_at < held)
                or run.status is RunStatus.CANCELLED
                or sla.due_at <= run.opened_at
            )
            assert sla.state is SlaState.WAIVED, f"G5: {run.key} has no verdict about {sla.due_at}"
            assert excused, f"G5: {run.key} is excused from {sla.due_at}, and nobody said so"


def _oracle(expectation: Expectation, runs: list[Run]) -> tuple[ExpectationState, ...]:
    """Say, from how its runs ended, what an expectation must have come to."""
    settled = expectation.settled_at
    if (
        settled is not None
        and runs
        and (runs[0].opened_at + 10 * MINUTE >= settled or expectation.state is ExpectationState.EXCLUDED)
        and runs[0].cause is not Cause.SCHEDULE
    ):
        # Somebody ran by hand what had been given up, or what nobody expected.
        return (*_NO_RUN, ExpectationState.MET, ExpectationState.LATE, ExpectationState.FAILED)
    at_once = settled is not None and bool(runs) and abs(runs[0].opened_at - settled) < HOUR
    if expectation.state is ExpectationState.SKIPPED and at_once:
        # Two watchers decided at once, a slow one to open it, and the other that it was too late.
        return (*_NO_RUN, ExpectationState.MET, ExpectationState.LATE, *_FAILED_BEFORE)
    if expectation.reason.startswith("paused until") and expectation.state is ExpectationState.WAIVED:
        return _NO_RUN  # somebody held it over its deadline; what came of it later is its run's
    done = [run.succeeded_at for run in runs if run.succeeded_at is not None]
    if done:
        due = expectation.complete_by
        # A rerun may have made it good after it had been settled by what had failed.
        on_time = due is None or min(done) <= due
        first = ExpectationState.MET if on_time else ExpectationState.LATE
        return (first,) if runs[0].succeeded_at is not None else (first, *_FAILED_BEFORE)
    return _FAILED_BEFORE if runs else _NO_RUN


_FAILED_BEFORE: Final = (ExpectationState.FAILED, ExpectationState.MISSED, ExpectationState.WAIVED)
_NO_RUN: Final = (
    ExpectationState.EXCLUDED,
    ExpectationState.SKIPPED,
    ExpectationState.MISSED,
    ExpectationState.WAIVED,
)
