"""How long things take and how they end, for whoever measures: a step is opened, and closed when it is over.

Nothing that happens in a step depends on it, and no implementation of this port raises.
"""

from __future__ import annotations

import enum
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from interlock.core.ids import Slot


class StepKind(enum.StrEnum):
    """What is measured."""

    DECISION = "decision"
    TRAIT = "trait"
    TRIGGER = "trigger"
    ALERT = "alert"
    EVENT = "event"


class Step(Protocol):
    """One step under way. Used in a `with` statement, by one thread."""

    @property
    def traceparent(self) -> str:
        """What names this step to other programs (W3C Trace Context), or nothing."""
        ...

    def phase(self, name: str) -> None:
        """What was done since the last phase, or since the beginning, was this."""
        ...

    def told(self, **how: str) -> None:
        """Say how it ended. A step of which that was never said ended in an error."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        ...


class Telemetry(Protocol):
    """Wants to know of steps. Safe to call from many threads."""

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:
        """Make a step: of which kind, for which slot and run, and what else is known of it beforehand.

        A decision has its `event`; a trait its `trait` and what kind of `evaluator` it has; a trigger its `type` and
        `action`; an alert and an event the `sink` they go to.
        """
        ...


class _NoStep:
    """A step of which nobody wants to know."""

    traceparent: Final = ""

    def phase(self, name: str) -> None:
        """Ignore it."""

    def told(self, **how: str) -> None:
        """Ignore it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


_NO_STEP: Final = _NoStep()


class Silent:
    """Nobody measures."""

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:  # noqa: ARG002
        """Return a step that leads nowhere."""
        return _NO_STEP


SILENT: Final = Silent()


if TYPE_CHECKING:

    def _is_telemetry(it: Silent) -> Telemetry:
        return it
