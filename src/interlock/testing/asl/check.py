"""What can be said of a definition without running it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from interlock.testing.asl.compiling import compile_region, processor
from interlock.testing.asl.failures import ALL, Unsupported
from interlock.testing.asl.flows import Flow, Outputs
from interlock.testing.asl.shapes import Shape
from interlock.testing.asl.states import Region
from interlock.testing.asl.work import BY_TOKEN, Map, Parallel

THROTTLING: Final = (
    "TooManyRequestsException",
    "ThrottlingException",
    "ThrottledException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceededException",
    "RequestLimitExceeded",
)
_NAME_LIMIT: Final = 80
_WORKING: Final = ("Task", "Map", "Parallel")


def check(
    definition: dict[str, Any],
    *,
    outputs: Outputs | None = None,
    given: Collection[str] = (),
    uncaught: Collection[str] = (),
    retried: Collection[str] = (),
) -> list[str]:
    """Return what is wrong with a definition, a sentence each.

    `outputs` says, for each producer and each value of `next` in its output (`""` for outputs without `next`), which paths
    the output is certain to have; with it, the graph is walked and every path that is read has to be certain. A producer is
    the FunctionName of an invoked function, of whose Payload it is told, or else a Resource. `given` are the paths that the
    input of an execution is certain to have. `uncaught` are the states that need no catch of `States.ALL`,
    `retried` the errors that may be tried again besides throttling.
    """
    try:
        region = compile_region(definition, {raw["Resource"]: print for _, raw in _tasks(definition)})
    except Unsupported as exc:
        return [str(exc)]
    problems = [*_names(definition), *_graph(region)]
    for name, raw in every_state(definition):
        problems += _state(name, raw, needs_catch=name not in uncaught)
        problems += _retries(name, raw, retried)
    if outputs is not None:
        problems += _flow(definition, outputs, Shape.of(given))
    return problems


def every_state(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through all states, those inside maps and branches too."""
    for name, raw in definition.get("States", {}).items():
        yield name, raw
        if raw.get("Type") == "Map" and ("ItemProcessor" in raw or "Iterator" in raw):
            yield from every_state(processor(name, raw))
        for inner in raw.get("Branches", ()):
            yield from every_state(inner)


def _tasks(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, raw) for name, raw in every_state(definition) if "Resource" in raw)


def _names(definition: dict[str, Any]) -> Iterator[str]:
    seen: set[str] = set()
    for name, _ in every_state(definition):
        if name in seen:
            yield f"{name}: two states have this name"
        if len(name) > _NAME_LIMIT:
            yield f"{name}: the name is longer than {_NAME_LIMIT} characters"
        seen.add(name)


def _graph(region: Region) -> Iterator[str]:
    reached, waiting = {region.start}, [region.start]
    while waiting:
        new = set(region.states[waiting.pop()].targets()) - reached
        reached |= new
        waiting += sorted(new)
    yield from (f"{name}: nothing leads to this state" for name in region.states if name not in reached)
    ending = {name for name, state in region.states.items() if state.next is None and state.kind != "Choice"}
    while more := {name for name, state in region.states.items() if ending & set(state.targets())} - ending:
        ending |= more
    yield from (f"{name}: no end can be reached from this state" for name in region.states if name not in ending)
    for state in region.states.values():
        if isinstance(state, Map | Parallel):
            for inner in state.inner:
                yield from _graph(inner)


def _state(name: str, raw: dict[str, Any], *, needs_catch: bool) -> Iterator[str]:
    kind = raw["Type"]
    if kind == "Choice" and "Default" not in raw:
        yield f"{name}: a choice without a default fails when no rule holds"
    if kind == "Task" and not {"TimeoutSeconds", "TimeoutSecondsPath"} & set(raw):
        yield f"{name}: a task without a timeout may wait for ever"
    if kind in _WORKING and needs_catch and not any(ALL in each["ErrorEquals"] for each in raw.get("Catch", ())):
        yield f"{name}: a failure that nothing catches ends the execution; catch {ALL}"
    if raw.get("Resource", "").endswith(BY_TOKEN) and "$$.Task.Token" not in str(raw.get("Parameters")):
        yield f"{name}: nobody is told the task token, so nobody can answer"


def _retries(name: str, raw: dict[str, Any], retried: Collection[str]) -> Iterator[str]:
    for each in raw.get("Retry", ()):
        for error in each["ErrorEquals"]:
            if error.rpartition(".")[2] not in THROTTLING and error not in retried:
                yield f"{name}: {error} is tried again, and only throttling may be"


def _flow(definition: dict[str, Any], outputs: Outputs, given: Shape) -> Iterator[str]:
    flow = Flow(outputs, given)
    flow.region(definition, given, flow.context)
    yield from flow.problems
    for name, raw in every_state(definition):
        if name not in flow.met:
            yield f"{name}: no output that is described leads to this state"
        elif raw["Type"] == "Choice":
            for target in flow.rules_never_taken(name, raw):
                yield f"{name}: no output that is described leads to the rule for '{target}'"
