from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.servers.airflow_stub import USER, AirflowStub, Dag, Run, Version
from tests.servers.airflow_wire import Asked, Reply

from interlock.clients.http import HttpClient
from interlock.codec.documents import mapping
from interlock.core.ids import PipelineName, RunKey, ScheduleName, Slot, start_key
from interlock.core.periods import Period
from interlock.errors import MissingExtra, TriggerError
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport, JobState
from interlock.testing.conformance.remote_triggers import SECRET, Fault, Verb
from interlock.testing.conformance.triggers import TIMEOUT, a_job, the_end
from interlock.triggers.airflow import AirflowTrigger, run_id
from interlock.triggers.airflow_config import AirflowConfig
from interlock.triggers.context import TriggerContext

pytestmark = pytest.mark.enable_socket
OWN = run_id(a_job())


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


@contextmanager
def airflow(version: Version) -> Iterator[AirflowStub]:
    with AirflowStub(version, password=SECRET) as made:
        made.dags["daily"] = Dag()
        yield made


@pytest.fixture(params=["3", "2"])
def stub(request: pytest.FixtureRequest) -> Iterator[AirflowStub]:
    with airflow(request.param) as made:
        yield made


@pytest.fixture
def stub3() -> Iterator[AirflowStub]:
    with airflow("3") as made:
        yield made


def trigger(client: HttpClient, stub: AirflowStub, *, callback: str = "", **keys: Any) -> AirflowTrigger:
    login = {} if {"token", "headers"} & set(keys) else {"username": USER, "password": stub.password}
    context = TriggerContext(state_dir=Path("/"), root=Path("/"), http=client, public_url=callback)
    config = {"url": stub.url, "dagID": "daily", **login, **keys}
    return AirflowTrigger(msgspec.convert(config, AirflowConfig), context)


def refused(made: AirflowTrigger, job: Job | None = None) -> TriggerError:
    with pytest.raises(TriggerError) as caught:
        made.start(job or a_job(), timeout=TIMEOUT)
    assert SECRET not in str(caught.value)
    return caught.value


def posted(stub: AirflowStub) -> list[Asked]:
    return [asked for asked in stub.asked if asked.verb is Verb.START]


def look(made: AirflowTrigger) -> JobReport:
    return made.poll(a_job(), JobHandle(id=OWN), timeout=TIMEOUT)


# ---------------------------------------------------------------- what a file may say


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"url": "http://user:pw@airflow"}, "more than an address"),
        ({"url": "http://airflow/?token=x"}, "more than an address"),
        ({"url": "http://airflow/api/v1/"}, "leave /api/v1"),
        ({"username": "me"}, "belong together"),
        ({"username": "me", "password": "pw", "token": "t"}, "in one way who asks"),
        ({"token": "t", "headers": {"Authorization": "Bearer x"}}, "in one way who asks"),
        ({"conf": {}, "body": {}}, "are the same"),
        ({"body": "not json"}, "a JSON object"),
        ({"conf": {"interlock": 1}}, "`interlock` is the key"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=re.escape(words)):
        msgspec.convert({"url": "http://airflow", "dagID": "daily", **keys}, AirflowConfig)


def test_placeholders_are_put_into_the_values_of_a_body_and_never_into_its_text() -> None:
    """T-100: a value with a quotation mark must not change what the text says."""
    form = AirflowTrigger.normal_form({"url": "u", "body": '{"day": "{{date}}"}'})
    assert form == {"url": "u", "body": {"day": "{{date}}"}}


def test_without_an_http_client_it_says_what_to_install() -> None:
    config = AirflowConfig(url="http://airflow", dag_id="daily")
    with pytest.raises(MissingExtra, match=re.escape("interlock[http]")):
        AirflowTrigger(config, TriggerContext(state_dir=Path("/"), root=Path("/")))


# ---------------------------------------------------------------- the name of a DAG run


def test_the_name_of_a_dag_run_stays_the_same_for_ever() -> None:
    """Another version of Interlock must find what this one has started."""
    assert OWN == "interlock__daily-sales:daily:2026-03-07:1-1-b2688304a6a8f2e901e6"


def test_long_names_are_cut_to_what_airflow_permits_and_stay_apart() -> None:
    """LAT-17."""
    slots = [Slot(PipelineName("p" * 250 + end), ScheduleName("s" * 200), Period.parse("2026-03-07")) for end in "ab"]
    jobs = [Job(run=RunKey(slot), attempt=1, key=start_key(RunKey(slot).run_id, 1)) for slot in slots]
    names = [run_id(job) for job in jobs]
    assert all(re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", name) for name in names)
    assert len({*names, run_id(a_job()), run_id(a_job(attempt=2))}) == 4


# ---------------------------------------------------------------- starting


def test_a_dag_run_is_told_what_it_is_for_and_where_to_report(client: HttpClient, stub: AirflowStub) -> None:
    """LAT-20: a late run works on its own day."""
    made = trigger(client, stub, callback="https://me.example", conf={"tables": ["sales"]})
    made.start(msgspec.structs.replace(a_job(attempt=2), traceparent="00-aa-bb-01"), timeout=TIMEOUT)
    assert posted(stub)[0].body["conf"] == {
        "tables": ["sales"],
        "interlock": {
            "runId": "daily-sales:daily:2026-03-07:1",
            "attempt": 2,
            "pipeline": "daily-sales",
            "schedule": "daily",
            "date": "2026-03-07",
            "hour": "",
            "callbackUrl": "https://me.example/api/runs/daily-sales:daily:2026-03-07:1/complete?attempt=2",
            "traceparent": "00-aa-bb-01",
        },
    }


def test_the_handle_names_the_page_of_the_dag_run_and_the_dag(client: HttpClient, stub: AirflowStub) -> None:
    """LAT-07, BUG-115."""
    handle = trigger(client, stub).start(a_job(), timeout=TIMEOUT)
    name = OWN.replace(":", "%3A")
    page = {"3": f"/dags/daily/runs/{name}", "2": f"/dags/daily/grid?dag_run_id={name}"}[stub.version]
    assert handle.id == OWN
    assert mapping(handle.details) == {"url": stub.url + page, "dagID": "daily"}


@pytest.mark.parametrize(
    ("dag", "words"),
    [
        (Dag(paused=True), "is paused"),
        (Dag(broken=True), "does not import"),
        (Dag(stale=True), "is not active"),
        (None, "no DAG daily"),
    ],
)
def test_a_dag_that_cannot_run_is_refused_before_anything_is_sent(
    client: HttpClient, stub: AirflowStub, dag: Dag | None, words: str
) -> None:
    """T-22: a run of a paused DAG would wait without end."""
    stub.dags = {"daily": dag} if dag else {}
    error = refused(trigger(client, stub))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert words in str(error)
    assert not posted(stub)


def test_a_dag_paused_since_an_unanswered_start_does_not_hide_its_dag_run(
    client: HttpClient, stub: AirflowStub
) -> None:
    with stub.broken(Fault.LOST_ANSWER, Verb.START):
        assert refused(trigger(client, stub)).started is None
    stub.dags["daily"].paused = True
    assert trigger(client, stub).start(a_job(), timeout=TIMEOUT).id == OWN
    assert stub.starts() == 1


def test_a_logical_date_that_is_taken_names_the_dag_run_in_the_way(client: HttpClient, stub: AirflowStub) -> None:
    when = "2026-03-07T00:00:00Z"
    stub.runs["daily", "by-hand"] = Run(dag="daily", own="by-hand", conf={}, logical_date=when)
    error = refused(trigger(client, stub, logicalDate=when))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "'by-hand' of daily has the logical date 2026-03-07T00:00:00Z" in str(error)


def test_a_conflict_that_nobody_can_look_into_leaves_the_start_unknown(client: HttpClient, stub: AirflowStub) -> None:
    trigger(client, stub).start(a_job(), timeout=TIMEOUT)
    with stub.broken(Fault.BROKEN, Verb.LOOK):
        error = refused(trigger(client, stub))
    assert (error.started, error.category) == (None, "TRANSIENT")


def test_whatever_accepts_a_start_without_naming_our_dag_run_has_not_said_that_it_started(
    client: HttpClient, stub: AirflowStub
) -> None:
    """LAT-21."""
    stub.before = lambda asked: Reply(200, {"dag_run_id": "another"}) if asked.verb is Verb.START else None
    assert refused(trigger(client, stub)).started is None


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.BROKEN, Fault.THROTTLED, Fault.GARBAGE])
def test_trouble_before_the_request_that_starts_has_started_nothing(
    client: HttpClient, stub: AirflowStub, fault: Fault
) -> None:
    """T-20: looking at the DAG and fetching a token start nothing, whatever becomes of them."""
    with stub.broken(fault, Verb.ALL):
        error = refused(trigger(client, stub))
    assert (error.started, error.category) == (False, "TRANSIENT")
    assert not posted(stub)


def test_all_requests_of_a_start_share_its_time(client: HttpClient, stub: AirflowStub) -> None:
    with stub.broken(Fault.FROZEN, Verb.ALL), pytest.raises(TriggerError) as caught:
        trigger(client, stub).start(a_job(), timeout=timedelta(milliseconds=200))
    assert (caught.value.started, caught.value.category) == (False, "TIMEOUT")


# ---------------------------------------------------------------- as whom


def test_a_token_is_fetched_once_and_renewed_when_it_runs_out(client: HttpClient, stub3: AirflowStub) -> None:
    trigger(client, stub3).start(a_job(), timeout=TIMEOUT)
    look(trigger(client, stub3))
    stub3.expire_tokens()
    assert look(trigger(client, stub3)).state in (JobState.RUNNING, JobState.SUCCEEDED)
    assert [asked.path for asked in stub3.asked].count("/auth/token") == 2


def test_a_fresh_token_that_is_not_accepted_is_not_renewed_again(client: HttpClient, stub3: AirflowStub) -> None:
    """A user who lacks a permission must not be taken for a token that has run out, again and again."""
    stub3.before = lambda asked: Reply(403, {"detail": "Forbidden"}) if asked.verb is Verb.START else None
    error = refused(trigger(client, stub3))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "lacks a permission" in str(error)
    assert len(posted(stub3)) == 2


def test_no_token_for_a_wrong_password_means_that_nothing_was_started(client: HttpClient, stub3: AirflowStub) -> None:
    error = refused(trigger(client, stub3, username=USER, password="wrong-" + SECRET))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "/auth/token answered 401" in str(error)


def test_an_airflow_that_hands_out_no_tokens_says_what_to_configure(client: HttpClient, stub3: AirflowStub) -> None:
    stub3.before = lambda asked: Reply(404, "<html>") if asked.path == "/auth/token" else None
    error = refused(trigger(client, stub3))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "give it a `token`" in str(error)


@pytest.mark.parametrize("keys", [{"token": SECRET}, {"headers": {"Authorization": f"Bearer {SECRET}"}}])
def test_looks_and_cancellations_come_from_the_same_user_as_the_start(
    client: HttpClient, stub: AirflowStub, keys: dict[str, Any]
) -> None:
    """LAT-22."""
    stub.tokens.add(SECRET)
    stub.dags["daily"].ends = "running"
    made = trigger(client, stub, **keys)
    handle = made.start(a_job(), timeout=TIMEOUT)
    assert made.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
    made.cancel(a_job(), handle, timeout=TIMEOUT)
    assert {asked.authorization for asked in stub.asked} == {f"Bearer {SECRET}"}


# ---------------------------------------------------------------- which version


def test_which_version_answers_is_asked_once_for_all_triggers(client: HttpClient, stub: AirflowStub) -> None:
    trigger(client, stub).start(a_job(), timeout=TIMEOUT)
    trigger(client, stub).start(a_job("other-sales"), timeout=TIMEOUT)
    assert [asked.path for asked in stub.asked].count("/api/v2/version") == 1


def test_an_airflow_that_was_upgraded_is_found_out(client: HttpClient) -> None:
    """What was started under the old API is looked at under the new one."""
    with airflow("2") as stub:
        trigger(client, stub).start(a_job(), timeout=TIMEOUT)
        stub.version = "3"
        assert look(trigger(client, stub)).state in (JobState.RUNNING, JobState.SUCCEEDED)
        assert trigger(client, stub).start(a_job(), timeout=TIMEOUT).id == OWN


def test_a_version_that_is_configured_is_not_asked_for(client: HttpClient, stub: AirflowStub) -> None:
    trigger(client, stub, apiVersion={"3": "v2", "2": "v1"}[stub.version]).start(a_job(), timeout=TIMEOUT)
    assert not any("version" in asked.path for asked in stub.asked)


def test_an_address_without_an_airflow_is_said_to_be_one(client: HttpClient, stub: AirflowStub) -> None:
    stub.before = lambda asked: Reply(404, "<html>not here</html>")
    error = refused(trigger(client, stub))
    assert (error.started, error.category) == (False, "PERMANENT")
    assert "no Airflow was found" in str(error)


# ---------------------------------------------------------------- looking and stopping


def _lost(asked: Asked) -> Reply | None:
    return Reply(404, "<html>no route</html>") if asked.path.startswith(("/api/v1/dags", "/api/v2/dags")) else None


def test_a_404_of_whatever_stands_before_airflow_is_no_loss_of_the_dag_run(
    client: HttpClient, stub: AirflowStub
) -> None:
    """T-22: were it taken for one, the next attempt would start the job a second time."""
    made = trigger(client, stub)
    made.start(a_job(), timeout=TIMEOUT)
    stub.before = _lost
    assert look(made).state is JobState.UNSEEN
    with pytest.raises(TriggerError) as caught:
        made.find(a_job(), timeout=TIMEOUT)
    assert caught.value.started is None


def test_a_404_in_other_words_counts_where_the_dag_can_be_seen(client: HttpClient, stub: AirflowStub) -> None:
    stub.before = lambda asked: Reply(404, {"detail": "nothing here"}) if asked.verb is Verb.LOOK else None
    made = trigger(client, stub)
    assert made.find(a_job(), timeout=TIMEOUT) is Absent.CERTAINLY
    assert look(made).state is JobState.VANISHED


def test_a_dag_run_of_another_airflow_is_not_lost_when_the_address_has_changed(client: HttpClient) -> None:
    """T-22: the address may come from the environment, and that may change while the job runs."""
    with airflow("3") as old, airflow("3") as new:
        handle = trigger(client, old).start(a_job(), timeout=TIMEOUT)
        report = trigger(client, new).poll(a_job(), handle, timeout=TIMEOUT)
        with pytest.raises(TriggerError) as caught:
            trigger(client, new).cancel(a_job(), handle, timeout=TIMEOUT)
    assert report.state is JobState.UNSEEN
    assert "was started in another Airflow" in report.reason
    assert caught.value.category == "TRANSIENT"


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        (("work",), "the DAG run failed in work"),
        (tuple("gfedcba"), "the DAG run failed in b, c, d, e, f and others"),
        ((), "the DAG run failed, and none of its tasks: it was set to failed by hand, or ran out of time"),
    ],
)
def test_the_reason_of_a_failure_names_its_tasks(
    client: HttpClient, stub: AirflowStub, tasks: tuple[str, ...], words: str
) -> None:
    stub.dags["daily"] = Dag(ends="failed", failed_tasks=tasks)
    made = trigger(client, stub)
    report = the_end(made, a_job(), made.start(a_job(), timeout=TIMEOUT))
    assert (report.state, report.reason, report.category) == (JobState.FAILED, words, "TRANSIENT")


def test_a_failure_is_told_even_where_its_tasks_cannot_be_seen(client: HttpClient, stub: AirflowStub) -> None:
    stub.dags["daily"] = Dag(ends="failed")
    stub.before = lambda asked: Reply(500, "no") if asked.path.endswith("taskInstances") else None
    made = trigger(client, stub)
    report = the_end(made, a_job(), made.start(a_job(), timeout=TIMEOUT))
    assert (report.state, report.reason) == (JobState.FAILED, "the DAG run failed")


def test_a_state_that_nobody_knows_is_not_an_end(client: HttpClient, stub: AirflowStub) -> None:
    made = trigger(client, stub)
    made.start(a_job(), timeout=TIMEOUT)
    stub.runs["daily", OWN].state = "restarting"
    report = look(made)
    assert report.state is JobState.UNSEEN
    assert "this is no state of a DAG run" in report.reason


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_dag_run_that_has_ended_is_not_touched(client: HttpClient, stub: AirflowStub, state: str) -> None:
    """Airflow would set a success to failed when told to."""
    made = trigger(client, stub)
    handle = made.start(a_job(), timeout=TIMEOUT)
    stub.runs["daily", OWN].state = state
    made.cancel(a_job(), handle, timeout=TIMEOUT)
    assert not [asked for asked in stub.asked if asked.verb is Verb.STOP]


@pytest.mark.parametrize(("status", "category"), [(401, "TRANSIENT"), (403, "PERMANENT"), (500, "TRANSIENT")])
def test_a_wish_to_stop_goes_on_unless_it_is_forbidden(
    client: HttpClient, stub: AirflowStub, status: int, category: str
) -> None:
    made = trigger(client, stub)
    handle = made.start(a_job(), timeout=TIMEOUT)
    stub.before = lambda asked: Reply(status, {"detail": "no"}) if asked.verb is Verb.STOP else None
    with pytest.raises(TriggerError, match="could not be stopped") as caught:
        made.cancel(a_job(), handle, timeout=TIMEOUT)
    assert (caught.value.category, caught.value.started) == (category, True)
