"""A decision as the safety constraints see it: what was, what happened and what was decided."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from interlock.core.alerts import AlertType
from interlock.core.commands import RaiseAlert, StartJob
from interlock.core.decision import Decision
from interlock.core.events import Event
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run


class Kind(enum.StrEnum):
    """The four ways in which a control action is unsafe."""

    NOT_GIVEN = "not given"
    GIVEN_WRONGLY = "given wrongly"
    WRONG_TIME = "wrong time or order"
    WRONG_LENGTH = "stopped too soon or held too long"


class Case(NamedTuple):
    """One decision to be judged. `before` and `event` are None when the run is being opened."""

    before: Run | None
    event: Event | None
    decision: Decision
    spec: PipelineSpec

    @property
    def after(self) -> Run:
        """The run as decided."""
        return self.decision.run

    @property
    def starts(self) -> list[StartJob]:
        """The starts among the commands."""
        return [command for command in self.decision.commands if isinstance(command, StartJob)]

    @property
    def alerts(self) -> set[AlertType]:
        """The types of the alerts among the commands."""
        return {command.alert.alert_type for command in self.decision.commands if isinstance(command, RaiseAlert)}


class SafetyConstraint(NamedTuple):
    """A rule that no decision may break. `holds` returns False when it is broken."""

    number: int
    kind: Kind
    text: str
    holds: Callable[[Case], bool]

    def __str__(self) -> str:
        return f"SC-{self.number} ({self.kind}): {self.text}"
