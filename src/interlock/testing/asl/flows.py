"""Walks a definition with shapes instead of data, and notes what may fail with `States.Runtime`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from interlock.testing.asl.compiling import processor
from interlock.testing.asl.intrinsics import paths_in
from interlock.testing.asl.paths import Path
from interlock.testing.asl.shapes import ITEM, Shape, items_of, keys_of
from interlock.testing.asl.work import BY_TOKEN, LAMBDA_INVOKE

Outputs = Mapping[str, Mapping[str, "set[str]"]]

_MANY: Final = 2_000
_DEEP: Final = 40
_CONTEXT: Final = Shape.of(
    f"$.{path}"
    for path in (
        *("Execution.Id", "Execution.Name", "Execution.StartTime", "Execution.Input"),
        *("State.Name", "State.EnteredTime", "State.RetryCount", "StateMachine.Id", "StateMachine.Name"),
    )
)
_TOKEN: Final = ("Task", "Token")
_ITEM_VALUE: Final = ("Map", "Item", "Value")
_ITEM_INDEX: Final = ("Map", "Item", "Index")
_ERROR: Final = Shape.of(("$.Error", "$.Cause"))


class Flow:
    """One walk over a machine. `problems` are in the order in which they were met; `met` are the states that were."""

    def __init__(self, outputs: Outputs, given: Shape) -> None:
        self.outputs = outputs
        self.context = _CONTEXT.put(("Execution", "Input"), given)
        self.problems: dict[str, None] = {}
        self.met: set[str] = set()
        self._taken: set[tuple[str, int]] = set()

    def region(self, raw: dict[str, Any], given: Shape, context: Shape) -> set[Shape]:
        """Walk from the start with one shape, and return the shapes of what comes out at the ends."""
        ends: set[Shape] = set()
        waiting = [(raw["StartAt"], given)]
        seen = set(waiting)
        while waiting:
            if len(seen) > _MANY or waiting[-1][1].depth() > _DEEP:
                self.note(f"{raw['StartAt']}: the data grows with every round of a loop that begins here")
                break
            name, shape = waiting.pop()
            self.met.add(name)
            visit = _Visit(self, name, raw["States"][name], shape, context)
            for following, output in visit.leave():
                if following is None:
                    ends.add(output)
                elif (following, output) not in seen:
                    seen.add((following, output))
                    waiting.append((following, output))
            self._choice(raw["States"], visit)
        return ends

    def note(self, problem: str) -> None:
        """Keep a problem, once."""
        self.problems.setdefault(problem)

    def rules_never_taken(self, name: str, raw: dict[str, Any]) -> list[str]:
        """Name the states behind the rules of a choice that nothing leads to."""
        return [each["Next"] for at, each in enumerate(raw["Choices"]) if (name, at) not in self._taken]

    def _choice(self, states: dict[str, Any], visit: _Visit) -> None:
        self._taken |= {(visit.name, at) for at in visit.taken}
        default = visit.raw.get("Default")
        if default is not None and states[default]["Type"] == "Fail":
            for path, value in visit.unmatched:
                self.note(f"{visit.name}: '{path}' may be {value!r}, and no rule takes it")


class _Visit:
    """One state with one shape of input."""

    def __init__(self, flow: Flow, name: str, raw: dict[str, Any], shape: Shape, context: Shape) -> None:
        self.flow = flow
        self.name = name
        self.raw = raw
        self.shape = shape
        self.context = context.put(_TOKEN, Shape()) if raw.get("Resource", "").endswith(BY_TOKEN) else context
        self.taken: set[int] = set()
        self.unmatched: list[tuple[str, Any]] = []

    def leave(self) -> list[tuple[str | None, Shape]]:
        """Return where it may go on to, and with which shapes."""
        kind = self.raw["Type"]
        if kind == "Fail":
            for field in ("ErrorPath", "CausePath"):
                self._expression(field, self.raw.get(field, "$"), self.shape)
            return []
        data = self._selected("InputPath", self.shape)
        if kind == "Choice":
            return [(following, self._selected("OutputPath", each)) for following, each in self._chosen(data)]
        for field in ("SecondsPath", "TimestampPath", "TimeoutSecondsPath"):
            self._read(field, Path(self.raw.get(field, "$")), data)
        if kind in ("Wait", "Succeed"):
            return [(self.raw.get("Next"), self._selected("OutputPath", data))]
        return self._worked(data) + self._caught()

    def _worked(self, data: Shape) -> list[tuple[str | None, Shape]]:
        left: list[tuple[str | None, Shape]] = []
        for result in self._results(data):
            if "ResultSelector" in self.raw:
                result = self._built("ResultSelector", self.raw["ResultSelector"], result)  # noqa: PLW2901
            output = self._put(self.raw, result)
            left.append((self.raw.get("Next"), self._selected("OutputPath", output)))
        return left

    def _caught(self) -> list[tuple[str | None, Shape]]:
        return [(each["Next"], self._put(each, _ERROR)) for each in self.raw.get("Catch", ())]

    def _put(self, raw: dict[str, Any], result: Shape) -> Shape:
        text = raw.get("ResultPath", "$")
        return self.shape if text is None else self.shape.put(keys_of(Path(text)), result)

    def _results(self, data: Shape) -> list[Shape]:
        if self.raw["Type"] == "Map":
            return [self._mapped(data)]
        if "Parameters" in self.raw:
            data = self._built("Parameters", self.raw["Parameters"], data)
        if self.raw["Type"] == "Parallel":
            ends = [self.flow.region(each, data, self.context) for each in self.raw["Branches"]]
            return [items_of([shape for end in ends for shape in end])]
        if self.raw["Type"] == "Task":
            return self._answers()
        return [Shape.literal(self.raw["Result"]) if "Result" in self.raw else data]

    def _mapped(self, data: Shape) -> Shape:
        items = Path(self.raw.get("ItemsPath", "$"))
        self._read("ItemsPath", items, data)
        item = self._at(items, data).under((ITEM,))
        context = self.context.put(_ITEM_VALUE, item).with_path(_ITEM_INDEX)
        selector = self.raw.get("ItemSelector", self.raw.get("Parameters"))
        if selector is not None:
            item = self._built("ItemSelector", selector, data, context)
        return items_of(self.flow.region(processor(self.name, self.raw), item, context))

    def _answers(self) -> list[Shape]:
        resource: str = self.raw["Resource"]
        if not resource.startswith(LAMBDA_INVOKE) or resource.endswith(BY_TOKEN):
            return self._described(resource)
        function = self.raw.get("Parameters", {}).get("FunctionName", "")
        around = Shape.of(("$.ExecutedVersion", "$.StatusCode"))
        return [around.put(("Payload",), payload) for payload in self._described(function)]

    def _described(self, producer: str) -> list[Shape]:
        shapes = []
        for following, paths in self.flow.outputs.get(producer, {"": set()}).items():
            shape = Shape.of(paths)
            shapes.append(shape.with_constant(("next",), following) if following else shape)
        return shapes

    def _chosen(self, data: Shape) -> list[tuple[str | None, Shape]]:
        left: list[tuple[str | None, Shape]] = []
        pending = [data]
        for at, each in enumerate(self.raw["Choices"]):
            rest: list[Shape] = []
            for shape in pending:
                holds, fails = self._rule(each, shape)
                left += [(each["Next"], one) for one in holds]
                rest += fails
                if holds:
                    self.taken.add(at)
            pending = rest
        tested = {each["Variable"] for each in self.raw["Choices"] if "StringEquals" in each}
        for shape in pending:
            found = [(text, shape.constant(keys_of(Path(text)))) for text in sorted(tested)]
            self.unmatched += [(text, value[0]) for text, value in found if value is not None]
        default = self.raw.get("Default")
        return left + ([(default, shape) for shape in pending] if default else [])

    def _rule(self, raw: dict[str, Any], shape: Shape) -> tuple[list[Shape], list[Shape]]:
        """Return the shapes with which a rule may hold, and those with which it may not."""
        if "Not" in raw:
            holds, fails = self._rule(raw["Not"], shape)
            return fails, holds
        for name in ("And", "Or"):
            if name in raw:
                return self._several(raw[name], shape, both=name == "And")
        path = Path(raw["Variable"])
        if "IsPresent" in raw:
            there = [shape if shape.has(path) else shape.with_path(keys_of(path))]
            missing = [] if shape.has(path) else [shape]
            return (there, missing) if raw["IsPresent"] else (missing, there)
        self._read("a rule", path, shape)
        for name, value in raw.items():
            if name.endswith("Path"):
                self._read("a rule", Path(value), shape)
        if "StringEquals" not in raw or path.in_context:
            return [shape], [shape]
        if not shape.has(path):
            return [], []  # told once; what would come behind each rule tells nothing more
        known = shape.constant(keys_of(path))
        if known is None:
            return [shape.with_constant(keys_of(path), raw["StringEquals"])], [shape]
        return ([shape], []) if known[0] == raw["StringEquals"] else ([], [shape])

    def _several(self, rules: list[dict[str, Any]], shape: Shape, *, both: bool) -> tuple[list[Shape], list[Shape]]:
        pending, settled = [shape], []
        for rule in rules:
            found = [self._rule(rule, each) for each in pending]
            pending = [one for holds, fails in found for one in (holds if both else fails)]
            settled += [one for holds, fails in found for one in (fails if both else holds)]
        return (pending, settled) if both else (settled, pending)

    def _selected(self, field: str, shape: Shape) -> Shape:
        text = self.raw.get(field, "$")
        if text is None:
            return Shape()
        path = Path(text)
        self._read(field, path, shape)
        return self._at(path, shape)

    def _at(self, path: Path, shape: Shape) -> Shape:
        return (self.context if path.in_context else shape).under(keys_of(path))

    def _built(self, field: str, raw: Any, shape: Shape, context: Shape | None = None) -> Shape:
        if isinstance(raw, list):
            return items_of([self._built(field, each, shape, context) for each in raw])
        if not isinstance(raw, dict):
            return Shape.literal(raw)
        built = Shape()
        for key, value in raw.items():
            if key.endswith(".$"):
                built = built.put((key[:-2],), self._expression(f"{field}.{key}", value, shape, context))
            else:
                built = built.put((key,), self._built(f"{field}.{key}", value, shape, context))
        return built

    def _expression(self, field: str, text: str, shape: Shape, context: Shape | None = None) -> Shape:
        if not text.startswith("$"):
            for path in paths_in(text):
                self._read(field, path, shape, context)
            return Shape()
        path = Path(text)
        self._read(field, path, shape, context)
        return ((context or self.context) if path.in_context else shape).under(keys_of(path))

    def _read(self, field: str, path: Path, shape: Shape, context: Shape | None = None) -> None:
        if not ((context or self.context) if path.in_context else shape).has(path):
            after = self.shape.constant(("next",))
            when = f" when $.next is {after[0]!r}" if after is not None else ""
            self.flow.note(f"{self.name}: {field} reads '{path.text}', which may not be there{when}")
