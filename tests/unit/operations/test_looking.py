"""Looking over the API: what is shown, page by page, and that nothing changes by it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from tests.unit.operations.office import NOW, Office, a_reader, an_office

from interlock.api.alerting import Alerts, Silences
from interlock.api.contract import Request
from interlock.api.controlling import Pauses, SendMarker
from interlock.api.looking import (
    AllShadowReport,
    AllStatus,
    Events,
    Expectations,
    History,
    LateArrivals,
    Markers,
    PipelineExpectations,
    ShadowReport,
    Status,
    Why,
)
from interlock.api.wire import encode_answer
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.documents import Document
from interlock.core.expectations import Expectation
from interlock.core.ids import PipelineName
from interlock.errors import ConfigError, Invalid, NotFound
from interlock.operations import looking
from interlock.operations.performing import perform
from interlock.stores.agendas import AgendaRows

ORDERS: dict[str, Any] = {"pipeline_id": "orders"}
LOOKS: list[Request[Any]] = [
    Status(**ORDERS),
    AllStatus(),
    Why(**ORDERS),
    History(**ORDERS),
    Events(**ORDERS),
    Expectations(),
    PipelineExpectations(**ORDERS),
    LateArrivals(**ORDERS),
    Markers(**ORDERS),
    ShadowReport(**ORDERS),
    AllShadowReport(since="7d"),
    Alerts(),
    Alerts(state="resolved", pipeline="orders"),
    Silences(),
    Pauses(),
]


def _rows(root: Path) -> list[Any]:
    with closing(sqlite3.connect(root / ".interlock/interlock.db")) as db:
        return db.execute("SELECT * FROM records ORDER BY pk, sk").fetchall()


def _marked(office: Office, *sources: str, name: str = "orders") -> None:
    for source in sources:
        perform(SendMarker(pipeline_id=name, source=source), office.desk)


def _noted(office: Office, count: int) -> None:
    for number in range(count):
        record = EventRecord(kind=EventKind.SLOT_SKIPPED, at=NOW + timedelta(seconds=number), message=str(number))
        office.store.note(office.slot(), record.at, f"note-{number}", (record,))


@pytest.mark.parametrize("request_", LOOKS, ids=lambda each: type(each).__name__)
def test_looking_writes_nothing_and_takes_up_no_work(request_: Request[Any], tmp_path: Path) -> None:
    """T-97."""
    with an_office(tmp_path / "project") as office:
        office.held_back()
        _marked(office, "landing")
    before = _rows(office.root)
    with time_machine.travel(NOW), a_reader(office.root) as desk:
        perform(request_, desk)
    assert _rows(office.root) == before


@pytest.mark.parametrize("request_", LOOKS, ids=lambda each: type(each).__name__)
def test_looking_at_a_project_without_a_past_makes_no_store(request_: Request[Any], tmp_path: Path) -> None:
    """T-97, T-94."""
    with an_office(tmp_path / "project") as office:
        pass
    (office.root / ".interlock/interlock.db").unlink()
    with a_reader(office.root) as desk:
        shown = json.loads(encode_answer(perform(request_, desk)))
    assert not (office.root / ".interlock/interlock.db").exists()
    lists = [shown[name] for name in ("items", "runs", "traits", "attempts") if name in shown]
    assert all(isinstance(each, list) for each in lists)
    assert lists


# ------------------------------------------------------------------ status


def test_a_status_shows_the_run_its_slot_and_when_it_was_judged(office: Office) -> None:
    """T-107: what was judged is not forgotten after minutes, and what blocks is named."""
    run = office.held_back()
    with time_machine.travel(NOW + timedelta(hours=3)):
        shown = perform(Status(**ORDERS), office.desk)
    assert (shown.readiness, shown.readiness_at) == ("NOT_READY", run.updated_at)
    assert shown.decision is not None
    assert shown.decision.blocking == ("data-check",)
    (slot,) = shown.slots
    assert (slot.run_id, slot.run_status) == (run.key.run_id, run.status)
    assert slot.opens_at <= NOW < slot.ends_at


def test_pages_of_status_hold_every_pipeline_once_by_name(tmp_path: Path) -> None:
    names = ["orders", *(f"p{number}" for number in range(6))]
    with an_office(tmp_path / "project", *names[1:]) as office:
        found: list[str] = []
        cursor = None
        while True:
            page = perform(AllStatus(limit=3, cursor=cursor), office.desk)
            assert len(page.items) <= 3
            found += [each.pipeline_id for each in page.items]
            cursor = page.next
            if cursor is None:
                break
    assert found == names


def test_a_page_of_status_goes_on_behind_a_pipeline_that_is_gone_meanwhile(office: Office) -> None:
    assert [each.pipeline_id for each in perform(AllStatus(cursor="p"), office.desk).items] == ["sales"]
    assert perform(AllStatus(cursor="zz"), office.desk).items == ()


def test_what_cannot_be_read_hides_no_other_pipeline_and_says_what_it_is(tmp_path: Path) -> None:
    """T-118."""
    with an_office(tmp_path / "project", "gold", "sales") as office:
        office.held_back("gold")
    (office.root / "pipelines/sales.yaml").write_text("name: sales\narchetipe: one-check\n")
    with closing(sqlite3.connect(office.root / ".interlock/interlock.db")) as db, db:
        db.execute("UPDATE records SET body = '{\"x\": 1}' WHERE pk LIKE 'slot/gold%' AND sk LIKE 'RUN%'")
    with a_reader(office.root) as desk:
        shown = {each.pipeline_id: each for each in perform(AllStatus(), desk).items}
        assert {name: each.trouble for name, each in shown.items()} == {
            "gold": "records",
            "orders": None,
            "sales": "file",
        }
        assert all(bool(each.problems) == (each.trouble is not None) for each in shown.values())
        with pytest.raises(ConfigError, match="archetipe"):
            perform(Status(pipeline_id="sales"), desk)


def test_a_pipeline_nobody_knows_is_not_found_and_one_without_a_file_is_remembered(office: Office) -> None:
    """T-93."""
    office.held_back()
    (office.root / "pipelines/orders.yaml").unlink()
    with a_reader(office.root) as desk:
        shown = perform(Status(**ORDERS), desk)
        assert (shown.trouble, len(shown.runs)) == ("removed", 1)
        with pytest.raises(NotFound, match="did you mean sales"):
            perform(Status(pipeline_id="sale"), desk)


# ------------------------------------------------------------------ why, history


def test_one_run_of_the_pipeline_can_be_explained(office: Office) -> None:
    run = office.held_back()
    assert perform(Why(pipeline_id="orders", run_id=run.key.run_id), office.desk).run_id == run.key.run_id
    assert perform(Why(pipeline_id="sales"), office.desk).status == "UNKNOWN"


@pytest.mark.parametrize("ask", [lambda run: Why(run_id=run, **ORDERS), lambda run: History(cursor=run, **ORDERS)])
def test_a_run_of_another_pipeline_or_of_none_is_no_run_of_this_one(
    office: Office, ask: Callable[[str], Request[Any]]
) -> None:
    run = office.held_back().key.run_id
    for text in (run.replace("orders", "sales"), "yesterday", "\0"):
        with pytest.raises(Invalid, match=r"^(runId|cursor): "):
            perform(ask(text), office.desk)
    with pytest.raises(NotFound):
        perform(ask(run[:-1] + "7"), office.desk)


# ------------------------------------------------------------------ events


def test_the_latest_events_come_oldest_first_and_earlier_ones_by_the_cursor(office: Office) -> None:
    """T-96: each once, and the end is said."""
    _noted(office, 5)
    found: list[str] = []
    cursor = None
    while True:
        page = perform(Events(limit=2, cursor=cursor, **ORDERS), office.desk)
        found = [each.message for each in page.items] + found
        cursor = page.next
        if cursor is None:
            break
    assert found == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "kind", [AllStatus, History, Events, Expectations, PipelineExpectations, LateArrivals, Markers, Alerts]
)
def test_a_limit_beyond_the_largest_page_is_the_largest_page(
    office: Office, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-96: and never the default, and what is left is said."""
    from interlock.operations import alerting

    monkeypatch.setattr(looking, "AT_MOST", 2)
    monkeypatch.setattr(alerting, "AT_MOST", 2)
    for number in range(3):
        _marked(office, f"file-{number}")
        office.store.note(
            office.slot(), NOW, f"late-{number}", (EventRecord(kind=EventKind.LATE_DATA_ARRIVAL, at=NOW),)
        )
    request = kind(limit=100_000) if kind in (AllStatus, Expectations, Alerts) else kind(limit=100_000, **ORDERS)
    shown = perform(request, office.desk)
    assert len(shown.items) <= 2
    if kind in (Events, LateArrivals, Markers):
        assert (len(shown.items), shown.next is None) == (2, False)


@pytest.mark.parametrize(
    "text", ["", "x", "20260307T120000.000000Z|slot/sales:daily:2026-03-07|NOTE#x|0", "\0|\0|\0|0"]
)
@pytest.mark.parametrize("kind", [Events, LateArrivals])
def test_a_cursor_that_is_none_of_the_pipelines_is_refused(office: Office, kind: Any, text: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        perform(kind(cursor=text, **ORDERS), office.desk)


def test_whatever_arrived_pages_can_be_turned_and_cursors_fit_into_a_header(office: Office) -> None:
    sources = ("a|b", "ü 😀", "x" * 500, "#/%", "\x7f", "s3://landing/orders/_SUCCESS", "|0")
    _marked(office, *sources)
    messages: list[str] = []
    cursor = None
    while True:
        page = perform(Events(limit=1, cursor=cursor, **ORDERS), office.desk)
        messages += [each.message for each in page.items if each.kind == "MARKER_RECEIVED"]
        cursor = page.next
        if cursor is None:
            break
        assert cursor.isascii()
        assert cursor.isprintable()
    assert sorted(messages) == sorted(f"from {source}" for source in sources)


# ------------------------------------------------------------------ markers, late arrivals


def test_pages_of_markers_hold_each_once_latest_first(office: Office) -> None:
    """T-96."""
    sources = ["one", "a|b", "ü", "#1#2", "s3://x/y"]
    for place, source in enumerate(sources):
        with time_machine.travel(NOW + timedelta(seconds=place)):
            _marked(office, source)
    found: list[str] = []
    cursor = None
    while True:
        page = perform(Markers(limit=2, cursor=cursor, **ORDERS), office.desk)
        found += [each.source for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == sources[::-1]
    assert perform(Markers(pipeline_id="sales"), office.desk).items == ()


@pytest.mark.parametrize("text", ["", "x", "MARKER#a#b", "PUSH#a#b#c#d", "MARKER#a#b#c#\0"])
def test_a_cursor_that_is_none_of_markers_is_refused(office: Office, text: str) -> None:
    with pytest.raises(Invalid, match="not a cursor of markers"):
        perform(Markers(cursor=text, **ORDERS), office.desk)


def test_what_came_late_is_listed_with_what_came_and_where_it_was_seen(office: Office) -> None:
    late = EventRecord(kind=EventKind.LATE_DATA_ARRIVAL, at=NOW, details=Document((("source", '"file-9"'),)))
    traits = Document((("blockingTraits", '["fresh","full"]'),))
    drift = EventRecord(kind=EventKind.MONITORING_DRIFT_DETECTED, at=NOW, message="drift", details=traits)
    for place, record in enumerate((late, drift)):
        office.store.note(office.slot(), NOW + timedelta(seconds=place), f"n{place}", (record,))
    _noted(office, 3)
    shown = perform(LateArrivals(**ORDERS), office.desk)
    assert sorted((each.source or "", each.trait_type or "") for each in shown.items) == [
        ("", "fresh"),
        ("", "full"),
        ("file-9", ""),
    ]
    assert {(each.schedule_id, each.date, each.record_delta) for each in shown.items} == {("daily", "2026-03-07", None)}
    assert shown.next is None


def test_a_search_for_what_came_late_stops_somewhere_and_goes_on_from_there(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-96: a page that holds nothing is not the end unless it says so."""
    from interlock.app import late

    monkeypatch.setattr(late, "LOOKED_AT", 4)
    early = NOW - timedelta(hours=1)
    office.store.note(office.slot(), early, "late", (EventRecord(kind=EventKind.LATE_DATA_ARRIVAL, at=early),))
    _noted(office, 9)
    pages, cursor = [], None
    while True:
        page = perform(LateArrivals(cursor=cursor, **ORDERS), office.desk)
        pages.append(len(page.items))
        cursor = page.next
        if cursor is None:
            break
    assert pages == [0, 0, 1]


# ------------------------------------------------------------------ expectations, shadow


def _expected(office: Office, day: int) -> None:
    slot = office.slot()
    opens = NOW.replace(day=day)
    expectation = Expectation(
        slot=type(slot)(slot.pipeline, slot.schedule, type(slot.period)(f"2026-03-{day:02}")),
        spec_digest=office.store.put_spec(office.spec()),
        opens_at=opens,
        closes_at=opens + timedelta(days=1),
    )
    assert AgendaRows(office.work.kernel).put_expectation(expectation)


def test_pages_of_expectations_hold_each_once_the_latest_opening_first(office: Office) -> None:
    """T-96."""
    for day in (1, 2, 3, 4, 5):
        _expected(office, day)
    for kind in (Expectations(limit=2), PipelineExpectations(limit=2, **ORDERS)):
        found: list[str] = []
        cursor = None
        while True:
            page = perform(type(kind)(**{**_fields(kind), "cursor": cursor}), office.desk)
            found += [each.date for each in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert found == [f"2026-03-0{day}" for day in (5, 4, 3, 2, 1)]


def _fields(request: Request[Any]) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__struct_fields__}


def test_expectations_of_one_day_or_pipeline_are_told_from_others(office: Office) -> None:
    for day in (1, 2):
        _expected(office, day)
    assert [each.date for each in perform(Expectations(date="2026-03-02"), office.desk).items] == ["2026-03-02"]
    assert perform(PipelineExpectations(pipeline_id="sales"), office.desk).items == ()


@pytest.mark.parametrize(
    "request_",
    [Expectations(date="2026-03-07T14:00"), Expectations(cursor="nothing"), ShadowReport(since="soon", **ORDERS)],
)
def test_what_cannot_be_understood_names_its_field(office: Office, request_: Request[Any]) -> None:
    with pytest.raises(Invalid, match=r"^(date|cursor|since): "):
        perform(request_, office.desk)


def test_a_shadow_report_is_of_one_pipeline_or_of_all(office: Office) -> None:
    record = EventRecord(kind=EventKind.WOULD_START, at=NOW, message="orders")
    office.store.note(office.slot(), NOW, "would", (record,))
    (slot,) = perform(AllShadowReport(), office.desk).items
    assert (slot.pipeline_id, slot.starts) == ("orders", 1)
    assert perform(ShadowReport(**ORDERS), office.desk).items == (slot,)
    with time_machine.travel(NOW + timedelta(days=2)):
        assert perform(ShadowReport(since="1d", **ORDERS), office.desk).items == ()
    assert perform(ShadowReport(pipeline_id=PipelineName("sales")), office.desk).items == ()
