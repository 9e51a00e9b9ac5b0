"""A small seeded world of people and programs who ask servers over HTTP, whose answers are lost, and who ask again.

There are no threads: wherever a server touches the store, time may pass, somebody else may ask in the middle, the server may
die, or the store may not answer. The same seed plays the same story in every process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from random import Random
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from tests.simulation.served import SPEC, Broken, Died, Server

from interlock.api import controlling, gating, rerunning, running
from interlock.api.contract import Request
from interlock.app.gate_views import GateView
from interlock.app.views import RunView
from interlock.core.ids import parse_run_id
from interlock.core.runs import Run, RunStatus
from interlock.core.schedules import current_window
from interlock.core.traits import TraitStatus
from interlock.errors import InterlockError, StoreUnavailable
from interlock.operations.performing import perform
from interlock.ports.evaluators import Question
from interlock.ports.triggers import Job, JobState
from interlock.stores.kernel import Kernel
from interlock.stores.memory import MemoryKernel
from interlock.stores.repository import Repository
from interlock.testing.builders import MINUTE, NOON, SECOND
from interlock.testing.clock import FakeClock
from interlock.testing.fakes import FakeEvaluator, FakeTrigger, RecordingSink

STARTING: Final = (running.Run, rerunning.Rerun, rerunning.Replay)


class Holder:
    """Somebody with leave: runs its job, tells that it lives, and how it ended. `mute` ones have died."""

    def __init__(self, gate: GateView, began: datetime, *, mute: bool) -> None:
        self.gate = gate
        self.began = began
        self.mute = mute
        self.ended = False


class AskingWorld:
    """One pipeline, some servers of one store, and many who ask."""

    def __init__(self, seed: int, *, chaos: float = 1.0, kernel: Kernel | None = None) -> None:
        self.dice = Random(seed)
        self.chaos = chaos
        self.clock = FakeClock(NOON)
        self.kernel = kernel or MemoryKernel()
        self.store = Repository(self.kernel)
        self.sink = RecordingSink()
        self.evaluator = FakeEvaluator()
        self.evaluator.before = self._asked
        self.trigger = FakeTrigger(repeatable=self.dice.random() < 0.5)
        self.trigger.before_start = self._starting
        self.passes: dict[str, datetime] = {}
        self.bad = self.dice.choice((0.0, 0.1, 0.4)) * chaos
        self.watched = self.dice.random() < 0.5
        self.depth = 0
        self.number = 0
        self.told: dict[str, int] = {}
        self.leaves: dict[str, set[str]] = {}
        self.holders: list[Holder] = []
        self.kept: dict[str, bool] = {}
        self.answers: list[object] = []
        self.servers = [Server(self) for _ in range(self.dice.randint(1, 3))]

    # ------------------------------------------------------------ what may happen anywhere

    def seam(self) -> None:
        """Somewhere inside what a server does: time passes, others act, processes die."""
        dice = self.dice
        if dice.random() < 0.06 * self.chaos:
            self.clock.advance(dice.choice((0.01, 0.5, 2, 11, 40, 95)) * SECOND)
        if self.depth < 2 and dice.random() < 0.03 * self.chaos:
            self._others_act()
        fate = dice.random() / max(self.chaos, 1e-9)
        if fate < 0.003:
            raise Died
        if fate < 0.006:
            raise StoreUnavailable("the store did not answer")

    def _others_act(self) -> None:
        if any(not server.busy for server in self.servers):
            self.depth += 1
            try:
                self.act()
            finally:
                self.depth -= 1

    def paced(self, when: datetime) -> None:
        """Wait on a server: time goes on, and perhaps somebody asks meanwhile."""
        self.clock.set(max(when, self.clock.now() + 0.01 * SECOND))
        if self.depth < 2:
            self._others_act()

    def _asked(self, question: Question) -> None:
        asked, name = self.clock.now(), question.trait.name
        failing = self.dice.random() < self.bad
        self.evaluator.script(name, TraitStatus.FAIL if failing else TraitStatus.PASS)
        if not failing:
            self.passes[name] = asked

    def _require_fresh(self, what: str) -> None:
        now = self.clock.now()
        for trait in SPEC.traits:
            asked = self.passes.get(trait.name)
            if asked is None or now >= asked + trait.ttl:
                raise Broken(f"G1: {what} begins at {now}, and {trait.name} passed at {asked}, ttl {trait.ttl}")

    def _require_alone(self, slot: str, key: str) -> None:
        for other in self._alive():
            run_id = other.rpartition("/")[0]
            if other != key and str(parse_run_id(run_id).slot) == slot and not self._given_up(other):
                raise Broken(f"G2: {key} begins beside {other}")

    def _alive(self) -> list[str]:
        jobs = [key for key, states in self.trigger.jobs.items() if states[-1] is JobState.RUNNING]
        return jobs + [holder.gate.token for holder in self.holders if not holder.ended]

    def _given_up(self, key: str) -> bool:
        """Say whether people have been told or have said that an attempt is over, whatever its job does."""
        run_id, _, attempt = key.rpartition("/")
        run = self.store.run(parse_run_id(run_id))
        return run is not None and any(each.number == int(attempt) for each in run.attempts)

    def _starting(self, job: Job) -> None:
        self._require_fresh(job.key)
        self._require_alone(str(job.run.slot), job.key)
        if self.trigger.jobs.get(job.key) and not self.trigger.repeatable:
            raise Broken(f"G2: {job.key} is started again")

    # ------------------------------------------------------------ asking

    def ask(self, request: Request[Any]) -> Any:
        """Ask some server, which is not in the middle of something else; None when there is none, or no answer."""
        free = [server for server in self.servers if not server.busy]
        if not free:
            return None
        server = self.dice.choice(free)
        with server.at_work():
            try:
                answer: Any = perform(request, server)
            except (Died, StoreUnavailable):
                return None
            except InterlockError as exc:
                self.answers.append(exc)
                return exc
        self._answered(request, answer)
        return None if self.dice.random() < 0.15 * self.chaos else answer

    def asked_for_sure(self, request: Request[Any]) -> Any:
        """Ask, and again while there is no answer, as a client does where that is harmless."""
        answer = self.ask(request)
        for _ in range(3):
            if answer is not None or not request.harmless_twice:
                break
            self.clock.advance(self.dice.choice((0.3, 3, 30)) * SECOND)
            answer = self.ask(request)
        return answer

    def _answered(self, request: Request[Any], answer: Any) -> None:
        self.answers.append(answer)
        if isinstance(request, STARTING):
            run = answer if isinstance(answer, RunView) else answer.run
            if run.attempt < 1:
                raise Broken(f"T-14: {run.run_id} is answered as started, and nothing of it was: {answer}")
            self.told[run.run_id] = self.told.get(run.run_id, 0) + 1

    # ------------------------------------------------------------ who asks

    def act(self) -> None:
        """Let somebody do something."""
        self.number += 1
        does: tuple[Callable[[], object], ...] = (
            self._watch,
            self._watch,
            self._run,
            self._gate,
            self._gate,
            self._again,
            self._cancel,
            self._pause,
            self._ping,
            self._hold_on,
            self._hold_on,
        )
        self.dice.choice(does)()

    def _watch(self) -> None:
        free = [server for server in self.servers if not server.busy]
        if free:
            self.dice.choice(free).watch()

    def _run(self) -> None:
        self.asked_for_sure(running.Run(pipeline_id=SPEC.name))

    def _gate(self) -> None:
        again = self.dice.random() < 0.3
        request = gating.OpenGate(
            pipeline_id=SPEC.name,
            holder=f"etl {self.number}",
            claim=f"claim {self.number}",
            heartbeat=self.dice.random() < 0.7,
            again=again,
            reason="mended" if again else "",
        )
        began = self.clock.now()
        gate = self.asked_for_sure(request)
        if not isinstance(gate, GateView):
            return
        self._given(gate, request)
        if (self.clock.now() - began).total_seconds() >= (gate.valid_seconds or 0):
            self._complete(gate, succeeded=False)
            return
        self._require_fresh(gate.token)
        self._require_alone(str(parse_run_id(gate.run_id).slot), gate.token)
        self.holders.append(Holder(gate, self.clock.now(), mute=self.dice.random() < 0.1 * self.chaos))

    def _given(self, gate: GateView, request: gating.OpenGate) -> None:
        holders = self.leaves.setdefault(gate.token, set())
        holders.add(request.claim)
        if len(holders) > 1:
            raise Broken(f"G2: {gate.token} was given to {sorted(holders)}")

    def _hold_on(self) -> None:
        alive = [holder for holder in self.holders if not holder.ended]
        if not alive:
            return
        holder = self.dice.choice(alive)
        if holder.mute or self.dice.random() < 0.4:
            holder.ended = True
            if not holder.mute:
                self._complete(holder.gate, succeeded=self.dice.random() < 0.7)
        else:
            self.asked_for_sure(gating.KeepGate(run_id=holder.gate.run_id, attempt=holder.gate.attempt))

    def _complete(self, gate: GateView, *, succeeded: bool) -> None:
        status: Any = "success" if succeeded else "failed"
        told = self.asked_for_sure(running.CompleteRun(run_id=gate.run_id, status=status, attempt=gate.attempt))
        taken = told is not None and not isinstance(told, InterlockError)
        if taken and self.kept.setdefault(gate.token, succeeded) is not succeeded:
            raise Broken(f"G3: {gate.token} was told to have ended in two ways, and both were taken")

    def _again(self) -> None:
        runs = self.store.runs_of(SPEC.name, limit=9)
        if runs:
            period = self.dice.choice(runs).key.slot.period
            kind: Any = rerunning.Rerun if self.dice.random() < 0.5 else None
            if kind is None:
                self.asked_for_sure(rerunning.Replay(pipeline_id=SPEC.name, date=period, reason="again"))
            else:
                self.asked_for_sure(kind(pipeline_id=SPEC.name, original_date=period, reason="again"))

    def _cancel(self) -> None:
        runs = [run for run in self.store.runs_of(SPEC.name, limit=9) if not run.ended]
        if runs and self.dice.random() < 0.3:
            self.asked_for_sure(running.CancelRun(run_id=self.dice.choice(runs).key.run_id, reason="by mistake"))

    def _pause(self) -> None:
        if self.dice.random() < 0.3:
            self.asked_for_sure(controlling.Pause(pipeline_id=SPEC.name, length="5m", reason="moving"))
        else:
            self.asked_for_sure(controlling.Resume(pipeline_id=SPEC.name))

    def _ping(self) -> None:
        if self.dice.random() < 0.3:
            what: Any = self.dice.choice(("start", "success", "fail"))
            period = current_window(SPEC.name, SPEC.schedules[0], self.clock.now()).slot.period
            self.asked_for_sure(gating.Ping(pipeline_id=SPEC.name, what=what, date=period))

    # ------------------------------------------------------------ the story

    def play(self, steps: int = 40) -> AskingWorld:
        """Play the story to its end; every broken promise is an AssertionError."""
        with self._time_is_ours():
            for _ in range(steps):
                self.clock.advance(self.dice.choice((0.1, 1, 5, 15, 60, 600)) * SECOND)
                self._jobs_go_on(0.3)
                self.act()
                self.check()
            return self._calm_down()

    @contextmanager
    def _time_is_ours(self) -> Iterator[None]:
        pacer = lambda _clock: SimpleNamespace(until=self.paced)  # noqa: E731  (a class of one method)
        with ExitStack() as stack:
            for place in ("runtime.clock", "operations.starting", "operations.gating"):
                stack.enter_context(patch(f"interlock.{place}.SystemPacer", pacer))
            yield

    def _jobs_go_on(self, often: float) -> None:
        for key, states in list(self.trigger.jobs.items()):
            if states[-1] is JobState.RUNNING and self.dice.random() < often:
                self.trigger.end(key, JobState.FAILED if self.dice.random() < 0.3 else JobState.SUCCEEDED)

    def runs(self) -> list[Run]:
        """All runs there are."""
        return list(self.store.runs_of(SPEC.name, limit=500))

    def check(self) -> None:
        """Check what must hold at any time."""
        doubled = [key for key, states in self.trigger.jobs.items() if len(states) > 1]
        assert not doubled, f"G2: started twice: {doubled}"
        for run in self.runs():
            own = self.told.get(run.key.run_id, 0) + sum(1 for token in self.leaves if _run_of(token) == run.key.run_id)
            assert own <= run.attempt, (
                f"T-14: {own} were told that {run.key} was started for them: {run.status} {run.attempts}"
            )
        for token, succeeded in self.kept.items():
            found = self.store.run(parse_run_id(_run_of(token)))
            assert found is not None
            ended = {str(each.number): each.outcome == "succeeded" for each in found.attempts}
            told = ended.get(token.rpartition("/")[2])
            assert told is succeeded, (
                f"G3: {token} was told to have ended: {succeeded}, not {found.status} {found.attempts}"
            )

    def _calm_down(self) -> AskingWorld:
        self.chaos = self.bad = 0.0
        self.watched = False
        for _ in range(300):
            if all(run.ended or self._is_told_of(run) for run in self.runs()):
                return self
            self.clock.advance(5 * MINUTE)
            self._jobs_go_on(1.0)
            for holder in self.holders:
                if not holder.ended:
                    holder.ended = True
                    self._complete(holder.gate, succeeded=True)
            self.servers[0].watch()
            self._people_look()
            self.check()
        silent = [run for run in self.runs() if not (run.ended or self._is_told_of(run))]
        raise AssertionError(f"G5: these do not end, and nobody is told: {silent}")

    def _people_look(self) -> None:
        for run in self.runs():
            if run.doubt and run.wake_at is None:
                status: Any = "success" if self.trigger.jobs.get(f"{run.key.run_id}/{run.attempt}") else "failed"
                self.ask(running.CompleteRun(run_id=run.key.run_id, status=status, attempt=run.attempt))

    def _is_told_of(self, run: Run) -> bool:
        # A holder that has died, or whose job was never told to have ended: only people know.
        if run.status is not RunStatus.RUNNING or not _is_others(self.store, run):
            return False
        return bool(run.doubt) or run.job_details.get("heartbeat") != "true"


def _run_of(token: str) -> str:
    return token.rpartition("/")[0]


def _is_others(store: Repository, run: Run) -> bool:
    trigger = store.spec(run.spec_digest).trigger
    return trigger is not None and trigger.type in ("gate", "external")


def asked(seed: int, *, chaos: float = 1.0) -> AskingWorld:
    """Play the story of one seed; the seed is named by whatever fails."""
    try:
        return AskingWorld(seed, chaos=chaos).play()
    except (Exception, Broken) as exc:
        raise AssertionError(f"world {seed}: {type(exc).__name__}: {exc}") from exc
