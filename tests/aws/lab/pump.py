"""Event source mappings for streams: what AWS Lambda does between a table's stream and a function, one step at a time.

    mapping = StreamMapping(batch_size=10, maximum_retry_attempts=2)
    pump = StreamPump(StreamSource(client, arn), handler, mapping, clock=wall)
    pump.drain()

The function is called with the event and returns its answer, or raises. Nothing sleeps: a failed batch is tried again by the
next step, and time is a clock that the caller holds. What raises `BaseException` kills the pump's process, as it were: it
passes through, and the batch is delivered again.

Where the documentation is silent: an answer that names a later record than the first makes a new batch of the rest, with all
its retries before it; and a batch that is to be split at its first record is halved.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any, Final, NamedTuple, Protocol, Self, TypeAlias
from zlib import crc32

from msgspec import Struct
from tests.aws.lab.filters import Filters, Pattern
from tests.aws.lab.streams import Clock, Record, Source, number_of, stamp_of
from tests.servers.dynamodb import REGION

Function: TypeAlias = Callable[[dict[str, Any]], Any]
Destination: TypeAlias = Callable[[dict[str, Any]], object]

FUNCTION_ARN: Final = f"arn:aws:lambda:{REGION}:123456789012:function:lab"
RETENTION: Final = timedelta(hours=24)
MAX_PAYLOAD: Final = 6 * 1024 * 1024
REPORTING: Final = "ReportBatchItemFailures"

_TOO_OFTEN: Final = "RetryAttemptsExhausted"
_TOO_OLD: Final = "RecordAgeExceeded"


class Blocked(Exception):
    """A pump does not come to an end: a batch fails for ever, or the function's own writes call it again and again."""


class StreamMapping(Struct, frozen=True, kw_only=True):
    """A mapping by the names and defaults of AWS, which Terraform uses too. The starting position belongs to the source.

    -1 means for ever: until a record leaves the stream, after a day. With more than one batch at a time
    (`parallelization_factor`) only the records of one item, partition and sort key, stay in order.
    """

    batch_size: int = 100
    maximum_batching_window_in_seconds: int = 0
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1
    maximum_record_age_in_seconds: int = -1
    bisect_batch_on_function_error: bool = False
    function_response_types: tuple[str, ...] = ()
    filters: tuple[Pattern, ...] = ()

    def __post_init__(self) -> None:
        age = self.maximum_record_age_in_seconds
        for name, valid in {
            "batch_size": 1 <= self.batch_size <= 10_000,
            "maximum_batching_window_in_seconds": 0 <= self.maximum_batching_window_in_seconds <= 300,
            "parallelization_factor": 1 <= self.parallelization_factor <= 10,
            "maximum_retry_attempts": -1 <= self.maximum_retry_attempts <= 10_000,
            "maximum_record_age_in_seconds": age == -1 or 60 <= age <= 604_800,
            "function_response_types": set(self.function_response_types) <= {REPORTING},
        }.items():
            if not valid:
                raise ValueError(f"AWS refuses {name} = {getattr(self, name)}")


class Call(NamedTuple):
    """One call of the function: what it was given, what of it failed, and the error if it was one."""

    given: tuple[str, ...]
    failed: tuple[str, ...]
    error: Exception | None


class _Batch:
    """Records that are delivered together, and how often they were."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self.calls = 0

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(map(number_of, self.records))


class _Lane:
    """What is delivered one batch after the other: a shard, or with several batches at a time a part of one."""

    def __init__(self, shard: str) -> None:
        self.shard = shard
        self.waiting: deque[tuple[datetime, Record]] = deque()
        self.batches: deque[_Batch] = deque()

    @property
    def records(self) -> Iterable[Record]:
        yield from (record for batch in self.batches for record in batch.records)
        yield from (record for _, record in self.waiting)

    def first(self, mapping: StreamMapping, now: datetime) -> _Batch | None:
        """Return the batch whose turn it is: the one that failed, or a new one if it is full or its time has come."""
        if not self.batches and self.waiting:
            count, size = 0, 0
            for _, record in self.waiting:
                size += len(json.dumps(record))
                if count == mapping.batch_size or (count and size > MAX_PAYLOAD):
                    break
                count += 1
            full = count == mapping.batch_size or count < len(self.waiting)
            window = timedelta(seconds=mapping.maximum_batching_window_in_seconds)
            if full or now - self.waiting[0][0] >= window:
                self.batches.append(_Batch([self.waiting.popleft()[1] for _ in range(count)]))
        return self.batches[0] if self.batches else None


def wall() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


class StreamPump:
    """A mapping between a stream and a function. `calls`, `errors` and `given_up` tell what happened, oldest first.

    `given_up` has the messages about batches that nobody will deliver again, whether or not there is a destination for them.
    """

    def __init__(
        self,
        source: Source,
        function: Function,
        mapping: StreamMapping | None = None,
        *,
        clock: Clock,
        on_failure: Destination | None = None,
        function_arn: str = FUNCTION_ARN,
    ) -> None:
        self.calls: list[Call] = []
        self.errors: list[Exception] = []
        self.given_up: list[dict[str, Any]] = []
        self._source = source
        self._function = function
        self._mapping = mapping or StreamMapping()
        self._filters = Filters(*self._mapping.filters)
        self._clock = clock
        self._on_failure = on_failure
        self._function_arn = function_arn
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._read: dict[str, list[str]] = {}

    # ------------------------------------------------------------ for the caller

    def step(self) -> int:
        """Deliver what is there now, each lane until a batch fails. Return how many batches were tried or given up."""
        self._take_in()
        return sum(map(self._work_off, self._lanes.values()))

    def drain(self, *, steps: int = 1000) -> int:
        """Step until nothing is left to deliver now; what waits for its window stays. Return what all steps did.

        Raises:
            Blocked: there is still something after so many steps.
        """
        done = 0
        for _ in range(steps):
            moved = self.step()
            if not moved:
                return done
            done += moved
        last = repr(self.errors[-1]) if self.errors else "none"
        raise Blocked(f"after {steps} steps {self.backlog} records are left, and the last error was: {last}")

    @property
    def backlog(self) -> int:
        """How many records were read and are not done: those that failed, those behind them, and those of an open window."""
        return sum(1 for lane in self._lanes.values() for _ in lane.records)

    @property
    def checkpoints(self) -> dict[str, str]:
        """By shard, the record up to which all are done, filtered out or given up: where another pump would go on."""
        found = {}
        for shard, numbers in self._read.items():
            open_ = {
                number_of(record) for lane in self._lanes.values() if lane.shard == shard for record in lane.records
            }
            done = next((place for place, number in enumerate(numbers) if number in open_), len(numbers))
            if done:
                found[shard] = numbers[done - 1]
        return found

    # ------------------------------------------------------------ what a step does

    def _take_in(self) -> None:
        now = self._clock()
        busy = {lane.shard for lane in self._lanes.values() for _ in lane.records}
        for shard, records in self._source.read(busy):
            for record in records:
                self._read.setdefault(shard, []).append(number_of(record))
                if self._filters.take(record):
                    item = json.dumps(record["dynamodb"]["Keys"], sort_keys=True).encode()
                    part = crc32(item) % self._mapping.parallelization_factor
                    self._lanes.setdefault((shard, part), _Lane(shard)).waiting.append((now, record))

    def _work_off(self, lane: _Lane) -> int:
        done, goes_on = 0, True
        while goes_on and (batch := lane.first(self._mapping, self._clock())) is not None:
            goes_on = self._drop_old(lane, batch) or self._deliver(lane, batch)
            done += 1
        return done

    def _drop_old(self, lane: _Lane, batch: _Batch) -> bool:
        allowed = self._mapping.maximum_record_age_in_seconds
        limit = RETENTION if allowed < 0 else min(RETENTION, timedelta(seconds=allowed))
        now = self._clock()
        old = [record for record in batch.records if now - stamp_of(record) > limit]
        if old:
            young = [record for record in batch.records if record not in old]
            self._replace(lane, [young] if young else [])
            self._give_up(lane, old, batch.calls, _TOO_OLD)
        return bool(old)

    def _deliver(self, lane: _Lane, batch: _Batch) -> bool:
        """Call the function with a batch, and say whether the next one may follow at once."""
        records, numbers = batch.records, batch.numbers
        batch.calls += 1
        failed = self._failed(records, numbers)
        done = min((numbers.index(number) for number in failed), default=len(records))
        if done == len(records):
            self._replace(lane, [])
            return True
        if done:
            self._replace(lane, [records[done:]])
        elif self._mapping.bisect_batch_on_function_error and len(records) > 1:
            half = len(records) // 2
            self._replace(lane, [records[:half], records[half:]])
        elif 0 <= self._mapping.maximum_retry_attempts < batch.calls:
            self._replace(lane, [])
            self._give_up(lane, records, batch.calls, _TOO_OFTEN)
            return True
        return False

    def _failed(self, records: Sequence[Record], numbers: Sequence[str]) -> frozenset[str]:
        answer, error = answer_of(self._function, {"Records": records})
        if error is not None:
            self.errors.append(error)
            failed = frozenset(numbers)
        else:
            failed = failed_in(answer, numbers) if REPORTING in self._mapping.function_response_types else frozenset()
        self.calls.append(Call(tuple(numbers), tuple(number for number in numbers if number in failed), error))
        return failed

    def _replace(self, lane: _Lane, parts: Sequence[Sequence[Record]]) -> None:
        lane.batches.popleft()
        lane.batches.extendleft(_Batch(part) for part in reversed(parts))

    def _give_up(self, lane: _Lane, records: Sequence[Record], calls: int, condition: str) -> None:
        told: dict[str, Any] = {
            "requestContext": {
                "requestId": f"00000000-0000-4000-8000-{len(self.calls):012d}",
                "functionArn": self._function_arn,
                "condition": condition,
                "approximateInvokeCount": calls,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
            "version": "1.0",
            "timestamp": _written(self._clock(), "milliseconds"),
            "DDBStreamBatchInfo": {
                "shardId": lane.shard,
                "startSequenceNumber": number_of(records[0]),
                "endSequenceNumber": number_of(records[-1]),
                "approximateArrivalOfFirstRecord": _written(stamp_of(records[0]), "seconds"),
                "approximateArrivalOfLastRecord": _written(stamp_of(records[-1]), "seconds"),
                "batchSize": len(records),
                "streamArn": self._source.arn,
            },
        }
        if not calls:
            del told["responseContext"]
        elif self.calls[-1].error is not None:
            told["responseContext"]["functionError"] = "Unhandled"
        self.given_up.append(told)
        if self._on_failure is not None:
            self._on_failure(told)


def answer_of(function: Function, event: dict[str, Any]) -> tuple[Any, Exception | None]:
    """Call a function as Lambda does, by way of JSON both there and back; return its answer, or its error."""
    try:
        return json.loads(json.dumps(function(json.loads(json.dumps(event))))), None
    except Exception as exc:
        return None, exc


def failed_in(answer: Any, identifiers: Sequence[str]) -> frozenset[str]:
    """Return what an answer says has failed: none if it says nothing of it, all if it names what was not given."""
    if answer is None or (isinstance(answer, Mapping) and not answer.get("batchItemFailures")):
        return frozenset()
    failures = answer["batchItemFailures"] if isinstance(answer, Mapping) else None
    everything = frozenset(identifiers)
    if not isinstance(failures, list):
        return everything
    named = {failure.get("itemIdentifier") if isinstance(failure, Mapping) else None for failure in failures}
    return everything & named if named <= everything else everything


def _written(at: datetime, precision: str) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


# ------------------------------------------------------------ where failures go


def to_queue(client: Any, url: str) -> Destination:
    """Return a destination that is an SQS queue."""
    return lambda message: client.send_message(QueueUrl=url, MessageBody=json.dumps(message))


def to_topic(client: Any, arn: str) -> Destination:
    """Return a destination that is an SNS topic."""
    return lambda message: client.publish(TopicArn=arn, Message=json.dumps(message))


# ------------------------------------------------------------ by itself


class Pump(Protocol):
    """What can be run by itself."""

    errors: list[Exception]

    def step(self) -> int:
        """Deliver what is there now."""
        ...


class Running:
    """Pumps that step by themselves, each on a thread of its own, until the `with` block is left.

    A step that fails, such as for a server that is away, is kept in `errors` and tried again.
    """

    def __init__(self, *pumps: Pump, every: float = 0.05) -> None:
        self._pumps = pumps
        self._every = every
        self._stopped = Event()
        self._failed: list[Exception] = []
        self._threads = [Thread(target=self._run, args=(pump,), name="pump", daemon=True) for pump in pumps]

    @property
    def errors(self) -> list[Exception]:
        """What went wrong: in the functions, and on the way to them."""
        return [*self._failed, *(error for pump in self._pumps for error in pump.errors)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=30)
        if any(thread.is_alive() for thread in self._threads):
            raise Blocked("a pump's function has not returned for 30 seconds")

    def _run(self, pump: Pump) -> None:
        while not self._stopped.is_set():
            try:
                pump.step()
            except Exception as exc:
                self._failed.append(exc)
            self._stopped.wait(self._every)
