"""A whole deployment in the laboratory: real handlers, the real state machine, a real table and its stream, queues and topics.

What is ours runs as it does on AWS. The test plays AWS's part where no emulator can be trusted with it: it steps the event
source mappings while it waits, and calls what rules call. So between two waits nothing happens but what executions do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from tests.acceptance.cli import noon_zone
from tests.aws.e2e import project
from tests.aws.e2e.listening import Listening
from tests.aws.e2e.outside import Job, Outside
from tests.aws.e2e.site import Site
from tests.aws.lab.fixtures import Lab
from tests.aws.lab.functions import SOURCE, Call, Function, Refused
from tests.aws.lab.pump import StreamMapping, StreamPump, to_queue, wall
from tests.aws.lab.sqs_pump import QueuePump
from tests.aws.lab.stepfunctions import Ended
from tests.aws.lab.streams import StreamSource
from tests.servers.base import ServerFailed, until
from tests.servers.dynamodb import REGION
from tests.unit.aws.urls import ANNA, Reply, an_event

from interlock.aws.naming import execution_name
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, RunKey, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.core.runs import Run, RunStatus
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions
from interlock.stores.repository import Repository

PATIENCE: Final = 20.0
_HANDLERS: Final = Path(__file__).with_name("handlers")
_PAUSE: Final = 0.04
_ENDS: Final = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})


class _Reader:
    """A client of streams that asks for the shards once: the emulator never divides them."""

    def __init__(self, client: Any) -> None:
        self.get_records = client.get_records
        self.get_shard_iterator = client.get_shard_iterator
        self.describe_stream = cache(client.describe_stream)


class Deployment(Listening):
    """A deployment at work. It is noon there when it is made, so that no day ends under a test.

    Functions in `twice` are handed each batch twice, and those that are `down` cannot be called.
    """

    def __init__(self, lab: Lab, site: Site, outside: Outside) -> None:
        super().__init__(lab, site)
        self.outside = outside
        self.timezone = noon_zone()
        self.twice: set[str] = set()
        self.down: set[str] = set()
        self._dynamodb = lab.client("dynamodb")
        self._numbers = count(1)
        self._forgiven: list[Call] = []
        self._later = f"{site.table}-shifted"
        with ExitStack() as stack:
            self.kernel = DynamoKernel(
                DynamoOptions(table_name=site.table, region=REGION, endpoint=lab.ministack.url, create_table=False)
            )
            stack.callback(self.kernel.close)
            self.store = Repository(self.kernel)
            stack.callback(self.deafen)
            self._aside = stack.enter_context(ThreadPoolExecutor(2))
            self._taking: Future[int] | None = None
            self._stack = stack.pop_all()
        self.streams = {name: self._stream(name, mapping) for name, mapping in site.streamed.items()}
        handed = lambda event: self._handed("ingress", event)  # noqa: E731
        batch = site.requests_batch
        self.requests = QueuePump(self._sqs, site.queues["requests"], handed, batch_size=batch, report=True)
        shifted = Function(
            self._later,
            "shifted.handler",
            folders=(_HANDLERS, *site.folders, *SOURCE),
            environment=site.environment,
            timeout=60,
            workers=1,
        )
        lab.functions.add(shifted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # ------------------------------------------------------------ the parts

    def _stream(self, name: str, mapping: StreamMapping) -> StreamPump:
        arn = self._dynamodb.describe_table(TableName=self.site.table)["Table"]["LatestStreamArn"]
        source = StreamSource(_Reader(self.lab.client("dynamodbstreams")), arn)
        failures = to_queue(self._sqs, self.site.queues["failures"])
        return StreamPump(source, lambda event: self._handed(name, event), mapping, clock=wall, on_failure=failures)

    def _handed(self, name: str, event: dict[str, Any]) -> Any:
        """Hand a batch to a function; to those in `twice` once more, as if the first answer had been lost.

        Those that are `down` cannot be called.
        """
        if name in self.down:
            raise Refused("ServiceException", "as the test says")
        if name in self.twice:
            self.call(name, event)
        return self.call(name, event)

    # ------------------------------------------------------------ what AWS does

    @property
    def pumps(self) -> tuple[StreamPump | QueuePump, ...]:
        """The event source mappings."""
        return (*self.streams.values(), self.requests)

    def call(self, function: str, event: Any) -> Any:
        """Call a function by its name in Interlock."""
        return self.lab.functions.invoke(self.site.functions[function], event)

    def round(self, function: str, *, later: timedelta = timedelta()) -> Any:
        """Have a rule call a function: now, or as it would be called later."""
        if not later:
            return self.call(function, {"due": True})
        return self.lab.functions.invoke(self._later, {"function": function, "later": later.total_seconds()})

    def step(self) -> int:
        """Have the mappings deliver what is there now: those of the stream at once, that of the queue beside them."""
        taken = 0
        if self._taking is None:
            self._taking = self._aside.submit(self.requests.step)
        elif self._taking.done():
            taken, self._taking = self._taking.result(), None
        return taken + sum(pump.step() for pump in self.streams.values())

    def until(self, condition: Callable[[], Any], what: str, *, patience: float = PATIENCE) -> Any:
        """Step until something is so; return what the condition did."""
        deadline = monotonic() + patience
        while True:
            self.step()
            if found := condition():
                return found
            if monotonic() > deadline:
                errors = [repr(error)[:500] for pump in self.pumps for error in pump.errors]
                raise ServerFailed(f"waited {patience:g} s in vain: {what}; errors of functions: {errors}")
            sleep(_PAUSE)

    def settle(self) -> None:
        """Have the mappings deliver all that is there, and what comes of it."""
        idle = 0
        while idle < 3:
            busy = self.step() or (self._taking is not None and not self._taking.done())
            idle = 0 if busy else idle + 1

    def deliver_again(self) -> None:
        """Have the mappings deliver the whole stream once more, from its beginning."""
        for name, mapping in self.site.streamed.items():
            self._stream(name, mapping).drain()

    def crash(self, function: str, *, after: str = "") -> None:
        """Kill the processes of a function, whatever they are at; not before another call of it about a pipeline has ended."""
        name = self.site.functions[function]
        if after:
            calls = self.lab.functions.calls_of
            until(lambda: any(after in json.dumps(call.event) for call in calls(name)), f"{name} has answered")
        self.lab.functions.cool(name)

    # ------------------------------------------------------------ ways in

    def deploy(self, root: Path, *pipelines: Mapping[str, Any], prune: bool = False) -> None:
        """Deploy pipelines beside those that are there, or in their place (`prune`), as people do."""
        project.write(root, pipelines, self.outside, timezone=self.timezone)
        project.deploy(root, self.site.table, self.lab.ministack.url, prune=prune)

    @property
    def day(self) -> date:
        """The day of the deployment."""
        return datetime.now(ZoneInfo(self.timezone)).date()

    def days_ago(self, days: int) -> str:
        """Return a day that is over there."""
        return (self.day - timedelta(days=days)).isoformat()

    def raw(self, item: Mapping[str, Mapping[str, str]]) -> None:
        """Put an item into the table as others do."""
        self._dynamodb.put_item(TableName=self.site.table, Item=item)

    def marker(self, pipeline: str, source: str = "landing", **attributes: str) -> None:
        """Write a marker into the table as others do."""
        item = {"PK": f"PIPELINE#{pipeline}", "SK": f"MARKER#{source}#{next(self._numbers):06d}", **attributes}
        self.raw({name: {"S": text} for name, text in item.items()})

    def send(self, request: str, **fields: Any) -> None:
        """Send a request into the queue."""
        self._sqs.send_message(
            QueueUrl=self.site.queues["requests"], MessageBody=json.dumps({"request": request, **fields})
        )

    def report(self, pipeline: str, status: str = "success") -> None:
        """Have the last job of a pipeline say by the queue how it has ended."""
        self.tell_of(self.outside.begun(pipeline)[-1], status)

    def tell_of(self, job: Job, status: str = "success") -> None:
        """Have a job say by the queue how it has ended."""
        said = {"runId": job.body["run"], "attempt": int(job.body["attempt"]), "status": status}
        self.send("CompleteRun", **said)

    def ask(self, method: str, target: str, body: object = None, *, arn: str | None = ANNA) -> Reply:
        """Ask the API through its address, as somebody whom IAM knows, or without an ARN as nobody. All else goes on."""
        asked = self._aside.submit(self.call, "api", an_event(method, target, body, arn=arn))
        self.until(asked.done, f"{method} {target} is answered")
        found = asked.result()
        return Reply(found["statusCode"], found["headers"], found["body"])

    # ------------------------------------------------------------ what became of it

    def key(self, pipeline: str, number: int = 1, *, date: str = "", schedule: str = DEFAULT_SCHEDULE) -> RunKey:
        """Name a run: the first of today's, unless something else is said."""
        period = Period.parse(date or self.day.isoformat())
        return RunKey(Slot(PipelineName(pipeline), ScheduleName(schedule), period), number)

    def run(self, pipeline: str, number: int = 1, **slot: str) -> Run | None:
        """Return a run as it is now."""
        return self.store.run(self.key(pipeline, number, **slot))

    def runs(self, pipeline: str) -> tuple[Run, ...]:
        """Return the runs of a pipeline, newest first."""
        return self.store.runs_of(pipeline, limit=50)

    def results(self, pipeline: str, number: int = 1) -> dict[str, str]:
        """Return what the traits of a run have said by now."""
        run = self.run(pipeline, number)
        return {} if run is None else {str(each.trait): str(each.status) for each in run.results}

    def taken(self, pipeline: str, kind: str = "MARKER_RECEIVED") -> int:
        """Return how often the timeline of a pipeline tells of something."""
        return sum(each.record.kind == kind for each in self.store.timeline(pipeline, limit=200))

    def becomes(self, status: RunStatus, pipeline: str, number: int = 1, **slot: str) -> Run:
        """Wait until a run has a status."""

        def reached() -> Run | None:
            run = self.run(pipeline, number, **slot)
            if run is not None and run.status in _ENDS and run.status is not status:
                raise AssertionError(f"{run.key} is {run.status}, not {status}: {run.last_failure}")
            return run if run is not None and run.status is status else None

        found: Run = self.until(reached, f"{self.key(pipeline, number, **slot)} becomes {status}")
        return found

    def execution(self, key: RunKey, suffix: str = "") -> str:
        """Return the ARN of the execution of a run."""
        return self.named(execution_name(key, suffix))

    def named(self, execution: str) -> str:
        """Return the ARN of an execution of this name."""
        return f"{self.site.machine.replace(':stateMachine:', ':execution:')}:{execution}"

    def start(self, key: RunKey, suffix: str, **state: Any) -> str:
        """Start another execution for a run; `state` is what one knows that has gone on for a while."""
        return self.lab.machines.start(self.site.machine, {"run": key.run_id, **state}, execution_name(key, suffix))

    def picture(self) -> dict[str, Any]:
        """Return all that has happened here, as far as anybody can see it."""
        pipelines = sorted({one.pipeline for one in self.outside.asked})
        return {
            "runs": {run.key: run.version for each in pipelines for run in self.runs(each)},
            "jobs": len(self.outside.jobs),
            "executions": sorted(self.lab.machines.executions(self.site.machine)),
            "told": {topic: len(self._listened(topic)) for topic in self._ears},
        }

    def executions(self, pipeline: str) -> list[str]:
        """Return the names of the executions that a pipeline of a plain name has had."""
        named = re.compile(rf"{re.escape(pipeline)}-\d+-[0-9a-f]{{12}}(-\w+)?")
        return sorted(filter(named.fullmatch, self.lab.machines.executions(self.site.machine)))

    def ended(self, execution: str) -> Ended:
        """Wait until an execution has ended."""
        machines = self.lab.machines
        self.until(lambda: machines.describe(execution)["status"] != "RUNNING", f"{execution} ends")
        return machines.ended(execution)

    def waits(self, state: str, pipeline: str, number: int = 1, **slot: str) -> Run:
        """Wait until the execution of a run waits in a state; return the run as it lies there."""
        key = self.key(pipeline, number, **slot)
        self.until(lambda: self.run(pipeline, number, **slot), f"{key} is opened")
        self.waiting(state, self.execution(key))
        run = self.store.run(key)
        assert run is not None
        return run

    def waiting(self, state: str, execution: str) -> None:
        """Wait until an execution waits in a state."""
        self.until(lambda: self._lies(state, execution), f"{execution} waits in {state}")

    def _lies(self, state: str, execution: str) -> bool:
        try:
            events = self.lab.machines.history(execution)
        except self.lab.machines.client.exceptions.ExecutionDoesNotExist:
            return False
        entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
        return entered[-1:] == [state] and events[-1]["type"] == "TaskSubmitted"

    # ------------------------------------------------------------ what was told, and what went wrong

    def alerted(self, pipeline: str, kind: str) -> dict[str, Any]:
        """Wait until an alert has reached whoever has subscribed."""
        found: list[dict[str, Any]] = self.until(lambda: self.alerts(pipeline, kind), f"{pipeline}: {kind} is told")
        return found[0]

    def failed(self, function: str) -> list[str]:
        """Take the errors of a function out of what has gone wrong. A test leaves nothing there."""
        name = self.site.functions[function]
        found = [each for each in self._errors() if each.function == name]
        self._forgiven += found
        return [each.error for each in found]

    def trouble(self) -> list[str]:
        """Return what has gone wrong and no test has asked about."""
        errors = [f"{each.function}: {each.error} {str(each.answer)[:1500]}" for each in self._errors()]
        return [*errors, *(f"kept: {json.dumps(one)[:1500]}" for one in self.kept())]

    def _errors(self) -> list[Call]:
        mine = {*self.site.functions.values(), self._later}
        found = [each for each in self.lab.functions.calls if each.error and each.function in mine]
        return [each for each in found if not any(each is one for one in self._forgiven)]
