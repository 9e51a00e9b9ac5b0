"""What travels between the states of an execution: a run's name, and what is to be done next. The run stays stored."""

from __future__ import annotations

import enum
import json
from typing import Final

from msgspec import Struct, field

from interlock.codec import wire
from interlock.core.commands import EvaluateTrait
from interlock.core.events import TraitEvaluated

ROOM: Final = 160_000
"""How many bytes the answers of one round may have together: Step Functions carries 262,144 from state to state."""


def size_of(carried: Struct) -> int:
    """Return how many bytes something has between two states at the most: as text in which nothing but ASCII stands."""
    return len(json.dumps(wire.to_json(carried).decode()))


class Next(enum.StrEnum):
    """What the state machine does next."""

    STEP = "step"
    EVALUATE = "evaluate"
    START = "start"
    CHECK = "check"
    STOP = "stop"
    WAIT_FOR_READINESS = "wait_for_readiness"
    WAIT_FOR_START = "wait_for_start"
    WAIT_FOR_JOB = "wait_for_job"
    WAIT_FOR_VERIFICATION = "wait_for_verification"
    WAIT_FOR_RETRY = "wait_for_retry"
    WAIT_FOR_PEOPLE = "wait_for_people"
    WATCH_FOR_DRIFT = "watch_for_drift"
    RENEW = "renew"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"
    BROKEN = "broken"


class Wait(Struct, frozen=True, kw_only=True):
    """How long at most, and the row whose change ends it sooner: everything as the request to DynamoDB wants it.

    `seen` is the version of the run's row (`slot`, `row`) on which this was decided. `parked` is the partition of the row
    that holds the task's token, `ttl` when DynamoDB may remove that, in seconds since 1970.
    """

    seconds: int
    seen: str
    slot: str
    row: str
    parked: str
    ttl: str


class Lost(Struct, frozen=True, kw_only=True):
    """What Step Functions says of a function that died, or was never called."""

    error: str = field(name="Error", default="")
    cause: str = field(name="Cause", default="")

    def __str__(self) -> str:
        return f"{self.error}: {self.cause[:500]}" if self.cause else self.error


class Asked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question for the evaluator, and how many bytes its answer may have; then the same with what came of it.

    A `fact` of None: the question is not asked any more. `lost`: the evaluator died.
    """

    run: str
    wish: EvaluateTrait
    room: int = ROOM
    fact: TraitEvaluated | None = None
    lost: Lost | None = None


class State(Struct, frozen=True, kw_only=True):
    """All that an execution knows. Every field is always written, so that no state reads a path that is not there.

    `spent` is about how many events the execution's history has.
    `next` decides what else is there: `evaluate` for EVALUATE, `wait` for all that wait, `reason` for what ends badly.
    `status` is the run's, for whoever looks at the execution. `answers` are what the evaluators said, `lost` that the
    last state died, and `stumbles` how many did in a row. `tried` are wishes that could not be carried out since the run's
    time has come. `heir` is the name of the execution that goes on after RENEW.
    """

    run: str
    spent: int = 0
    next: Next = Next.STEP
    status: str = ""
    evaluate: tuple[EvaluateTrait, ...] = ()
    room: int = ROOM
    wait: Wait | None = None
    reason: str = ""
    answers: tuple[Asked, ...] = ()
    lost: Lost | None = None
    stumbles: int = 0
    tried: tuple[str, ...] = ()
    heir: str = ""
