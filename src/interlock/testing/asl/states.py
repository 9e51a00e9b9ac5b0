"""States that do no work of their own: Pass, Choice, Wait, Succeed, Fail; and how states are walked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from interlock.testing.asl.branch import GO, Branch, Pause, Steps, Visit, encoded
from interlock.testing.asl.choices import rule, timestamp
from interlock.testing.asl.failures import NO_CHOICE, RUNTIME, StateFailed, Unsupported
from interlock.testing.asl.paths import Path, Reader, Scope, reference
from interlock.testing.asl.templates import expression, template

LONGEST: Final = 99_999_999
Passed = tuple[str | None, Any]


class State(ABC):
    """A compiled state. `run` walks through it and returns the next state's name (None: the end) and its output."""

    def __init__(self, name: str, raw: dict[str, Any]) -> None:
        self.name = name
        self.kind: str = raw["Type"]
        self.next: str | None = raw.get("Next")
        self._input = _selection(raw, "InputPath")
        self._output = _selection(raw, "OutputPath")

    @abstractmethod
    def run(self, visit: Visit) -> Steps:
        """Go through the state; the generator returns a `Passed`."""

    def targets(self) -> list[str]:
        """Name the states that may follow."""
        return [self.next] if self.next is not None else []

    def taken(self, visit: Visit) -> Any:
        """Return what InputPath leaves of the input."""
        return visit.data if self._input is None else self._input(visit.scope(visit.data))

    def leave(self, visit: Visit, following: str | None, output: Any) -> Passed:
        """Go out of the state with what OutputPath leaves."""
        if self._output is not None:
            output = self._output(visit.scope(output))
        return self.exit(visit, following, output)

    def exit(self, visit: Visit, following: str | None, output: Any) -> Passed:
        """Go out of the state with an output that is not too long."""
        if output is not visit.data:
            encoded(output, f"the output of the state '{self.name}'")
        visit.bench.history.add(f"{self.kind}StateExited")
        return following, output


class Instant(State):
    """A state that takes no time."""

    def run(self, visit: Visit) -> Steps:
        """Go through it in no step."""
        yield from ()
        return self.through(visit)

    @abstractmethod
    def through(self, visit: Visit) -> Passed:
        """Go through it."""


class Region(NamedTuple):
    """States that belong together: a machine's own, or those inside a map or a branch."""

    start: str
    states: dict[str, State]


def walk(region: Region, data: Any, branch: Branch) -> Steps:
    """Walk from the start to an end, one state a step, and return the last output."""
    name: str | None = region.start
    while name is not None:
        state = region.states[name]
        branch.visit = Visit(branch, name, state.kind, data)
        number = branch.bench.history.length
        try:
            name, data = yield from state.run(branch.visit)
        except StateFailed as failure:
            failure.place(name, number)
            raise
        branch.visit = None
        if name is not None:
            yield GO
    return data


class Pass(Instant):
    """Hands on its input, a constant, or what it makes of its parameters."""

    def __init__(self, name: str, raw: dict[str, Any]) -> None:
        super().__init__(name, raw)
        self._result: Reader | None = None
        if "Result" in raw:
            constant = raw["Result"]
            self._result = lambda _scope: constant
        elif "Parameters" in raw:
            self._result = template(raw["Parameters"])
        self._put = ResultPath(raw)

    def through(self, visit: Visit) -> Passed:
        """Go on at once."""
        data = self.taken(visit)
        result = data if self._result is None else self._result(visit.scope(data))
        return self.leave(visit, self.next, self._put(visit.data, result))


class Choice(Instant):
    """Goes where the first rule that holds says."""

    def __init__(self, name: str, raw: dict[str, Any]) -> None:
        super().__init__(name, raw)
        self._rules = [(rule(each), str(each["Next"])) for each in raw["Choices"]]
        self._default: str | None = raw.get("Default")

    def through(self, visit: Visit) -> Passed:
        """Choose."""
        data = self.taken(visit)
        scope = visit.scope(data)
        for holds, following in self._rules:
            if holds(scope):
                return self.leave(visit, following, data)
        if self._default is None:
            raise StateFailed(NO_CHOICE, f"no rule of the choice '{self.name}' holds, and it has no default")
        return self.leave(visit, self._default, data)

    def targets(self) -> list[str]:
        """Name the states of the rules, and the default."""
        return [following for _, following in self._rules] + ([self._default] if self._default else [])


class Wait(State):
    """Waits for a span or until an instant."""

    def __init__(self, name: str, raw: dict[str, Any]) -> None:
        super().__init__(name, raw)
        fields = [key for key in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if key in raw]
        if len(fields) != 1:
            raise Unsupported(f"the state '{name}' needs one of Seconds, SecondsPath, Timestamp, TimestampPath")
        self._seconds = fields[0].startswith("Seconds")
        self._value = _constant_or_path(raw, fields[0])

    def run(self, visit: Visit) -> Steps:
        """Wait, then go on."""
        data = self.taken(visit)
        value = self._value(visit.scope(data))
        yield Pause(until=self._until(visit.bench.clock.now(), value))
        return self.leave(visit, self.next, data)

    def _until(self, now: datetime, value: Any) -> datetime:
        if self._seconds:
            return now + seconds(value, least=0)
        until = timestamp(value)
        if until is None:
            raise StateFailed(RUNTIME, f"{value!r} is no timestamp to wait for")
        return until


class Succeed(Instant):
    """Ends well."""

    def through(self, visit: Visit) -> Passed:
        """End."""
        return self.leave(visit, None, self.taken(visit))


class Fail(Instant):
    """Ends badly, with an error and a cause."""

    def __init__(self, name: str, raw: dict[str, Any]) -> None:
        super().__init__(name, raw)
        self._error = _text(raw, "Error")
        self._cause = _text(raw, "Cause")

    def through(self, visit: Visit) -> Passed:
        """End."""
        scope = visit.scope(visit.data)
        error, cause = self._error(scope), self._cause(scope)
        if not isinstance(error, str) or not isinstance(cause, str):
            raise StateFailed(RUNTIME, "the error and the cause of a Fail state have to be strings")
        failure = StateFailed(error, cause)
        failure.placed = True
        raise failure


class ResultPath:
    """Where a result is put into the raw input: in place of it (`$`), into it, or nowhere (null)."""

    def __init__(self, raw: dict[str, Any]) -> None:
        text = raw.get("ResultPath", "$")
        self._path = None if text is None else reference(text)
        if self._path is not None and self._path.in_context:
            raise Unsupported(f"'{text}' cannot be written to")

    def __call__(self, data: Any, result: Any) -> Any:
        """Return the raw input with the result in it."""
        return data if self._path is None else self._path.write(data, result)


def seconds(value: Any, *, least: int) -> timedelta:
    """Read a number of seconds out of data."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LONGEST:
        raise StateFailed(RUNTIME, f"{value!r} is no whole number of seconds from {least} to {LONGEST}")
    return timedelta(seconds=value)


def _selection(raw: dict[str, Any], field: str) -> Reader | None:
    text = raw.get(field, "$")
    if text is None:
        return lambda _scope: {}
    return None if text == "$" else Path(text)


def _constant_or_path(raw: dict[str, Any], field: str) -> Reader:
    value = raw[field]
    return reference(value) if field.endswith("Path") else lambda _scope: value


def _text(raw: dict[str, Any], field: str) -> Reader:
    if f"{field}Path" in raw:
        if field in raw:
            raise Unsupported(f"{field} and {field}Path exclude each other")
        return expression(raw[f"{field}Path"])
    value = raw.get(field, "")

    def constant(_scope: Scope) -> Any:
        return value

    return constant
