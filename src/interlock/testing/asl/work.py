"""States that work and may fail: Task, Map and Parallel, with `Retry` and `Catch`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple

from interlock.testing.asl.branch import Bench, Call, Fork, Outcome, Pause, Start, Steps, Visit, encoded
from interlock.testing.asl.failures import ALL, RUNTIME, TIMEOUT, StateFailed, TaskError, Unsupported, names_match
from interlock.testing.asl.paths import Path, Reader, reference
from interlock.testing.asl.states import Region, ResultPath, State, seconds, walk
from interlock.testing.asl.templates import template

BY_TOKEN: Final = ".waitForTaskToken"
LAMBDA_INVOKE: Final = "arn:aws:states:::lambda:invoke"
Tasks = Mapping[str, Callable[..., Any]]


class Retrier(NamedTuple):
    """One entry of `Retry`."""

    names: tuple[str, ...]
    interval: float
    rate: float
    attempts: int
    longest: float
    jitter: bool

    def delay(self, tries: int, dice: Random) -> timedelta:
        """How long to wait before the next try, after so many of this retrier."""
        span = min(self.interval * self.rate**tries, self.longest)
        return timedelta(seconds=dice.uniform(0, span) if self.jitter else span)


class Catcher(NamedTuple):
    """One entry of `Catch`."""

    names: tuple[str, ...]
    next: str
    put: ResultPath


class Guarded(State):
    """A state whose work may be tried again, and whose failure may be caught."""

    def __init__(self, name: str, raw: dict[str, Any]) -> None:
        super().__init__(name, raw)
        self._parameters = _template(raw, "Parameters")
        self._selector = _template(raw, "ResultSelector")
        self._put = ResultPath(raw)
        self._retriers = [_retrier(each) for each in raw.get("Retry", ())]
        self._catchers = [
            Catcher(tuple(each["ErrorEquals"]), each["Next"], ResultPath(each)) for each in raw.get("Catch", ())
        ]
        _check_wildcards(name, [each.names for each in self._retriers])
        _check_wildcards(name, [each.names for each in self._catchers])

    def run(self, visit: Visit) -> Steps:
        """Work, again if it may be tried again, and leave by the result or by a catcher."""
        tries = [0] * len(self._retriers)
        while True:
            try:
                result = yield from self.work(visit)
                return self._leave_with(visit, result)
            except StateFailed as caught:
                failure = caught
            delay = self._delay(tries, failure, visit.bench.dice)
            if delay is None:
                return self._caught(visit, failure)
            yield Pause(until=visit.bench.clock.now() + delay)
            visit.tried_again()

    @abstractmethod
    def work(self, visit: Visit) -> Steps:
        """Do the work of one try, and return its raw result."""

    def targets(self) -> list[str]:
        """Name what may follow, and who catches."""
        return super().targets() + [each.next for each in self._catchers]

    def _leave_with(self, visit: Visit, result: Any) -> tuple[str | None, Any]:
        if self._selector is not None:
            result = self._selector(visit.scope(result))
        return self.leave(visit, self.next, self._put(visit.data, result))

    def _delay(self, tries: list[int], failure: StateFailed, dice: Random) -> timedelta | None:
        for at, retrier in enumerate(self._retriers):
            if names_match(retrier.names, failure.error):
                if tries[at] >= retrier.attempts:
                    return None
                tries[at] += 1
                return retrier.delay(tries[at] - 1, dice)
        return None

    def _caught(self, visit: Visit, failure: StateFailed) -> tuple[str | None, Any]:
        for catcher in self._catchers:
            if names_match(catcher.names, failure.error):
                return self.exit(visit, catcher.next, catcher.put(visit.data, failure.as_data()))
        raise failure


class Task(Guarded):
    """Asks what stands for a resource, and waits for a token if the resource says so."""

    def __init__(self, name: str, raw: dict[str, Any], tasks: Tasks) -> None:
        super().__init__(name, raw)
        self.resource: str = raw["Resource"]
        if self.resource not in tasks:
            raise Unsupported(f"the state '{name}' asks {self.resource}, and no task stands for it")
        self._task = tasks[self.resource]
        self._by_token = self.resource.endswith(BY_TOKEN)
        self._events = "Task" if self.resource.startswith("arn:aws:states:") else "LambdaFunction"
        self._timeout = _timeout(raw)

    def work(self, visit: Visit) -> Steps:
        """Ask once."""
        bench = visit.bench
        ticket = bench.issue() if self._by_token else None
        if ticket is not None:
            visit.context["Task"] = {"Token": ticket.token}
        scope = visit.scope(self.taken(visit))
        parameters = scope.data if self._parameters is None else self._parameters(scope)
        text = encoded(parameters, f"the input of the state '{self.name}' after its parameters")
        until = self._until(scope.data, visit)
        bench.history.add(f"{self._events}Scheduled")
        bench.history.add(f"{self._events}Started")
        outcome = yield Call(self._task, self._label(parameters), text, ticket)
        if until is not None and bench.clock.now() >= until:
            outcome = Outcome(None, TaskError(TIMEOUT))
        if ticket is not None:
            if outcome.failure is None:
                bench.history.add("TaskSubmitted")
                ticket.until = until
                outcome = yield Pause(until, ticket)
            ticket.closed = True
        return self._ended(bench, outcome)

    def _ended(self, bench: Bench, outcome: Outcome) -> Any:
        if outcome.failure is None:
            bench.history.add(f"{self._events}Succeeded")
            return outcome.value
        how = "TimedOut" if outcome.failure.error == TIMEOUT else "Failed"
        bench.history.add(f"{self._events}{how}")
        raise outcome.failure

    def _until(self, data: Any, visit: Visit) -> datetime | None:
        if self._timeout is None:
            return None
        return visit.bench.clock.now() + seconds(self._timeout(visit.scope(data)), least=1)

    def _label(self, parameters: Any) -> str:
        if self.resource.startswith(LAMBDA_INVOKE) and isinstance(parameters, dict):
            return str(parameters.get("FunctionName", self.resource))
        return self.resource


class Map(Guarded):
    """Walks through its inner states once for each item of an array."""

    def __init__(self, name: str, raw: dict[str, Any], inner: Region) -> None:
        super().__init__(name, raw)
        self._region = inner
        self.inner = [inner]
        self._items = Path(raw.get("ItemsPath", "$"))
        self._item = _template(raw, "ItemSelector") or self._parameters
        self._limit: int = raw.get("MaxConcurrency", 0)

    def work(self, visit: Visit) -> Steps:
        """Walk all items, and return the array of what came out."""
        history, data = visit.bench.history, self.taken(visit)
        items = self._items(visit.scope(data))
        if not isinstance(items, list):
            raise StateFailed(RUNTIME, f"'{self._items.text}' is no array to map over")
        history.add("MapStateStarted")
        starts = [self._start(visit, data, index, item) for index, item in enumerate(items)]
        outcome = yield Fork(starts, self._limit, iterations=True)
        return _joined(visit, outcome)

    def _start(self, visit: Visit, data: Any, index: int, item: Any) -> Start:
        context = {"Map": {"Item": {"Index": index, "Value": item}}}
        if self._item is not None:
            scope = visit.scope(data)
            scope.context = {**visit.context, **context}
            item = self._item(scope)
        encoded(item, f"the input of item {index} of the state '{self.name}'")
        return Start(partial(walk, self._region, item), context, f"{visit.path}[{index}].")


class Parallel(Guarded):
    """Walks through its branches side by side, each with the same input."""

    def __init__(self, name: str, raw: dict[str, Any], inner: list[Region]) -> None:
        super().__init__(name, raw)
        self.inner = inner

    def work(self, visit: Visit) -> Steps:
        """Walk all branches, and return the array of what came out."""
        data = self.taken(visit)
        if self._parameters is not None:
            data = self._parameters(visit.scope(data))
        visit.bench.history.add("ParallelStateStarted")
        starts = [
            Start(partial(walk, region, data), {}, f"{visit.path}[{index}].") for index, region in enumerate(self.inner)
        ]
        outcome = yield Fork(starts, 0, iterations=False)
        return _joined(visit, outcome)


def _joined(visit: Visit, outcome: Outcome) -> Any:
    how = "Succeeded" if outcome.failure is None else "Failed"
    visit.bench.history.add(f"{visit.kind}State{how}")
    if outcome.failure is not None:
        raise outcome.failure
    return outcome.value


def _template(raw: dict[str, Any], field: str) -> Reader | None:
    return template(raw[field]) if field in raw else None


def _timeout(raw: dict[str, Any]) -> Reader | None:
    if "TimeoutSecondsPath" in raw:
        if "TimeoutSeconds" in raw:
            raise Unsupported("TimeoutSeconds and TimeoutSecondsPath exclude each other")
        return reference(raw["TimeoutSecondsPath"])
    if "TimeoutSeconds" not in raw:
        return None
    constant = raw["TimeoutSeconds"]
    return lambda _scope: constant


def _retrier(raw: dict[str, Any]) -> Retrier:
    return Retrier(
        names=tuple(raw["ErrorEquals"]),
        interval=raw.get("IntervalSeconds", 1),
        rate=raw.get("BackoffRate", 2.0),
        attempts=raw.get("MaxAttempts", 3),
        longest=raw.get("MaxDelaySeconds", float("inf")),
        jitter=raw.get("JitterStrategy", "NONE") == "FULL",
    )


def _check_wildcards(name: str, several: list[tuple[str, ...]]) -> None:
    for at, names in enumerate(several):
        if not names:
            raise Unsupported(f"the state '{name}' has an empty ErrorEquals")
        if ALL in names and (len(names) > 1 or at != len(several) - 1):
            raise Unsupported(f"the state '{name}': {ALL} has to stand alone, and last")
