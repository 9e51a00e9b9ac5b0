"""Running slots again, replaying past ones, and opening whole ranges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import starts
from tests.unit.operations.office import Office, an_office

from interlock.api import rerunning as asked
from interlock.api import running
from interlock.api.contract import Request
from interlock.api.controlling import Pause
from interlock.app.rerun_views import RerunView
from interlock.codec import wire
from interlock.codec.documents import mapping
from interlock.errors import Conflict, Invalid, NotFound, NotReady, Refused
from interlock.operations.performing import perform

TODAY = "2026-03-07"
RUN = running.Run(pipeline_id="orders")
AGAIN = asked.Rerun(pipeline_id="orders", original_date=TODAY, reason="late file")
RANGE = asked.Backfill(pipeline_id="orders", from_="2026-03-01", to="2026-03-03")


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Office]:
    """A project whose job goes on until it is told to end."""
    with an_office(
        tmp_path / "slow", "sales", job="while [ ! -e go ]; do sleep 0.05; done", pipeline="retry: {maxAttempts: 1}\n"
    ) as found:
        yield found
        (found.root / "go").touch()


def _do(office: Office, request: Request[Any]) -> Any:
    return perform(request, office.desk)


def _done(office: Office, pipeline: str = "orders", *, status: Any = "success") -> str:
    """Let the slot of today run, and end."""
    run_id: str = _do(office, running.Run(pipeline_id=pipeline)).run_id
    _do(office, running.CompleteRun(run_id=run_id, status=status, category=None))
    return run_id


# ---------------------------------------------------------------- rerun


def test_a_rerun_is_really_run_and_can_reach_a_good_end(slow: Office) -> None:
    """T-15, T-16, AWS-23: the run of a rerun is the rerun, so that one report ends both."""
    first = _done(slow)
    given = replace(AGAIN, description="the source was corrected", metadata={"ticket": 7})
    again = _do(slow, given)
    assert (again.status, again.original_run_id, again.reason) == ("RUNNING", first, "late file")
    assert (again.rerun_id, again.description) == (again.rerun_run_id, "the source was corrected")
    assert mapping(again.metadata).items() >= {"ticket": 7, "scheduleId": "daily", "originalDate": TODAY}.items()
    told = asked.CompleteRerun(rerun_id=again.rerun_id, status="success", metadata={"rows": 3})
    ended = _do(slow, told)
    assert (ended.status, ended.completed_at is not None, mapping(ended.metadata)["rows"]) == ("COMPLETED", True, 3)
    assert mapping(ended.metadata)["ticket"] == 7
    assert _do(slow, told) == ended
    with pytest.raises(Conflict):
        _do(slow, replace(told, status="failed"))
    assert _do(slow, running.RunOf(run_id=again.rerun_run_id)).status == "COMPLETED"


def test_a_rerun_that_is_not_ready_waits_and_is_listed(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", check='[ -e no ] || echo \'{"status":"PASS"}\'') as office:
        _done_by_hand(office)
        (office.root / "evaluators/check").write_text('#!/bin/sh\necho \'{"status":"FAIL","reason":"3 of 4"}\'\n')
        with pytest.raises(NotReady) as caught:
            _do(office, AGAIN)
        pending = wire.from_builtins(caught.value.details["rerun"], RerunView)
        assert (pending.status, pending.rerun_id) == ("PENDING", "orders:daily:2026-03-07:2")
        assert (caught.value.details["status"], caught.value.details["blocking"]) == ("NOT_READY", ["data-check"])
        listed = _do(office, asked.Reruns(pipeline_id="orders"))
        assert [item.rerun_id for item in listed.items] == [pending.rerun_id]


def _done_by_hand(office: Office) -> None:
    from interlock.app.advance import advance
    from interlock.app.arrivals import open_run
    from interlock.core.events import CancelAsked

    now = office.work.clock.now()
    run = open_run(office.slot(), office.spec(), office.store, now).run
    advance(run.key, CancelAsked(at=now, actor="ann", reason="x"), office.store)


def test_a_slot_whose_run_has_not_ended_is_not_run_again(slow: Office) -> None:
    """LAT-16."""
    _do(slow, RUN)
    with pytest.raises(Conflict, match="RUNNING already"):
        _do(slow, AGAIN)
    assert len(_do(slow, asked.Reruns(pipeline_id="orders")).items) == 0


def test_a_slot_that_is_watched_for_drift_says_how_to_end_the_watch_first(tmp_path: Path) -> None:
    watched = "watch: {monitoring: {duration: 2h}}\n"
    with an_office(tmp_path / "project", job="while [ ! -e go ]; do sleep 0.05; done", pipeline=watched) as office:
        _done(office)
        (office.root / "go").touch()
        with pytest.raises(Conflict, match="interlock cancel orders --schedule daily --date 2026-03-07"):
            _do(office, AGAIN)


def test_the_first_run_of_a_slot_that_waits_is_no_rerun(slow: Office) -> None:
    slow.held_back()
    with pytest.raises(Conflict, match="waits already"):
        _do(slow, AGAIN)
    assert starts(slow.root) == []


def test_a_slot_that_never_ran_is_not_run_again(slow: Office) -> None:
    with pytest.raises(NotFound, match="never ran"):
        _do(slow, AGAIN)


def test_the_budget_of_reruns_is_a_refusal_that_can_be_forced(tmp_path: Path) -> None:
    budget = "retry: {maxAttempts: 1}\nreruns: {manual: 1}\n"
    with an_office(tmp_path / "project", job="while [ ! -e go ]; do sleep 0.05; done", pipeline=budget) as office:
        _done(office)
        again = _do(office, AGAIN)
        _do(office, asked.CompleteRerun(rerun_id=again.rerun_id, status="failed"))
        with pytest.raises(Refused, match="1 of 1"):
            _do(office, AGAIN)
        with pytest.raises(Refused, match="1 of 1"):
            _do(office, asked.Replay(pipeline_id="orders", date=TODAY, reason="outage"))
        forced = _do(office, replace(AGAIN, force=True))
        assert forced.run.override == "api:anna: late file"
        (office.root / "go").touch()


@pytest.mark.parametrize("more", [{"reason": " "}, {"original_date": "soon"}, {"metadata": {"scheduleId": 3}}])
def test_a_rerun_that_cannot_be_understood_opens_nothing(slow: Office, more: dict[str, Any]) -> None:
    _done(slow)
    with pytest.raises(Invalid):
        _do(slow, replace(AGAIN, **more))
    assert len(slow.store.runs_of("orders", limit=9)) == 1


def test_the_schedule_may_be_named_in_the_metadata_but_not_two_of_them(slow: Office) -> None:
    _done(slow)
    with pytest.raises(Invalid, match="nightly"):
        _do(slow, replace(AGAIN, schedule="daily", metadata={"scheduleId": "nightly"}))
    with pytest.raises(NotFound, match="nightly"):
        _do(slow, replace(AGAIN, metadata={"scheduleId": "nightly"}))
    assert _do(slow, replace(AGAIN, metadata={"scheduleId": "daily"})).schedule_id == "daily"


def test_reruns_of_all_pipelines_are_listed_newest_first_page_by_page(slow: Office) -> None:
    ids = []
    for pipeline in ("orders", "sales"):
        _done(slow, pipeline)
        again = _do(slow, replace(AGAIN, pipeline_id=pipeline))
        ids.append(again.rerun_id)
    everything = _do(slow, asked.AllReruns())
    assert ([item.rerun_id for item in everything.items], everything.next) == (ids[::-1], None)
    page = _do(slow, asked.AllReruns(limit=1))
    rest = _do(slow, asked.AllReruns(limit=1, cursor=page.next))
    assert [item.rerun_id for item in (*page.items, *rest.items)] == ids[::-1]
    assert [item.rerun_id for item in _do(slow, asked.Reruns(pipeline_id="sales")).items] == [ids[1]]


@pytest.mark.parametrize("rerun_id", ["orders:daily:2026-03-07:1", "orders:daily:2026-03-07:9", "rerun-1", ""])
def test_what_is_no_rerun_is_not_completed_as_one(slow: Office, rerun_id: str) -> None:
    _do(slow, RUN)
    with pytest.raises(NotFound):
        _do(slow, asked.CompleteRerun(rerun_id=rerun_id, status="success"))
    assert _do(slow, running.RunOf(run_id="orders:daily:2026-03-07:1")).status == "RUNNING"


# ---------------------------------------------------------------- replay


def test_a_past_slot_that_never_ran_is_replayed_and_listed(slow: Office) -> None:
    """AWS-41."""
    replay = _do(slow, asked.Replay(pipeline_id="orders", date="2026-03-01", reason="outage"))
    assert (replay.status, replay.reason, replay.requested_by) == ("RUNNING", "outage", "api:anna")
    assert replay.run_id == "orders:daily:2026-03-01:1"
    assert [item.run_id for item in _do(slow, asked.Replays(pipeline_id="orders")).items] == [replay.run_id]
    assert _do(slow, asked.Reruns(pipeline_id="orders")).items == ()


def test_a_slot_that_has_run_is_replayed_as_its_next_run(slow: Office) -> None:
    """AWS-41."""
    _done(slow)
    replay = _do(slow, asked.Replay(pipeline_id="orders", date=TODAY, reason="outage"))
    assert replay.run_id == "orders:daily:2026-03-07:2"
    assert [item.rerun_id for item in _do(slow, asked.Reruns(pipeline_id="orders")).items] == [replay.run_id]


def test_a_slot_to_come_is_not_replayed(slow: Office) -> None:
    with pytest.raises(Refused, match="still to come"):
        _do(slow, asked.Replay(pipeline_id="orders", date="2026-03-09", reason="outage"))


# ---------------------------------------------------------------- backfill


def test_a_dry_run_shows_the_plan_and_opens_nothing(office: Office) -> None:
    view = _do(office, replace(RANGE, dry_run=True))
    assert [(item.date[-2:], item.action, item.run_id) for item in view.items] == [
        (day, "run", None) for day in ("01", "02", "03")
    ]
    assert office.store.runs_of("orders", limit=9) == ()


def test_a_backfill_opens_what_its_plan_says_and_leaves_it_to_a_watcher(office: Office) -> None:
    plan = _do(office, replace(RANGE, dry_run=True)).plan
    view = _do(office, replace(RANGE, plan=plan, reason="new column"))
    assert [(item.run_id, item.status) for item in view.items] == [
        (f"orders:daily:2026-03-0{day}:1", "PENDING") for day in (1, 2, 3)
    ]
    run = office.store.runs_of("orders", limit=1)[0]
    assert (run.cause, run.note) == ("backfill", f"api:anna: backfill {plan}: new column")
    assert starts(office.root) == []


def test_a_plan_that_has_changed_is_a_conflict(office: Office) -> None:
    plan = _do(office, replace(RANGE, dry_run=True)).plan
    _do(office, replace(RANGE, to="2026-03-01"))
    with pytest.raises(Conflict, match="dry run"):
        _do(office, replace(RANGE, plan=plan))
    assert len(office.store.runs_of("orders", limit=9)) == 1


def test_at_most_so_many_are_opened(office: Office) -> None:
    view = _do(office, replace(RANGE, max=2))
    assert [item.run_id is not None for item in view.items] == [True, True, False]


@pytest.mark.parametrize("more", [{"from_": "soon"}, {"to": "2026-03-07T14:00"}, {"from_": "2026-04-01"}])
def test_a_range_that_is_none_is_refused(office: Office, more: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        _do(office, replace(RANGE, **more))


def test_nothing_is_opened_while_the_pipeline_is_paused(office: Office) -> None:
    _do(office, Pause(pipeline_id="orders", length="1h", reason="moving"))
    with pytest.raises(Refused, match="moving"):
        _do(office, RANGE)
    assert office.store.runs_of("orders", limit=9) == ()
