"""`onRetry: clear` of the airflow trigger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from tests.servers.airflow_stub import USER, AirflowStub, Dag, Run, Version
from tests.servers.airflow_wire import Also, Asked, Reply

from interlock.clients.http import HttpClient
from interlock.codec.documents import mapping
from interlock.core.ids import RunKey, start_key
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobState
from interlock.testing.conformance.remote_triggers import SECRET, Fault, Verb
from interlock.testing.conformance.triggers import TIMEOUT, a_job, the_end
from interlock.triggers.airflow import AirflowTrigger, shared_run_id
from interlock.triggers.airflow_config import AirflowConfig
from interlock.triggers.context import TriggerContext

pytestmark = pytest.mark.enable_socket

OWN: Final = shared_run_id(a_job())
WHEN: Final = "2026-03-07T00:00:00Z"
ENDED: Final = datetime(2026, 3, 7, 4, 5, 6, 789, tzinfo=UTC)
SECOND: Final = a_job(attempt=2)
_SHOWN: Final[dict[Version, str]] = {"3": "2026-03-07T04:05:06.000789Z", "2": "2026-03-07T04:05:06.000789+00:00"}


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


@pytest.fixture(params=["3", "2"])
def stub(request: pytest.FixtureRequest) -> Iterator[AirflowStub]:
    """An Airflow with a DAG run that a first attempt has made, and that has failed."""
    with AirflowStub(request.param, password=SECRET) as made:
        made.dags["daily"] = Dag(ends="failed")
        run = Run(dag="daily", own=OWN, conf={"interlock": {"attempt": 1}}, logical_date=WHEN, state="failed")
        run.ended = ENDED
        made.runs["daily", OWN] = run
        yield made


def trigger(client: HttpClient, stub: AirflowStub, **keys: Any) -> AirflowTrigger:
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=client)
    config = {"url": stub.url, "dagID": "daily", "username": USER, "password": SECRET, "onRetry": "clear", **keys}
    return AirflowTrigger(msgspec.convert(config | {"logicalDate": WHEN}, AirflowConfig), context)


def the_run(stub: AirflowStub) -> Run:
    return stub.runs["daily", OWN]


def refused(made: AirflowTrigger, job: Job = SECOND) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        made.start(job, timeout=TIMEOUT)
    assert SECRET not in str(caught.value)
    return caught.value


def clears(stub: AirflowStub) -> list[Asked]:
    return [asked for asked in stub.asked if asked.path.endswith("/clear")]


def line(stub: AirflowStub, attempt: int = 2) -> str:
    return f"interlock: attempt {attempt} clears what had ended at {_SHOWN[stub.version]}"


# ---------------------------------------------------------------- what is cleared


def test_another_attempt_has_every_task_of_the_failed_dag_run_run_again(client: HttpClient, stub: AirflowStub) -> None:
    """With a logical date there can be no other DAG run; only what failed would leave what a cancellation skipped."""
    made = trigger(client, stub)
    handle = made.start(SECOND, timeout=TIMEOUT)
    assert handle.id == OWN
    assert mapping(handle.details)["endedBefore"] == _SHOWN[stub.version]
    assert the_end(made, SECOND, handle).state is JobState.SUCCEEDED
    assert [asked.body for asked in clears(stub)] == [{"dry_run": False}]
    assert len(stub.runs) == 1


def test_a_dag_run_is_named_after_its_run_and_its_store_and_not_after_the_attempt() -> None:
    """Another version of Interlock must find what this one has started; another store must not."""

    def name(job: Job, store: str) -> str:
        return shared_run_id(msgspec.structs.replace(job, key=f"{job.key}@{store}"))

    rerun = RunKey(SECOND.run.slot, number=2)
    assert OWN == "interlock__daily-sales:daily:2026-03-07:1"
    assert name(a_job(), "s1") == "interlock__daily-sales:daily:2026-03-07:1-s1-4f8b3848a880f0918708"
    assert name(SECOND, "s1") == name(a_job(), "s1") != name(a_job(), "s2")
    assert shared_run_id(Job(run=rerun, attempt=1, key=start_key(rerun.run_id, 1))) != OWN


def test_only_a_trigger_that_never_clears_may_be_called_again_under_the_same_key(
    client: HttpClient, stub: AirflowStub
) -> None:
    """LAT-46: two clears restart tasks that run by then."""
    assert trigger(client, stub, onRetry="new").repeatable
    assert not trigger(client, stub).repeatable


def test_without_a_dag_run_of_an_earlier_attempt_one_is_made(client: HttpClient, stub: AirflowStub) -> None:
    """The first attempt may never have reached Airflow."""
    stub.runs.clear()
    with stub.broken(Fault.LOST_ANSWER, Verb.START):
        assert refused(trigger(client, stub)).started is None
    found = trigger(client, stub).find(SECOND, timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    assert "endedBefore" not in mapping(found.details)
    assert not clears(stub)


def test_a_dag_run_that_somebody_else_made_in_the_same_moment_is_not_taken_for_ours(
    client: HttpClient, stub: AirflowStub
) -> None:
    """The request of an earlier attempt may arrive long after its time."""
    late = stub.runs.pop(("daily", OWN))
    late.become("running")
    stub.dags["daily"].ends = "running"

    def arrives(asked: Asked) -> None:
        if asked.verb is Verb.START:
            stub.runs["daily", OWN] = late

    stub.before = arrives
    assert refused(trigger(client, stub)).started is None
    assert trigger(client, stub).find(SECOND, timeout=TIMEOUT) is Absent.UNKNOWN


# ---------------------------------------------------------------- what is not


@pytest.mark.parametrize(
    ("state", "words"), [("running", "not by attempt 2"), ("queued", "not by attempt 2"), ("success", "has succeeded")]
)
def test_a_dag_run_that_somebody_else_set_going_is_left_alone_and_people_are_asked(
    client: HttpClient, stub: AirflowStub, state: str, words: str
) -> None:
    """Not known is what keeps the run open for `interlock complete`, and starts nothing again."""
    the_run(stub).become(state)
    stub.dags["daily"].ends = state
    error = refused(trigger(client, stub))
    assert error.started is None
    assert words in str(error)
    assert trigger(client, stub).find(SECOND, timeout=TIMEOUT) is Absent.UNKNOWN
    assert stub.starts() == 0


def test_a_note_that_a_person_has_removed_does_not_let_a_running_dag_run_be_cleared(
    client: HttpClient, stub: AirflowStub
) -> None:
    made = trigger(client, stub)
    made.start(SECOND, timeout=TIMEOUT)
    the_run(stub).note = "thanks, I look after it"
    assert made.find(SECOND, timeout=TIMEOUT) is Absent.UNKNOWN
    assert refused(made, a_job(attempt=3)).started is None
    assert stub.starts() == 1


def test_a_dag_run_without_an_end_is_not_cleared(client: HttpClient, stub: AirflowStub) -> None:
    """Nothing would tell its old end from the new one."""
    the_run(stub).ended = None
    error = refused(trigger(client, stub))
    assert error.started is False
    assert "does not say when it has ended" in str(error)
    assert stub.starts() == 0


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.THROTTLED, Fault.BROKEN, Fault.GARBAGE])
def test_a_dag_run_that_cannot_be_looked_at_is_not_cleared(client: HttpClient, stub: AirflowStub, fault: Fault) -> None:
    with stub.broken(fault, Verb.LOOK):
        error = refused(trigger(client, stub))
    assert (error.started, error.category) == (False, "TRANSIENT")
    assert stub.starts() == 0


def test_an_attempt_that_may_not_clear_has_started_nothing(client: HttpClient, stub: AirflowStub) -> None:
    stub.before = lambda asked: Reply(403, {"detail": "Forbidden"}) if asked.verb is Verb.START else None
    error = refused(trigger(client, stub))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "lacks a permission" in str(error)


def test_whatever_clears_without_naming_our_dag_run_has_not_said_that_it_did(
    client: HttpClient, stub: AirflowStub
) -> None:
    """LAT-21."""
    stub.before = lambda asked: Reply(200, {"dag_run_id": "another"}) if asked.verb is Verb.START else None
    assert refused(trigger(client, stub)).started is None


# ---------------------------------------------------------------- the note


def test_the_note_keeps_what_people_wrote_and_names_the_last_attempt_alone(
    client: HttpClient, stub: AirflowStub
) -> None:
    the_run(stub).note = f"ask Ann\n{line(stub)}\n\nor Bob"
    trigger(client, stub).start(a_job(attempt=3), timeout=TIMEOUT)
    assert the_run(stub).note == f"ask Ann\n\nor Bob\n{line(stub, 3)}"


def test_a_note_without_room_is_not_cut(client: HttpClient, stub: AirflowStub) -> None:
    the_run(stub).note = "x" * 960
    error = refused(trigger(client, stub))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "shorten it" in str(error)
    assert the_run(stub).note == "x" * 960
    assert stub.starts() == 0


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.BROKEN, Fault.THROTTLED, Fault.GARBAGE])
def test_nothing_is_cleared_that_was_not_noted_for_certain(client: HttpClient, stub: AirflowStub, fault: Fault) -> None:
    """What was cleared without a note could not be found again."""
    with stub.broken(fault, Also.NOTE):
        error = refused(trigger(client, stub))
    assert (error.started, error.category) == (False, "TRANSIENT")
    assert stub.starts() == 0
    third = a_job(attempt=3)
    made = trigger(client, stub)
    assert the_end(made, third, made.start(third, timeout=TIMEOUT)).state is JobState.SUCCEEDED


# ---------------------------------------------------------------- after a start that was cut short


def test_what_was_noted_and_not_cleared_is_known_not_to_be_started(client: HttpClient, stub: AirflowStub) -> None:
    """LAT-46: the process ended between the two requests."""
    with stub.broken(Fault.LOST_REQUEST, Verb.START):
        assert refused(trigger(client, stub)).started is None
    assert the_run(stub).note == line(stub)
    assert trigger(client, stub).find(SECOND, timeout=TIMEOUT) is Absent.CERTAINLY
    assert stub.starts() == 0


@pytest.mark.parametrize("then", ["running", "success", "failed"])
def test_what_was_cleared_is_found_however_it_goes_on(client: HttpClient, stub: AirflowStub, then: str) -> None:
    """LAT-46: a DAG run that has failed once more is the end of this attempt, and not that of the one before."""
    with stub.broken(Fault.LOST_ANSWER, Verb.START):
        assert refused(trigger(client, stub)).started is None
    the_run(stub).become(then)
    stub.dags["daily"].then = then
    made = trigger(client, stub)
    found = made.find(SECOND, timeout=TIMEOUT)
    assert isinstance(found, JobHandle)
    expected = {"running": JobState.RUNNING, "success": JobState.SUCCEEDED, "failed": JobState.FAILED}[then]
    assert made.poll(SECOND, found, timeout=TIMEOUT).state is expected
    assert made.find(a_job(attempt=3), timeout=TIMEOUT) is (Absent.CERTAINLY if then == "failed" else Absent.UNKNOWN)


def test_an_end_that_was_noted_under_airflow_2_is_known_again_after_an_upgrade(client: HttpClient) -> None:
    """The two write one moment in two ways."""
    with AirflowStub("2", password=SECRET) as stub:
        stub.dags["daily"] = Dag()
        run = Run(dag="daily", own=OWN, conf={}, logical_date=WHEN, state="failed", ended=ENDED, note=line(stub))
        stub.runs["daily", OWN] = run
        stub.version = "3"
        assert trigger(client, stub).find(SECOND, timeout=TIMEOUT) is Absent.CERTAINLY


# ---------------------------------------------------------------- looking and stopping


def test_the_end_of_the_attempt_before_is_not_taken_for_that_of_this_one(client: HttpClient, stub: AirflowStub) -> None:
    """T-22: a look may be answered from a copy of Airflow's database that lags behind."""
    made = trigger(client, stub)
    handle = made.start(SECOND, timeout=TIMEOUT)
    the_run(stub).state, the_run(stub).ended = "failed", ENDED
    report = made.poll(SECOND, handle, timeout=TIMEOUT)
    assert report.state is JobState.UNSEEN
    assert "before it was cleared" in report.reason
    made.cancel(SECOND, handle, timeout=TIMEOUT)
    assert [asked.body for asked in stub.asked if asked.verb is Verb.STOP] == [{"state": "failed"}]


def test_an_attempt_that_ended_is_not_stopped(client: HttpClient, stub: AirflowStub) -> None:
    made = trigger(client, stub)
    handle = made.start(SECOND, timeout=TIMEOUT)
    the_end(made, SECOND, handle)
    made.cancel(SECOND, handle, timeout=TIMEOUT)
    assert the_run(stub).state == "success"
