"""The stream's records: what starts an execution, what wakes one, what is a marker, and what nobody can use."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.aws.rig import Turning

from interlock.app.advance import advance
from interlock.aws.parking import Parking
from interlock.aws.records import Malformed, each, read
from interlock.aws.routing import Router
from interlock.aws.state import Next
from interlock.core.alerts import AlertType
from interlock.core.events import CancelAsked
from interlock.core.ids import RunKey
from interlock.core.runs import Cause
from interlock.errors import StoreUnavailable
from interlock.stores.dynamodb.items import item_of
from interlock.stores.kernel import Delete, Record
from interlock.stores.rows import row_of
from interlock.testing.builders import NOON, a_slot


class Machines:
    """Executions that only remember what was asked of them."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.woken: list[str] = []
        self.trouble: Exception | None = None

    def start(self, run: RunKey, suffix: str = "") -> bool:
        if self.trouble is not None:
            raise self.trouble
        self.started.append(run.run_id)
        return self.started.count(run.run_id) == 1

    def wake(self, token: str) -> bool:
        if self.trouble is not None:
            raise self.trouble
        self.woken.append(token)
        return True


class Failures:
    """A queue that keeps."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Any]] = []

    def keep(self, reason: str, what: object) -> None:
        self.kept.append((reason, what))


class Stream(Turning):
    """A store with a run, and the router of its stream."""

    def __init__(self) -> None:
        super().__init__()
        self.machines, self.failures = Machines(), Failures()
        self.parking = Parking(self.kernel)
        self.router = Router(self.hands, self.machines, self.parking, self.failures, pause=self.clock.advance)

    def record(self, pk: str, sk: str, event: str = "INSERT") -> dict[str, Any]:
        """Return the record of a row of ours, as the table's stream tells it."""
        found = self.kernel.get(pk, sk)
        assert found is not None
        image = item_of(row_of(found), shards=4)
        return a_record(image, event)

    def parked(self, token: str, seen: int, row: str = "TOKEN#one") -> None:
        """Let an execution lie down."""
        pk = f"parked/{self.key.run_id}"
        self.kernel.commit(pk, [Delete(row)])
        self.kernel.restore([Record(pk=pk, sk=row, version=seen, body={"token": token})])

    def changed(self) -> dict[str, Any]:
        """Let the run take its first answers, after which it starts its job, and return the record of its change."""
        self.step()
        self.carry(type(self.state)(run=self.key.run_id, answers=self.answers()))
        self.step()
        return self.record(SLOT_PK, "RUN#000001", "MODIFY")

    @property
    def asleep(self) -> list[str]:
        """The tokens of those who sleep."""
        return [each.token for each in self.parking.find(self.key.run_id)]


def a_record(image: dict[str, Any], event: str = "INSERT", *, number: str = "1", at: float = 0.0) -> dict[str, Any]:
    """Return a record of an item."""
    change = {
        "Keys": {"PK": image["PK"], "SK": image["SK"]},
        "NewImage": image,
        "SequenceNumber": number,
        "ApproximateCreationDateTime": at or NOON.timestamp(),
    }
    return {"eventName": event, "dynamodb": change}


def a_marker(pipeline: str = "example", sk: str = "MARKER#freshness#1", **attributes: Any) -> dict[str, Any]:
    """Return the record of a marker that somebody else put into the table."""
    return a_record({"PK": {"S": f"PIPELINE#{pipeline}"}, "SK": {"S": sk}, **attributes})


SLOT_PK = "slot/example:daily:2026-03-07"


def test_a_run_that_was_opened_gets_its_execution() -> None:
    stream = Stream()
    stream.router.route(stream.record(SLOT_PK, "RUN#000001"))
    assert stream.machines.started == [stream.key.run_id]


def test_a_record_that_comes_twice_does_nothing_more() -> None:
    """AWS-13, AWS-24, AWS-25: a batch is delivered again as a whole."""
    stream = Stream()
    record = stream.record(SLOT_PK, "RUN#000001")
    stream.router.route(record)
    stream.router.route(record)
    assert set(stream.machines.started) == {stream.key.run_id}
    assert not stream.failures.kept


def test_what_is_removed_and_what_is_no_run_starts_nothing() -> None:
    """AWS-43, AWS-48."""
    stream = Stream()
    stream.router.route(stream.record(SLOT_PK, "RUN#000001", "REMOVE"))
    for sk in ("OUT#000001#00000001#0000", "JOURNAL#000001#00000001", "ACTIVE#000001"):
        stream.router.route(stream.record(SLOT_PK, sk))
    assert stream.machines.started == []
    assert stream.failures.kept == []


def test_a_run_whose_history_was_removed_is_no_trouble() -> None:
    stream = Stream()
    record = stream.record(SLOT_PK, "RUN#000001")
    stream.kernel.commit(SLOT_PK, [Delete("RUN#000001")])
    stream.router.route(record)
    assert stream.machines.started == []


def test_a_run_that_is_over_gets_no_execution_however_late_its_record_comes() -> None:
    """AWS-42, AWS-24: hours late, or copied here with its history; people would be told of its failure once more."""
    stream = Stream()
    record = stream.record(SLOT_PK, "RUN#000001")
    stream.step()
    advance(stream.key, CancelAsked(at=NOON, actor="ann", reason="no"), stream.store)
    stream.until(Next.CANCELLED)
    stream.router.route(record)
    assert stream.machines.started == []


def test_a_run_that_has_ended_and_wishes_something_gets_its_execution() -> None:
    """AWS-14: nobody has been told yet."""
    stream = Stream()
    advance(stream.key, CancelAsked(at=NOON, actor="ann", reason="no"), stream.store)
    assert stream.run.ended
    assert stream.store.outstanding(stream.key)
    stream.router.route(stream.record(SLOT_PK, "RUN#000001"))
    assert stream.machines.started == [stream.key.run_id]


def test_a_run_that_cannot_be_read_is_kept_for_people_and_blocks_nobody() -> None:
    """AWS-24: to try again would hold up every run of the same shard."""
    stream = Stream()
    record = stream.record(SLOT_PK, "RUN#000001")
    damaged = Record(pk=SLOT_PK, sk="RUN#000001", version=7, body={"key": "nonsense"})
    assert stream.kernel.commit(SLOT_PK, [Delete("RUN#000001")])
    stream.kernel.restore([damaged])
    stream.router.route(record)
    ((reason, kept),) = stream.failures.kept
    assert "RUN#000001" in reason
    assert kept == record


# ---------------------------------------------------------------------- markers of others


def test_a_marker_opens_the_slot_of_its_own_date() -> None:
    """AWS-09, AWS-21: the date is the marker's, not the clock's."""
    stream = Stream()
    stream.router.route(a_marker(date={"S": "2026-03-05"}, scheduleID={"S": "daily"}))
    run = stream.store.latest_run(a_slot("2026-03-05"))
    assert run is not None
    assert run.cause is Cause.MARKER
    assert stream.failures.kept == []


def test_a_marker_without_attributes_is_for_the_slot_that_is_open_then() -> None:
    stream = Stream()
    stream.router.route(a_marker())
    (marker,) = stream.hands.controls.markers(stream.key.slot.pipeline, limit=9)
    assert (str(marker.slot), marker.source) == (str(stream.key.slot), "freshness")


def test_a_marker_with_a_version_in_words_is_a_marker_all_the_same() -> None:
    stream = Stream()
    stream.router.route(a_marker(version={"S": "v2"}))
    assert len(stream.hands.controls.markers(stream.key.slot.pipeline, limit=9)) == 1


def test_the_same_marker_twice_is_one_marker() -> None:
    stream = Stream()
    for _ in range(2):
        stream.router.route(a_marker())
    assert len(stream.hands.controls.markers(stream.key.slot.pipeline, limit=9)) == 1


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"scheduleID": {"N": "7"}}, "scheduleID: expected text"),
        ({"date": {"S": "yesterday"}}, "yesterday"),
        ({"scheduleID": {"S": "morning"}}, "morning"),
        ({"date": {"S": "2025-01-01"}}, "Replay the slot"),
        ({"source": {"S": "x" * 2000}}, "source"),
    ],
)
def test_a_marker_that_cannot_be_used_is_kept_with_the_reason(attributes: dict[str, Any], words: str) -> None:
    """AWS-24, AWS-22: it stops nobody, starts nothing, and is not lost."""
    stream = Stream()
    record = a_marker(**attributes)
    stream.router.route(record)
    ((reason, kept),) = stream.failures.kept
    assert words in reason
    assert kept == record
    assert stream.store.runs_of("example", limit=9)[1:] == ()


@pytest.mark.parametrize(("date", "kept"), [("2026-02-28", 0), ("2026-02-27", 1)])
def test_a_marker_counts_for_a_week(date: str, kept: int) -> None:
    """AWS-21."""
    stream = Stream()
    stream.router.route(a_marker(date={"S": date}))
    assert len(stream.failures.kept) == kept
    assert (stream.store.latest_run(a_slot(date)) is None) == bool(kept)


def test_a_marker_for_a_pipeline_that_nobody_deployed_is_told_and_kept() -> None:
    stream = Stream()
    stream.router.route(a_marker("nobody"))
    ((reason, _),) = stream.failures.kept
    assert "nobody" in reason
    told = [each.alert for each in stream.hands.dispatches.alerts(limit=9)]
    assert [alert.alert_type for alert in told] == [AlertType.RUN_POISONED]
    assert "nobody" in told[0].message


@pytest.mark.parametrize("pipeline", ["", "UPPER", "a b", "x" * 300])
def test_a_marker_for_what_can_be_no_pipeline_is_kept(pipeline: str) -> None:
    stream = Stream()
    before = stream.kernel.walk(None, 999)
    stream.router.route(a_marker(pipeline))
    assert len(stream.failures.kept) == 1
    # Nothing of it enters the store, and it pages nobody: the queue it is kept in does.
    assert stream.hands.dispatches.alerts(limit=9) == ()
    assert stream.kernel.walk(None, 999) == before


@pytest.mark.parametrize(("pk", "sk"), [("SOMETHING#else", "1"), ("SLOT#example:daily:2026-03-07", "RUN#000001")])
def test_an_item_that_nobody_expects_is_kept(pk: str, sk: str) -> None:
    stream = Stream()
    stream.router.route(a_record({"PK": {"S": pk}, "SK": {"S": sk}}))
    assert len(stream.failures.kept) == 1
    assert stream.machines.started == []


def test_a_marker_that_is_removed_is_no_marker() -> None:
    """AWS-48: whoever clears up old items arrives nothing by it."""
    stream = Stream()
    record = a_marker(date={"S": "2026-03-05"})
    record["eventName"] = "REMOVE"
    stream.router.route(record)
    assert stream.store.latest_run(a_slot("2026-03-05")) is None
    assert stream.failures.kept == []


# ---------------------------------------------------------------------- records and batches


@pytest.mark.parametrize(
    "raw",
    [{}, {"eventName": "INSERT"}, {"eventName": 7, "dynamodb": {}}, {"eventName": "INSERT", "dynamodb": {"Keys": {}}}],
)
def test_a_record_that_is_none_is_kept_and_blocks_nobody(raw: dict[str, Any]) -> None:
    """AWS-24."""
    stream = Stream()
    with pytest.raises(Malformed):
        read(raw)
    stream.router.route(raw)
    assert len(stream.failures.kept) == 1


def test_a_batch_goes_on_from_the_record_that_failed() -> None:
    """AWS-24: what stands before it is not repeated for it."""
    done: list[str] = []

    def do(raw: Any) -> None:
        number = raw["dynamodb"]["SequenceNumber"]
        if number == "3":
            raise StoreUnavailable("no answer")
        done.append(number)

    image = {"PK": {"S": "a"}, "SK": {"S": "b"}}
    answer, trouble = each([a_record(image, number=str(number)) for number in (1, 2, 3, 4)], do)
    assert done == ["1", "2"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    assert isinstance(trouble, StoreUnavailable)


def test_a_batch_that_went_well_says_so() -> None:
    answer, trouble = each([], lambda _raw: None)
    assert (answer, trouble) == ({"batchItemFailures": []}, None)
