"""What the generated machine does with what its functions and AWS say: played by an interpreter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from tests.unit.aws.rig import Turning

from interlock.aws.asl import STUMBLED, state_machine
from interlock.aws.parking import Parking, wait_of
from interlock.aws.state import Asked, Next, State
from interlock.codec import wire
from interlock.core.commands import EvaluateTrait
from interlock.core.ids import TraitName
from interlock.stores.kernel import Record
from interlock.testing.asl.execution import Execution, Status
from interlock.testing.asl.failures import TaskError
from interlock.testing.asl.functions import invoking
from interlock.testing.asl.machine import START_EXECUTION, Machine
from interlock.testing.asl.work import LAMBDA_INVOKE
from interlock.testing.builders import MINUTE, NOON, SECOND, a_run
from interlock.testing.clock import FakeClock
from interlock.testing.fleet.cloud import PARK

RUN = a_run().key.run_id


class Played:
    """One execution of the machine. `says` are what the orchestrator answers, in turn: a state, or an error by name."""

    def __init__(self, *says: State | str, others: Callable[[str, Any], Any] | None = None) -> None:
        self.clock = FakeClock(NOON)
        self.says = list(says)
        self.asked: list[tuple[str, Any]] = []
        self.others = others
        self.parked: list[dict[str, Any]] = []
        self.park_error = ""
        names = ("orchestrator", "trigger", "run_checker", "evaluator")
        functions = {f"${{{name}_arn}}": self._function(name) for name in names}
        self.starts: list[str] = []
        tasks: dict[str, Callable[..., Any]] = {
            LAMBDA_INVOKE: invoking(functions),
            PARK: self._park,
            START_EXECUTION: self._start,
        }
        self.start_error = ""
        self.machine = Machine(state_machine(), tasks, clock=self.clock, dice=Random(1))
        self.execution: Execution = self.machine.start({"run": RUN}, name="one")

    def _function(self, name: str) -> Callable[[Any], Any]:
        def called(payload: Any) -> Any:
            self.asked.append((name, payload))
            if self.others is not None and name != "orchestrator":
                return self.others(name, payload)
            said = self.says.pop(0)
            if isinstance(said, str):
                raise TaskError(said, "why")
            return wire.to_builtins(said)

        return called

    def _park(self, parameters: Any, token: str) -> None:
        if self.park_error:
            raise TaskError(self.park_error, "why")
        self.parked.append({**parameters["TransactItems"][1]["Put"]["Item"], "given": token})

    def _start(self, parameters: Any) -> Any:
        self.starts.append(parameters["Name"])
        if self.start_error:
            raise TaskError(self.start_error, "why")
        return {"ExecutionArn": "arn"}

    def go_on(self, span: timedelta = timedelta()) -> str:
        """Let time pass, make all steps, and return where it stands."""
        self.clock.advance(span)
        self.execution.settle()
        return self.execution.trace[-1]


def resting(following: Next = Next.WAIT_FOR_JOB) -> State:
    """Return a state that waits for a minute."""
    return State(run=RUN, next=following, wait=wait_of(a_run(version=7), NOON + MINUTE, NOON))


DONE = State(run=RUN, next=Next.COMPLETED, reason="done")


@pytest.mark.parametrize("error", ["StoreUnavailable", "Contention", "Lambda.ServiceException"])
def test_a_table_that_cannot_be_used_just_then_ends_no_execution(error: str) -> None:
    """AWS-44, AWS-18: a throttled table would otherwise break every execution at once, and page somebody for each."""
    played = Played(error, DONE)
    assert played.go_on() == "Stumbled"
    assert played.go_on(timedelta(seconds=STUMBLED)) == "Completed"
    assert played.asked[1][1]["lost"]["Error"] == error


@pytest.mark.parametrize("error", ["UnsafeDecision", "Sandbox.Timedout", "TypeError"])
def test_a_step_that_cannot_be_made_at_all_ends_the_execution_as_broken(error: str) -> None:
    """AWS-32."""
    played = Played(error)
    assert played.go_on() == "Broken"
    assert (played.execution.status, played.execution.error) == (Status.FAILED, "Broken")


def test_the_answers_of_a_round_survive_a_step_that_stumbles() -> None:
    wish = EvaluateTrait(round=1, trait=TraitName("freshness"), deadline=NOON)
    asking = State(run=RUN, next=Next.EVALUATE, evaluate=(wish,))
    played = Played(asking, "StoreUnavailable", DONE, others=lambda _name, payload: payload)
    played.go_on()
    played.go_on(timedelta(seconds=STUMBLED))
    assert played.execution.status is Status.SUCCEEDED
    first, second = (
        payload["answers"] for name, payload in played.asked if name == "orchestrator" and "answers" in payload
    )
    assert first == second
    assert wire.from_builtins(first[0], Asked).wish == wish


def test_a_hand_over_that_was_made_already_is_made() -> None:
    """AWS-25: two executions of one run handed over in the same second."""
    played = Played(State(run=RUN, next=Next.RENEW, heir="heir"))
    played.start_error = "StepFunctions.ExecutionAlreadyExistsException"
    assert played.go_on() == "Renewed"
    assert played.execution.status is Status.SUCCEEDED


def test_a_hand_over_that_fails_is_tried_again_by_the_execution_that_is_there() -> None:
    """AWS-30: nobody would look after the run."""
    played = Played(State(run=RUN, next=Next.RENEW, heir="heir"), DONE)
    played.start_error = "StepFunctions.ThrottlingException"
    assert played.go_on() == "Stumbled"
    assert played.go_on(timedelta(seconds=STUMBLED)) == "Completed"


@pytest.mark.parametrize("following", [each for each in Next if each.startswith(("wait_", "watch_"))])
def test_who_waits_leaves_a_row_that_says_how_to_wake_it_and_until_when_it_sleeps(following: Next) -> None:
    rig = Turning()
    played = Played(resting(following), DONE)
    played.go_on()
    (item,) = played.parked
    body = wire.from_json(item["body"]["S"], dict)
    pk, sk = f"parked/{RUN}", item["SK"]["S"]
    rig.kernel.restore([Record(pk=pk, sk=sk, version=int(item["version"]["N"]), body=body)])
    (parked,) = Parking(rig.kernel).find(a_run().key.run_id)
    assert (parked.token, parked.seen, parked.until) == (item["given"], 7, NOON + MINUTE)
    assert played.execution.name in sk


@pytest.mark.parametrize(
    ("following", "name"), [(Next.WAIT_FOR_JOB, "run_checker"), (Next.WAIT_FOR_READINESS, "orchestrator")]
)
@pytest.mark.parametrize("how", ["in time", "woken", "changed before"])
def test_a_wait_ends_by_time_by_a_change_and_by_one_that_was_there_before(following: Next, name: str, how: str) -> None:
    played = Played(resting(following), DONE)
    if how == "changed before":
        played.park_error = "DynamoDb.TransactionCanceledException"
    played.go_on()
    if how == "woken":
        played.machine.succeed(played.parked[0]["given"], {})
    played.go_on(MINUTE if how == "in time" else SECOND)
    assert played.execution.status is Status.SUCCEEDED
    called, payload = played.asked[-1]
    assert called == name
    assert payload["lost"] is None


def test_a_wait_that_cannot_begin_is_a_stumble() -> None:
    played = Played(resting(), DONE)
    played.park_error = "DynamoDb.AccessDeniedException"
    assert played.go_on() == "Stumbled"
    played.go_on(timedelta(seconds=STUMBLED))
    assert played.asked[-1][1]["lost"]["Error"] == "DynamoDb.AccessDeniedException"


@pytest.mark.parametrize(
    ("following", "name"), [(Next.START, "trigger"), (Next.CHECK, "run_checker"), (Next.STOP, "run_checker")]
)
def test_a_function_that_dies_over_a_job_is_told_to_the_run_and_ends_nothing(following: Next, name: str) -> None:
    """AWS-14, AWS-26: whatever it did is found out."""

    def dies(_name: str, _payload: Any) -> Any:
        raise TaskError("Sandbox.Timedout", "after 900 seconds")

    played = Played(State(run=RUN, next=following), DONE, others=dies)
    assert played.go_on() == "Completed"
    assert [each for each, _ in played.asked] == ["orchestrator", name, "orchestrator"]
    assert played.asked[-1][1]["lost"] == {"Error": "Sandbox.Timedout", "Cause": "after 900 seconds"}


def test_one_evaluator_that_dies_takes_no_other_with_it() -> None:
    """AWS-28."""
    wishes = tuple(EvaluateTrait(round=1, trait=TraitName(name), deadline=NOON) for name in ("first", "second"))

    def answered(_name: str, payload: Any) -> Any:
        if payload["wish"]["trait"] == "first":
            raise TaskError("Runtime.ExitError", "signal: killed")
        return payload

    played = Played(State(run=RUN, next=Next.EVALUATE, evaluate=wishes, room=1234), DONE, others=answered)
    assert played.go_on() == "Completed"
    assert {payload["room"] for name, payload in played.asked if name == "evaluator"} == {1234}
    lost, well = (wire.from_builtins(each, Asked) for each in played.asked[-1][1]["answers"])
    assert str(lost.lost) == "Runtime.ExitError: signal: killed"
    assert well.lost is None
    assert (lost.wish, well.wish) == wishes
