"""What is being worked on just now, for whoever writes a line about it: the run, and the request that asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from interlock.core.ids import Slot
from interlock.ports.telemetry import Step, StepKind, Telemetry

RUN: Final[ContextVar[str]] = ContextVar("interlock_run", default="")
REQUEST: Final[ContextVar[str]] = ContextVar("interlock_request", default="")


@contextmanager
def about(*, run: str = "", request: str = "") -> Iterator[None]:
    """Say what is worked on meanwhile. What is empty stays as it is."""
    tokens = [(variable, variable.set(value)) for variable, value in ((RUN, run), (REQUEST, request)) if value]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


class Naming:
    """Says of every step which run it is about."""

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:  # noqa: ARG002
        """Make a step that names its run; see `Telemetry.step`."""
        return _Named(run_id)


class _Named:
    """A step that names its run."""

    traceparent: Final = ""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._token: Token[str] | None = None

    def phase(self, name: str) -> None:
        """Nobody asks."""

    def told(self, **how: str) -> None:
        """Nobody asks."""

    def __enter__(self) -> Self:
        self._token = RUN.set(self._run_id or RUN.get())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            RUN.reset(self._token)


if TYPE_CHECKING:

    def _are_ports(one: Naming, two: _Named) -> tuple[Telemetry, Step]:
        return one, two
