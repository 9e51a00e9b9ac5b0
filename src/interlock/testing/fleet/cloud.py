"""The AWS mode in a simulated fleet: the generated state machine, and the functions' real bodies, in place of watchers.

Executions, and what the stream has still to hand on, are AWS's and outlive whatever dies. Each call of a function is a
process of its own, perhaps with a clock of its own. In a rough world records of the stream come twice, late or never,
executions are stopped by somebody, and the scheduler does not come for an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

from interlock.app import planning
from interlock.app.hands import Hands
from interlock.app.sweep import deliver_due
from interlock.aws.answering import answer
from interlock.aws.asl import state_machine
from interlock.aws.naming import execution_name
from interlock.aws.parking import Parking
from interlock.aws.routing import Router
from interlock.aws.scheduling import Clockwork
from interlock.aws.state import Asked, State
from interlock.aws.turning import LOOKS, STARTS, Bounds, Kinds, turn
from interlock.codec import wire
from interlock.core.ids import RunKey
from interlock.errors import Contention, StoreUnavailable, UnsafeDecision
from interlock.stores.dynamodb import names
from interlock.stores.kernel import Delete, Record
from interlock.testing.asl.execution import Execution
from interlock.testing.asl.failures import TaskError
from interlock.testing.asl.functions import invoking
from interlock.testing.asl.machine import ExecutionAlreadyExists, Machine, TokenRefused
from interlock.testing.asl.work import LAMBDA_INVOKE
from interlock.testing.builders import MINUTE, SECOND
from interlock.testing.clock import SkewedClock
from interlock.testing.fleet.nodes import Equip, LawfulStore, Looker, Specs
from interlock.testing.fleet.plans import SKEW
from interlock.testing.fleet.stage import Broken, Died, Stage
from interlock.testing.fleet.world import Fleet

if TYPE_CHECKING:
    from interlock.aws.machines import Failures, Machines
    from interlock.ports.clock import Clock

PARK: Final = "arn:aws:states:::aws-sdk:dynamodb:transactWriteItems.waitForTaskToken"
_CANCELLED: Final = "DynamoDb.TransactionCanceledException"
_LONG: Final = timedelta(hours=1)
_AT_ONCE: Final = 8
_DEATHS: Final = ("Lambda.Unknown", "Sandbox.Timedout", "Lambda.ServiceException", "Lambda.TooManyRequestsException")
_LOST: Final = 0.02
_STOPPED: Final = 0.01
_AWAY: Final = 0.005


class Cloud(Looker):
    """AWS, as far as Interlock uses it. `longest` is the LONGEST_WAIT of the functions."""

    def __init__(
        self, name: str, stage: Stage, error: timedelta, equip: Equip, specs: Specs, *, longest: timedelta
    ) -> None:
        self.specs = specs
        self.longest = longest
        self.machine = Machine(state_machine(), self._tasks(), clock=stage.clock, dice=Random(1))
        self.stream: list[tuple[str, str, bool]] = []
        stage.kernel.stream = self.stream
        self.lost = 0
        self.stopped = 0
        self._planned = False
        self._busy = False
        self._away_until = stage.now
        super().__init__(name, stage, error, equip)

    def _tasks(self) -> Mapping[str, Any]:
        functions: dict[str, Callable[[Any], Any]] = {
            "${orchestrator_arn}": partial(self._turn, ()),
            "${trigger_arn}": partial(self._turn, STARTS),
            "${run_checker_arn}": partial(self._turn, LOOKS),
            "${evaluator_arn}": self._answer,
        }
        return {LAMBDA_INVOKE: invoking(functions), PARK: self._park}

    # ------------------------------------------------------------------ functions

    def _call(self, body: Callable[[Hands], Any]) -> Any:
        """Call a function: a process of its own, which may die in the middle."""
        self.stage.enter(self)
        try:
            return body(self._equip(LawfulStore(self.stage), self._sandbox_clock()))
        except Died as exc:
            raise TaskError(self.stage.dice.choice(_DEATHS), "the function died") from exc
        except UnsafeDecision as exc:
            raise Broken(f"SC: {exc}") from exc
        finally:
            self.stage.leave()

    def _sandbox_clock(self) -> Clock:
        if self._chance(0.5):
            return SkewedClock(self.stage.clock, self.stage.dice.uniform(-0.5, 0.5) * SKEW)
        return self._clock()

    def _chance(self, likely: float) -> bool:
        return bool(self.stage.chaos) and self.stage.dice.random() < likely * self.stage.chaos

    def _turn(self, mine: Kinds, payload: Mapping[str, Any]) -> Any:
        state = wire.from_builtins(payload, State)
        bounds = Bounds(self.longest, partial(self._chance, _LOST))
        return wire.to_builtins(self._call(lambda hands: turn(state, hands, mine, bounds)))

    def _answer(self, payload: Mapping[str, Any]) -> Any:
        asked = wire.from_builtins(payload, Asked)
        return wire.to_builtins(self._call(lambda hands: answer(asked, hands)))

    def _park(self, parameters: Mapping[str, Any], _token: str) -> None:
        """Do the transaction: put the row of the token if the run stands as it was seen."""
        check, put = (item for each in parameters["TransactItems"] for item in each.values())
        kernel = self.stage.kernel
        run = kernel.get(_read(names.read_pk, check["Key"]["PK"]), _read(names.read_sk, check["Key"]["SK"]))
        seen = int(check["ExpressionAttributeValues"][":seen"]["N"])
        if run is None or run.version != seen:
            raise TaskError(_CANCELLED, "the run has changed")
        pk, sk = _read(names.read_pk, put["Item"]["PK"]), _read(names.read_sk, put["Item"]["SK"])
        body = wire.from_json(put["Item"]["body"]["S"], dict)
        kernel.commit(pk, [Delete(sk)])
        kernel.restore([Record(pk=pk, sk=sk, version=int(put["Item"]["version"]["N"]), body=body)])

    # ------------------------------------------------------------------ what AWS does by itself

    def work(self) -> None:
        """Let AWS go on: all of it, or some of it where the world is rough. Whoever sleeps then can be woken."""
        if self.stage.chaos:
            self._some()
        else:
            self.turn()
            while self._flow() or self._advance(self._ready()):
                pass
            self._deliver()
        for each in self.machine.executions.values():
            self._require_row(each)

    def _require_row(self, execution: Execution) -> None:
        if execution.ready or not execution.tokens:
            return
        there = {each.token for each in Parking(self.stage.kernel).find(execution.data["run"])}
        if not there.issuperset(execution.tokens):
            raise Broken(f"the execution {execution.name} sleeps, and nothing in the table can wake it")

    def _some(self) -> None:
        dice = self.stage.dice
        if dice.random() < 0.3:
            self.turn()
        if self._chance(_STOPPED):
            self._stop_one()
        for _ in range(dice.randint(1, _AT_ONCE)):
            if dice.random() < 0.4:
                self._flow()
            ready = self._ready()
            if ready:
                self._advance([dice.choice(ready)])
        if dice.random() < 0.3:
            self._deliver()

    def _stop_one(self) -> None:
        """Let somebody stop an execution who should not: its token stays where it is."""
        running = [each for each in self.machine.executions.values() if not each.ended and not each.busy]
        if running:
            self.stage.dice.choice(running).stop()
            self.stopped += 1

    def turn(self) -> None:
        """Let the scheduler tick, unless it does not come."""
        if self._chance(_AWAY):
            self._away_until = self.stage.now + _LONG
        if self._busy or (self.stage.chaos and self.stage.now < self._away_until):
            return
        self._busy = True
        try:
            self._safely(self._tick)
        finally:
            self._busy = False

    def _tick(self, hands: Hands) -> None:
        if not self._planned:
            self._planned = not planning.plan(self.specs, hands).troubles
        ticked = self._clockwork(hands, partial(self._hand_on, hands)).tick()
        if ticked.troubles and not self.stage.chaos:
            raise Broken(f"the scheduler could not do everything: {ticked.troubles}")

    def _hand_on(self, hands: Hands, parts: Sequence[Any]) -> None:
        self._clockwork(hands, lambda _parts: None).open(parts)

    def _clockwork(self, hands: Hands, hand_on: Callable[[Sequence[Any]], None]) -> Clockwork:
        return Clockwork(hands, Executions(self), Parking(self.stage.kernel), hand_on, self.longest)

    def _deliver(self) -> None:
        self._safely(lambda hands: deliver_due(hands, hands.clock.now() + _LONG))

    def _safely(self, body: Callable[[Hands], Any]) -> bool:
        """Let a function be called that AWS calls again if it fails; say whether it did not."""
        try:
            self._call(body)
        except (TaskError, StoreUnavailable, Contention):
            return False
        return True

    def _flow(self) -> bool:
        """Hand a record of the stream on; it comes again if that fails, and not for ever. Those of one row are in order."""
        if not self.stream:
            return False
        oldest = self._next_record()
        pk, sk, fresh = oldest
        if self._chance(_LOST):
            self.stream.remove(oldest)
            self.lost += 1
            return True
        done = self._safely(lambda hands: self._routed(pk, sk, hands, fresh=fresh))
        again = self.stage.dice.random() < 0.1 * self.stage.chaos
        # Somebody may have handed it on in the middle of this.
        if done and not again and oldest in self.stream:
            self.stream.remove(oldest)
        return True

    def _next_record(self) -> tuple[str, str, bool]:
        first = self.stage.dice.choice(self.stream) if self._chance(0.3) else self.stream[0]
        return next(each for each in self.stream if each[:2] == first[:2])

    def _routed(self, pk: str, sk: str, hands: Hands, *, fresh: bool) -> None:
        if not (pk.startswith("slot/") and sk.startswith("RUN#")):
            return  # the mapping's filter
        keys = {"PK": {"S": names.written_pk(pk)}, "SK": {"S": names.written_sk(sk)}}
        change = {"Keys": keys, "NewImage": {**keys, "version": {"N": "1"}}, "SequenceNumber": "1"}
        router = Router(hands, Executions(self), Parking(self.stage.kernel), Nowhere())
        router.route({"eventName": "INSERT" if fresh else "MODIFY", "dynamodb": change})

    def _ready(self) -> list[Execution]:
        return [each for each in self.machine.executions.values() if each.ready]

    def _advance(self, executions: Sequence[Execution]) -> bool:
        for execution in executions:
            if execution.ready:
                execution.step()
        return bool(executions)

    def next_instant(self) -> datetime | None:
        """Return when an execution wakes next."""
        dues = [each.due for each in self.machine.executions.values() if not each.ended and each.due is not None]
        return min(dues, default=None)


class Executions:
    """The executions, as functions reach them: a call may be lost, before it is made or after."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def start(self, run: RunKey, suffix: str = "") -> bool:
        """Start one."""
        self._cloud.stage.seam()
        try:
            self._cloud.machine.start({"run": run.run_id}, name=execution_name(run, suffix))
        except ExecutionAlreadyExists:
            return False
        self._cloud.stage.seam()
        return True

    def wake(self, token: str) -> bool:
        """Wake one."""
        self._cloud.stage.seam()
        try:
            self._cloud.machine.succeed(token, {})
        except TokenRefused:
            return False
        self._cloud.stage.seam()
        return True


class Nowhere:
    """There is nothing in these worlds that nobody can use."""

    def keep(self, reason: str, what: object) -> None:
        """Refuse it."""
        raise Broken(f"a record of the stream was given up: {reason}: {what}")


class CloudFleet(Fleet):
    """A fleet on AWS. With `longest` executions are as lazy as they are there; otherwise they wake when runs want it."""

    cloud: Cloud

    def __init__(self, seed: int, *, longest: timedelta = timedelta(), **given: Any) -> None:
        self._longest = longest
        super().__init__(seed, **given)

    def _hire(self, number: int) -> Sequence[Looker]:  # noqa: ARG002  (there is one AWS, however many watchers there were)
        error = self._error()
        self.cloud = Cloud("aws", self.stage, error, self._equip, self.specs, longest=self._longest)
        return [self.cloud]

    def clocks_set(self) -> None:
        """Note how far apart the clocks are now; those of sandboxes err, too."""
        super().clocks_set()
        if self.stage.chaos:
            self.stage.worst = max(self.stage.worst, *(abs(node.error) + SKEW / 2 for node in self.nodes))

    def next_instant(self) -> datetime:
        """Return when something happens next for sure."""
        woken = self.cloud.next_instant()
        known = super().next_instant()
        return known if woken is None else min(known, woken)

    def calm_step(self, grain: timedelta = SECOND) -> None:
        """Go to a moment after something is due; where nobody looks after that, to the scheduler's next tick."""
        now, woken = self.stage.now, self.cloud.next_instant()
        left_alone = super().next_instant() <= now and (woken is None or woken > now)
        super().calm_step(MINUTE / 2 if left_alone else grain)


def _read(read: Callable[[str], str | None], value: Mapping[str, str]) -> str:
    name = read(value["S"])
    if name is None:
        raise Broken(f"{value} is no name of ours")
    return name


if TYPE_CHECKING:

    def _are_ports(machines: Executions, failures: Nowhere) -> tuple[Machines, Failures]:
        return machines, failures
