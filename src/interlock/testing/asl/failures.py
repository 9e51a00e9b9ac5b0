"""How states, tasks and definitions fail."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

ALL: Final = "States.ALL"
TASK_FAILED: Final = "States.TaskFailed"
TIMEOUT: Final = "States.Timeout"
RUNTIME: Final = "States.Runtime"
DATA_LIMIT: Final = "States.DataLimitExceeded"
NO_CHOICE: Final = "States.NoChoiceMatched"
INTRINSIC: Final = "States.IntrinsicFailure"
RESULT_PATH: Final = "States.ResultPathMatchFailure"


class Unsupported(Exception):
    """The definition is wrong, or uses something that this interpreter does not know and will not ignore."""


class StateFailed(Exception):
    """A state ends with an error, which `Retry` and `Catch` may answer."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}" if cause else error)
        self.error = error
        self.cause = cause
        self.placed = False

    def place(self, state: str, event: int) -> None:
        """Say in the cause which state it was, once."""
        if not self.placed:
            where = f"An error occurred while executing the state '{state}' (entered at the event id #{event})."
            self.cause = f"{where} {self.cause}"
            self.placed = True

    def as_data(self) -> dict[str, str]:
        """What the state that catches it is given."""
        return {"Error": self.error, "Cause": self.cause}


class TaskError(StateFailed):
    """A task has failed: what the callables that stand for resources raise."""

    def place(self, state: str, event: int) -> None:
        """Leave the cause as the task said it."""


def names_match(names: Collection[str], error: str) -> bool:
    """Whether one of the names of a retrier or a catcher means this error.

    Nothing means `States.Runtime`, and only its own name means `States.DataLimitExceeded`.
    """
    if error == RUNTIME:
        return False
    if error in names:
        return True
    if error == DATA_LIMIT:
        return False
    return ALL in names or (TASK_FAILED in names and error != TIMEOUT)
