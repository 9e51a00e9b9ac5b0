"""One execution of a machine, advanced a step at a time by whoever holds it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final

import msgspec

from interlock.testing.asl.branch import GO, Bench, Branch, Call, Fork, Outcome, RunningFork, Steps, encoded
from interlock.testing.asl.failures import RUNTIME, TIMEOUT, StateFailed, TaskError
from interlock.testing.asl.history import History, HistoryFull
from interlock.testing.asl.states import Region, walk
from interlock.testing.clock import FakeClock


class Status(StrEnum):
    """Where an execution stands, in AWS's words."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"


_EVENTS: Final = {
    Status.SUCCEEDED: "ExecutionSucceeded",
    Status.FAILED: "ExecutionFailed",
    Status.TIMED_OUT: "ExecutionTimedOut",
    Status.ABORTED: "ExecutionAborted",
}


class Execution:
    """Walks through a machine's states when it is told to; `Machine.start` makes it.

    Tasks are called inside `step`. When one raises anything but a `TaskError`, the exception passes through, and the call is
    still to be made: the next step makes it again.
    """

    def __init__(
        self, region: Region, bench: Bench, data: Any, context: dict[str, Any], timeout: timedelta | None
    ) -> None:
        self.arn: str = context["Execution"]["Id"]
        self.name: str = context["Execution"]["Name"]
        self.started_at = bench.clock.now()
        self.data = data
        self.status = Status.RUNNING
        self.output: Any = None
        self.error = ""
        self.cause = ""
        self.busy = False
        self._bench = bench
        self._until = None if timeout is None else self.started_at + timeout
        self._branches: list[Branch] = []
        self.history.add("ExecutionStarted")
        self._begin(Branch(bench, context, ""), partial(walk, region, data))

    @property
    def history(self) -> History:
        """What it has done so far."""
        return self._bench.history

    @property
    def trace(self) -> list[str]:
        """The states entered, in order; inside a map such as `Each[0].Inner`."""
        return [entered.path for entered in self.history.entered]

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.status is not Status.RUNNING

    @property
    def ready(self) -> bool:
        """Whether a step can be made now. It cannot while one of its own tasks is being called."""
        due = self.due
        return due is not None and due <= self._bench.clock.now()

    @property
    def due(self) -> datetime | None:
        """When it can go on by itself: now, an instant to come, or never (None) but for a token."""
        if self.ended or self.busy:
            return None
        now = self._bench.clock.now()
        wakes = [branch.wakes(now) for branch in self._branches]
        return min((at for at in (*wakes, self._until) if at is not None), default=None)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The task tokens that it waits for."""
        tickets = [branch.pause.ticket for branch in self._branches]
        return tuple(ticket.token for ticket in tickets if ticket is not None and ticket.reply is None)

    def step(self) -> None:
        """Enter one state, make one try of a task, or take what was waited for."""
        if not self.ready:
            raise RuntimeError(f"the execution {self.name} cannot go on now: {self.status}, due {self.due}")
        now = self._bench.clock.now()
        if self._until is not None and self._until <= now:
            self._end(Status.TIMED_OUT, StateFailed(TIMEOUT))
            return
        ready = [branch for branch in self._branches if branch.ready(now)]
        branch = ready[0] if len(ready) == 1 else self._bench.dice.choice(ready)
        try:
            self._go_on(branch)
        except HistoryFull:
            cause = f"The execution reached the maximum number of history events ({self.history.quota})."
            self._end(Status.FAILED, StateFailed(RUNTIME, cause))

    def settle(self) -> None:
        """Make all the steps that can be made now."""
        while self.ready:
            self.step()

    def stop(self, error: str = "", cause: str = "") -> None:
        """Abort it from outside, as StopExecution does."""
        if not self.ended:
            self._end(Status.ABORTED, StateFailed(error, cause))

    def _begin(self, branch: Branch, how: Callable[[Branch], Steps]) -> None:
        branch.steps = how(branch)
        self._branches.append(branch)

    def _go_on(self, branch: Branch) -> None:
        if branch.call is None and branch.pause.ticket is not None:
            branch.reply = branch.pause.ticket.reply or Outcome(None, TaskError(TIMEOUT))
        while True:
            if branch.call is not None:
                branch.reply = self._ask(branch.call)
                branch.call = None
                if self.ended:
                    return
            reply, branch.reply, branch.pause = branch.reply, None, GO
            try:
                signal = branch.steps.send(reply)  # type: ignore[arg-type]  # None begins a generator
            except StopIteration as end:
                self._branch_ended(branch, end.value)
                return
            except StateFailed as failure:
                self._branch_failed(branch, failure)
                return
            if isinstance(signal, Call):
                branch.call = signal
            elif isinstance(signal, Fork):
                self._branches.remove(branch)
                self._advance_fork(RunningFork(branch, signal))
                return
            else:
                branch.pause = signal
                return

    def _ask(self, call: Call) -> Outcome:
        self.history.invocations[call.label] += 1
        parameters = msgspec.json.decode(call.parameters)
        self.busy = True
        try:
            value = call.task(parameters) if call.ticket is None else call.task(parameters, call.ticket.token)
            return Outcome(msgspec.json.decode(encoded(value, f"the answer of {call.label}")))
        except StateFailed as failure:
            return Outcome(None, failure)
        finally:
            self.busy = False

    def _advance_fork(self, running: RunningFork) -> None:
        """Begin what may begin; when nothing is left, let who forked go on."""
        fork = running.fork
        while running.may_begin():
            index = running.begun
            start = fork.starts[index]
            running.begun += 1
            branch = Branch(self._bench, {**running.parent.context, **start.context}, start.path)
            branch.fork, branch.index = running, index
            if fork.iterations:
                self.history.add("MapIterationStarted")
            self._begin(branch, start.walk)
        if running.over == len(fork.starts):
            self._return_to(running.parent, Outcome(running.results))

    def _return_to(self, branch: Branch, outcome: Outcome) -> None:
        branch.reply = outcome
        self._branches.append(branch)

    def _branch_ended(self, branch: Branch, output: Any) -> None:
        self._branches.remove(branch)
        running = branch.fork
        if running is None:
            self.output = output
            self._end(Status.SUCCEEDED, None)
            return
        if running.fork.iterations:
            self.history.add("MapIterationSucceeded")
        running.results[branch.index] = output
        running.over += 1
        self._advance_fork(running)

    def _branch_failed(self, branch: Branch, failure: StateFailed) -> None:
        self._branches.remove(branch)
        running = branch.fork
        if running is None:
            self._end(Status.FAILED, failure)
            return
        if running.fork.iterations:
            self.history.add("MapIterationFailed")
        for other in [each for each in self._branches if _stands_under(each, running)]:
            self._abort(other)
        self._return_to(running.parent, Outcome(None, failure))

    def _abort(self, branch: Branch) -> None:
        self._branches.remove(branch)
        if branch.visit is not None:
            self.history.add(f"{branch.visit.kind}StateAborted")
        if branch.fork is not None and branch.fork.fork.iterations:
            self.history.add("MapIterationAborted")
        self._let_go(branch)

    def _end(self, status: Status, failure: StateFailed | None) -> None:
        self.status = status
        if failure is not None:
            self.error, self.cause = failure.error, failure.cause
        for branch in self._branches:
            self._let_go(branch)
        self._branches = []
        self.history.close(_EVENTS[status])

    def _let_go(self, branch: Branch) -> None:
        if branch.pause.ticket is not None:
            branch.pause.ticket.closed = True
        branch.steps.close()


def _stands_under(branch: Branch, running: RunningFork) -> bool:
    fork = branch.fork
    while fork is not None:
        if fork is running:
            return True
        fork = fork.parent.fork
    return False


def finish(execution: Execution, clock: FakeClock) -> None:
    """Make all steps, and jump from instant to instant, until it has ended or only a token can wake it."""
    execution.settle()
    while (due := execution.due) is not None:
        clock.set(due)
        execution.settle()
