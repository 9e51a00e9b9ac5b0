"""A definition made into states. What is not known here is refused, so that nothing is silently left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from interlock.testing.asl.failures import Unsupported
from interlock.testing.asl.states import Choice, Fail, Pass, Region, State, Succeed, Wait
from interlock.testing.asl.work import Map, Parallel, Task, Tasks

_ANY: Final = {"Type", "Comment", "QueryLanguage"}
_FLOW: Final = {"InputPath", "OutputPath"}
_ONWARD: Final = {"Next", "End"}
_GUARDED: Final = {"Parameters", "ResultSelector", "ResultPath", "Retry", "Catch"} | _FLOW | _ONWARD

FIELDS: Final[dict[str, set[str]]] = {
    "Pass": {"Parameters", "Result", "ResultPath"} | _FLOW | _ONWARD,
    "Task": {"Resource", "TimeoutSeconds", "TimeoutSecondsPath"} | _GUARDED,
    "Choice": {"Choices", "Default"} | _FLOW,
    "Wait": {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"} | _FLOW | _ONWARD,
    "Succeed": _FLOW,
    "Fail": {"Error", "ErrorPath", "Cause", "CausePath"},
    "Map": {"ItemsPath", "ItemSelector", "ItemProcessor", "Iterator", "MaxConcurrency"} | _GUARDED,
    "Parallel": {"Branches"} | _GUARDED,
}
_PLAIN: Final[dict[str, Callable[[str, dict[str, Any]], State]]] = {
    "Pass": Pass,
    "Choice": Choice,
    "Wait": Wait,
    "Succeed": Succeed,
    "Fail": Fail,
}


def compile_region(raw: dict[str, Any], tasks: Tasks) -> Region:
    """Compile a machine, or what is inside a map or a branch."""
    states = {name: compile_state(name, state, tasks) for name, state in raw.get("States", {}).items()}
    for state in states.values():
        for target in state.targets():
            if target not in states:
                raise Unsupported(f"the state '{state.name}' goes on to '{target}', which is not there")
    start = str(raw.get("StartAt", ""))
    if start not in states:
        raise Unsupported(f"the start '{start}' is not there")
    return Region(start, states)


def compile_state(name: str, raw: dict[str, Any], tasks: Tasks) -> State:
    """Compile one state."""
    kind = raw.get("Type", "")
    if kind not in FIELDS:
        raise Unsupported(f"the state '{name}' is of the type {kind!r}, which is not known here")
    unknown = set(raw) - FIELDS[kind] - _ANY
    if unknown or raw.get("QueryLanguage", "JSONPath") != "JSONPath":
        raise Unsupported(f"the state '{name}' uses what is not known here: {sorted(unknown) or raw['QueryLanguage']}")
    if "Next" in FIELDS[kind] and ("Next" in raw) is (raw.get("End") is True):
        raise Unsupported(f"the state '{name}' needs either Next or End")
    try:
        return _made(name, kind, raw, tasks)
    except (KeyError, TypeError, AttributeError) as exc:
        raise Unsupported(f"the state '{name}' is not well formed: {exc!r}") from exc


def _made(name: str, kind: str, raw: dict[str, Any], tasks: Tasks) -> State:
    if kind == "Task":
        return Task(name, raw, tasks)
    if kind == "Map":
        return Map(name, raw, compile_region(processor(name, raw), tasks))
    if kind == "Parallel":
        return Parallel(name, raw, [compile_region(each, tasks) for each in raw["Branches"]])
    return _PLAIN[kind](name, raw)


def processor(name: str, raw: dict[str, Any]) -> dict[str, Any]:
    """Return the definition inside a map; only inline maps are known here."""
    inner: dict[str, Any] = raw["Iterator"] if "Iterator" in raw else raw["ItemProcessor"]
    mode = inner.get("ProcessorConfig", {}).get("Mode", "INLINE")
    if mode != "INLINE":
        raise Unsupported(f"the map '{name}' is {mode}, and only INLINE is known here")
    return inner
