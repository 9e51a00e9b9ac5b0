"""The names of things, and names derived from them instead of rolled."""

from __future__ import annotations

import re
from typing import Final, NewType

from msgspec import Struct

from interlock.core.periods import Period

PipelineName = NewType("PipelineName", str)
ScheduleName = NewType("ScheduleName", str)
TraitName = NewType("TraitName", str)
RunId = NewType("RunId", str)
CommandId = NewType("CommandId", str)

NAME_PATTERN: Final = r"[a-z0-9][a-z0-9._-]{0,253}[a-z0-9]"
NAME_RULE: Final = "2 to 255 characters: a-z, 0-9, '.', '_' and '-', beginning and ending with a letter or digit"
DEFAULT_SCHEDULE: Final = ScheduleName("daily")

_NAME: Final = re.compile(NAME_PATTERN)


def is_name(text: str) -> bool:
    """Say whether a text may name a pipeline, an archetype, a trait, a schedule or a calendar."""
    return _NAME.fullmatch(text) is not None


class Slot(Struct, frozen=True, order=True):
    """One thing that should happen: a pipeline, in one of its schedules, for one period."""

    pipeline: PipelineName
    schedule: ScheduleName
    period: Period

    def __str__(self) -> str:
        return f"{self.pipeline}:{self.schedule}:{self.period}"


class RunKey(Struct, frozen=True, order=True):
    """One run of a slot. Number 1 is the slot's own run; a rerun of it is 2, and so on."""

    slot: Slot
    number: int = 1

    @property
    def run_id(self) -> RunId:
        """The run's name wherever a single word is needed: `pipeline:schedule:period:number`."""
        return RunId(f"{self.slot}:{self.number}")

    def __str__(self) -> str:
        return self.run_id


def parse_run_id(text: str) -> RunKey:
    """Read a run id back into its key.

    Raises:
        ValueError: the text is not `pipeline:schedule:period:number`.
    """
    pipeline, _, rest = text.partition(":")
    schedule, _, rest = rest.partition(":")
    period, _, number = rest.rpartition(":")
    if not (is_name(pipeline) and is_name(schedule) and re.fullmatch(r"[1-9][0-9]{0,5}", number)):
        raise ValueError(f"not a run id: {text!r} (expected pipeline:schedule:period:number)")
    return RunKey(Slot(PipelineName(pipeline), ScheduleName(schedule), Period.parse(period)), int(number))


def command_id(run_id: RunId, version: int, index: int) -> CommandId:
    """Name a command after the run, the version of the run that wished it, and its place among that version's wishes."""
    return CommandId(f"{run_id}/{version}/{index}")


def start_key(run_id: RunId, attempt: int) -> str:
    """Name one start of one attempt: the idempotency key handed to the outside world."""
    return f"{run_id}/{attempt}"
