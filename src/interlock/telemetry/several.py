"""One step told to several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from interlock.core.ids import Slot
from interlock.ports.telemetry import SILENT, Step, StepKind, Telemetry


class _Steps:
    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = steps
        self._stack = ExitStack()

    @property
    def traceparent(self) -> str:
        """What the first of them says that says anything."""
        return next((step.traceparent for step in self._steps if step.traceparent), "")

    def phase(self, name: str) -> None:
        """Tell each."""
        for step in self._steps:
            step.phase(name)

    def told(self, **how: str) -> None:
        """Tell each."""
        for step in self._steps:
            step.told(**how)

    def __enter__(self) -> Self:
        for step in self._steps:
            self._stack.enter_context(step)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


class Several:
    """Tells several of every step; those that come first are the outer ones."""

    def __init__(self, all_of_them: Sequence[Telemetry]) -> None:
        self._all = tuple(all_of_them)

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:
        """Make a step of each; see `Telemetry.step`."""
        return _Steps(tuple(each.step(kind, slot, run_id, **about) for each in self._all))


def joined(all_of_them: Sequence[Telemetry]) -> Telemetry:
    """Return one that tells them all, and the one itself where there is no other."""
    if len(all_of_them) == 1:
        return all_of_them[0]
    return Several(all_of_them) if all_of_them else SILENT


if TYPE_CHECKING:

    def _is_a_step(it: _Steps) -> Step:
        return it
