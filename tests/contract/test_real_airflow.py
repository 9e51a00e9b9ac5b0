"""The airflow trigger before real ones: Airflow 3 and Airflow 2, where `make airflow` has installed them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from tests.acceptance.cli import interlock
from tests.acceptance.dags import PASSWORD_NAME, a_dag_project
from tests.servers.airflow import PASSWORD, PAUSED, USER, AirflowServer

from interlock.clients.http import HttpClient
from interlock.codec.documents import mapping
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobState, Trigger
from interlock.testing.conformance.triggers import TIMEOUT, Kind, TriggerContract, a_job, the_end, until
from interlock.triggers.airflow import AirflowTrigger
from interlock.triggers.airflow_config import AirflowConfig
from interlock.triggers.context import TriggerContext

CLEARS = {"onRetry": "clear", "logicalDate": "2026-03-07T00:00:00Z"}
SECOND = a_job(attempt=2)
_DAGS = {Kind.SUCCEEDS: "succeeds", Kind.FAILS: "fails", Kind.LINGERS: "lingers"}


class RealBench:
    can_find = True
    can_cancel = True

    def __init__(self, server: AirflowServer, client: HttpClient) -> None:
        self.server = server
        self.client = client
        self.dags = server.fresh_dags()

    def trigger(self, kind: Kind) -> Trigger:
        made = self.of(_DAGS[kind])
        return _TakenUp(made, self) if kind is Kind.LINGERS else made

    def of(self, dag: str, **keys: Any) -> Trigger:
        config = {
            "url": self.server.url + "/",
            "dagID": self.dags.get(dag, dag),
            "username": USER,
            "password": PASSWORD,
            **keys,
        }
        context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=self.client)
        return AirflowTrigger(msgspec.convert(config, AirflowConfig), context)

    def starts(self) -> int:
        return sum(len(self.server.runs(dag)) for dag in (*self.dags.values(), PAUSED))

    def taken_up(self, handle: JobHandle, dag: str) -> None:
        """Wait until the scheduler has taken a DAG run up."""
        until(lambda: self._state_of(handle, dag) != "queued", "the scheduler to take the DAG run up")

    def by_hand(self, method: str, handle: JobHandle, dag: str, body: Any, more: str = "") -> None:
        """Do something with a DAG run as a person would."""
        place = f"/dags/{self.dags[dag]}/dagRuns/{quote(handle.id, safe='')}{more}"
        status, answer = self.server.ask(method, place, body)
        assert status == 200, answer

    def annotate(self, handle: JobHandle, dag: str, note: str) -> None:
        self.by_hand("PATCH", handle, dag, {"note": note}, "/setNote" if self.server.version == "2" else "")

    def _state_of(self, handle: JobHandle, dag: str) -> str:
        runs = self.server.runs(self.dags[dag])
        return next(str(run["state"]) for run in runs if run["dag_run_id"] == handle.id)


class _TakenUp:
    """Starts of it return when the scheduler has taken the DAG run up.

    SQLite has no row locks: a DAG run that is set to failed in that very moment is set to running again by the scheduler, and
    ends as a success with all its tasks skipped.
    """

    repeatable = True
    watchable = True

    def __init__(self, inner: Trigger, bench: RealBench) -> None:
        self._inner, self._bench = inner, bench
        self.find, self.poll, self.cancel = inner.find, inner.poll, inner.cancel

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        handle = self._inner.start(job, timeout=timeout)
        self._bench.taken_up(handle, "lingers")
        return handle


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.timeout(240)
class _OnAServer(TriggerContract):
    @pytest.fixture
    def server(self, request: pytest.FixtureRequest) -> AirflowServer:
        raise RuntimeError("these laws need a `server` fixture")

    @pytest.fixture
    def bench(self, server: AirflowServer) -> Iterator[RealBench]:
        client = HttpClient(allow=["127.0.0.1"])
        yield RealBench(server, client)
        client.close()

    def test_many_starts_at_once_under_one_key_start_one_job(self, bench: RealBench) -> None:  # type: ignore[override]
        """SQLite refuses some of many writers at once, and Airflow answers 500: nobody then knows, and asks again."""
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(bench.of("succeeds").start, a_job(), timeout=TIMEOUT) for _ in range(8)]
        trouble = [call.exception() for call in calls if call.exception()]
        assert all(isinstance(one, TriggerError) and one.category == "TRANSIENT" for one in trouble)
        handle = bench.of("succeeds").start(a_job(), timeout=TIMEOUT)
        assert {call.result() for call in calls if not call.exception()} <= {handle}
        assert the_end(bench.of("succeeds"), a_job(), handle).state is JobState.SUCCEEDED
        assert bench.starts() == 1

    def test_two_cancellations_at_once_are_one(self, bench: RealBench) -> None:  # type: ignore[override]
        """One of them may be refused for the same reason; it is asked for again."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(trigger.cancel, a_job(), handle, timeout=TIMEOUT) for _ in range(2)]
        trouble = [call.exception() for call in calls if call.exception()]
        assert all(isinstance(one, TriggerError) and one.category != "PERMANENT" for one in trouble)
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)
        assert the_end(trigger, a_job(), handle).state is JobState.FAILED

    def test_the_dag_run_has_the_conf_of_the_file_and_is_told_what_it_is_for(self, bench: RealBench) -> None:
        bench.of("succeeds", body='{"tables": ["sales"]}').start(a_job(attempt=2), timeout=TIMEOUT)
        conf = bench.server.runs(bench.dags["succeeds"])[0]["conf"]
        assert conf["tables"] == ["sales"]
        assert conf["interlock"]["date"] == "2026-03-07"
        assert conf["interlock"]["attempt"] == 2

    @pytest.mark.parametrize(("dag", "words"), [(PAUSED, "is paused"), ("nowhere", "no DAG nowhere")])
    def test_a_dag_that_cannot_run_is_refused_before_anything_is_started(
        self, bench: RealBench, dag: str, words: str
    ) -> None:
        """T-22: a run of a paused DAG would wait without end."""
        with pytest.raises(TriggerError, match=words) as caught:
            bench.of(dag).start(a_job(), timeout=TIMEOUT)
        assert (caught.value.started, caught.value.category) == (False, "PERMANENT")
        assert bench.starts() == 0

    @pytest.mark.parametrize("keys", [{"password": "wrong-and-secret"}, {"username": "looker"}])
    def test_whoever_may_not_start_dag_runs_starts_none(self, bench: RealBench, keys: dict[str, str]) -> None:
        with pytest.raises(TriggerError, match=r"password|permission") as caught:
            bench.of("succeeds", **keys).start(a_job(), timeout=TIMEOUT)
        assert (caught.value.started, caught.value.category) == (False, "PERMANENT")
        assert "wrong-and-secret" not in str(caught.value)
        assert bench.starts() == 0

    def test_a_logical_date_that_is_taken_names_the_dag_run_in_the_way(self, bench: RealBench) -> None:
        trigger = bench.of("lingers", logicalDate="2026-03-07T00:00:00Z")
        first = trigger.start(a_job(), timeout=TIMEOUT)
        assert trigger.start(a_job(), timeout=TIMEOUT) == first
        with pytest.raises(TriggerError) as caught:
            trigger.start(a_job("other-sales"), timeout=TIMEOUT)
        assert (caught.value.started, caught.value.category) == (False, "PERMANENT")
        assert first.id in str(caught.value)

    def test_a_deleted_dag_run_has_vanished(self, bench: RealBench) -> None:
        """T-22."""
        trigger = bench.trigger(Kind.LINGERS)
        handle = trigger.start(a_job(), timeout=TIMEOUT)
        bench.server.delete_runs(bench.dags["lingers"])
        assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.VANISHED
        trigger.cancel(a_job(), handle, timeout=TIMEOUT)

    def test_the_reason_of_a_failure_names_the_task(self, bench: RealBench) -> None:
        trigger = bench.of("fails")
        report = the_end(trigger, a_job(), trigger.start(a_job(), timeout=TIMEOUT))
        assert report.reason == "the DAG run failed in work"

    # ------------------------------------------------------------ onRetry: clear

    def test_another_attempt_clears_the_dag_run_that_failed(self, bench: RealBench) -> None:
        """From the moment that it is cleared Airflow shows nothing of the end before."""
        trigger = bench.of("recovers", **CLEARS)
        first = trigger.start(a_job(), timeout=TIMEOUT)
        assert the_end(trigger, a_job(), first).state is JobState.FAILED
        bench.annotate(first, "recovers", "ask Ann")
        assert trigger.find(SECOND, timeout=TIMEOUT) is Absent.CERTAINLY
        second = trigger.start(SECOND, timeout=TIMEOUT)
        assert trigger.poll(SECOND, second, timeout=TIMEOUT).state in (JobState.RUNNING, JobState.SUCCEEDED)
        assert trigger.find(SECOND, timeout=TIMEOUT) == second
        assert the_end(trigger, SECOND, second).state is JobState.SUCCEEDED
        assert trigger.find(SECOND, timeout=TIMEOUT) == second
        (run,) = bench.server.runs(bench.dags["recovers"])
        before = mapping(second.details)["endedBefore"]
        assert run["note"] == f"ask Ann\ninterlock: attempt 2 clears what had ended at {before}"

    def test_what_a_cancellation_has_skipped_runs_again_when_it_is_cleared(self, bench: RealBench) -> None:
        """Were only failed tasks cleared, nothing would run, and the DAG run would end as a success."""
        trigger = bench.of("lingers", **CLEARS)
        first = trigger.start(a_job(), timeout=TIMEOUT)
        bench.taken_up(first, "lingers")
        trigger.cancel(a_job(), first, timeout=TIMEOUT)
        assert the_end(trigger, a_job(), first).state is JobState.FAILED
        second = trigger.start(SECOND, timeout=TIMEOUT)
        bench.taken_up(second, "lingers")
        assert trigger.poll(SECOND, second, timeout=TIMEOUT).state is JobState.RUNNING
        trigger.cancel(SECOND, second, timeout=TIMEOUT)
        assert the_end(trigger, SECOND, second).state is JobState.FAILED

    def test_a_dag_run_that_somebody_cleared_is_left_alone(self, bench: RealBench) -> None:
        """LAT-46: clearing it once more would restart its tasks."""
        trigger = bench.of("lingers", **CLEARS)
        first = trigger.start(a_job(), timeout=TIMEOUT)
        bench.taken_up(first, "lingers")
        trigger.cancel(a_job(), first, timeout=TIMEOUT)
        bench.by_hand("POST", first, "lingers", {"dry_run": False}, "/clear")
        with pytest.raises(TriggerError, match="not by attempt 2") as caught:
            trigger.start(SECOND, timeout=TIMEOUT)
        assert caught.value.started is None
        assert trigger.find(SECOND, timeout=TIMEOUT) is Absent.UNKNOWN
        bench.taken_up(first, "lingers")
        trigger.cancel(a_job(), first, timeout=TIMEOUT)

    def test_a_day_that_failed_is_completed_by_clearing_its_dag_run(self, bench: RealBench, tmp_path: Path) -> None:
        dag = bench.dags["recovers"]
        project = a_dag_project(tmp_path, bench.server.url, dag)
        ran = interlock("run", "orders", "--json", cwd=project, env={PASSWORD_NAME: PASSWORD}, timeout=120)
        assert ran.code == 0, ran.err
        assert [each["status"] for each in ran.document["attempts"]] == ["failed", "succeeded"]
        assert len(bench.server.runs(dag)) == 1


@pytest.mark.xdist_group("airflow3")
class TestAirflow3(_OnAServer):
    @pytest.fixture
    def server(self, airflow3_server: AirflowServer) -> AirflowServer:
        return airflow3_server


@pytest.mark.xdist_group("airflow2")
class TestAirflow2(_OnAServer):
    @pytest.fixture
    def server(self, airflow2_server: AirflowServer) -> AirflowServer:
        return airflow2_server
