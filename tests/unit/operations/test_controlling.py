"""Pauses and markers over the API."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from tests.unit.operations.office import NOW, Office, a_reader, an_office

from interlock.api.controlling import Pause, Pauses, Resume, SendMarker
from interlock.api.looking import Events, Markers
from interlock.api.problems import error_of, problem_of
from interlock.app.control_views import MarkerView
from interlock.codec import wire
from interlock.config.load import load_project
from interlock.core.runs import RunStatus
from interlock.errors import ConfigError, Invalid, NotFound
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.wiring import Interlock

ORDERS: dict[str, Any] = {"pipeline_id": "orders"}
MOVE: dict[str, Any] = {"pipeline_id": "orders", "reason": "the warehouse moves"}


def test_a_pause_is_begun_listed_and_ended_by_name_of_who_asked(office: Office) -> None:
    run = office.held_back()
    begun = perform(Pause(length="2h", **MOVE), office.desk)
    assert (begun.pipeline_id, begun.actor, begun.reason) == ("orders", "api:anna", "the warehouse moves")
    assert timedelta(hours=2) <= begun.until - NOW < timedelta(hours=2, minutes=5)
    assert perform(Pauses(), office.desk).items == (begun,)
    held = office.store.run(run.key)
    assert held is not None
    assert held.held_until == begun.until
    assert perform(Resume(**ORDERS), office.desk).resumed
    assert perform(Pauses(), office.desk).items == ()
    assert not perform(Resume(**ORDERS), office.desk).resumed
    told = [each.message for each in perform(Events(**ORDERS), office.desk).items if "api:anna" in each.message]
    assert len(told) >= 2


def test_the_end_of_a_pause_is_read_in_the_zone_of_the_pipeline(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", timezone="Europe/Paris") as office:
        assert perform(Pause(until="18:00", **MOVE), office.desk).until == NOW.replace(hour=17)


@pytest.mark.parametrize(
    "which",
    [
        {},
        {"length": "2h", "until": "18:00"},
        {"length": "soon"},
        {"length": "-2h"},
        {"length": "0s"},
        {"until": "2020-01-01"},
        {"until": "soon"},
        {"length": "2h", "reason": " "},
    ],
)
def test_a_pause_without_an_end_ahead_or_a_reason_is_refused(office: Office, which: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        perform(Pause(**{**MOVE, **which}), office.desk)
    assert perform(Pauses(), office.desk).items == ()


@pytest.mark.parametrize("request_", [Pause(pipeline_id="order", reason="x", length="1h"), Resume(pipeline_id="order")])
def test_a_pipeline_nobody_knows_is_neither_paused_nor_resumed(office: Office, request_: Any) -> None:
    """T-93."""
    with pytest.raises(NotFound, match="did you mean orders"):
        perform(request_, office.desk)


# ------------------------------------------------------------------ markers


def test_a_marker_opens_its_slot_and_wakes_its_run(office: Office) -> None:
    first = perform(SendMarker(source=" landing ", **ORDERS), office.desk)
    assert (first.outcome, first.source, first.schedule_id, first.date) == ("opened", "landing", "daily", "2026-03-07")
    run = office.store.latest_run(office.slot())
    assert run is not None
    assert run.status is RunStatus.PENDING
    with time_machine.travel(NOW + timedelta(minutes=1)):
        assert perform(SendMarker(source="more", **ORDERS), office.desk).outcome == "woke"
    assert [each.source for each in perform(Markers(**ORDERS), office.desk).items] == ["more", "landing"]


def test_a_marker_for_a_pipeline_nobody_has_defined_is_recorded_and_said_to_be(office: Office) -> None:
    with pytest.raises(NotFound, match=r"did you mean orders.*the marker is recorded") as caught:
        perform(SendMarker(pipeline_id="order", source="landing", date="2026-03-06"), office.desk)
    over_http = error_of(404, problem_of(caught.value))
    assert isinstance(over_http, NotFound)
    for error in (caught.value, over_http):
        assert error.details["recorded"] is True
        shown = wire.from_builtins(error.details["marker"], MarkerView)
        assert (shown.outcome, shown.pipeline_id, shown.date) == ("unknown", "order", "2026-03-06")
    (kept,) = perform(Markers(pipeline_id="order"), office.desk).items
    assert kept.source == "landing"


def test_a_marker_for_a_pipeline_whose_file_is_broken_is_recorded_and_says_what_is_wrong(tmp_path: Path) -> None:
    with an_office(tmp_path / "project", "sales") as office:
        pass
    (office.root / "pipelines/sales.yaml").write_text("name: sales\narchetipe: one-check\n")
    project = load_project(office.root, tolerant=True)[0]
    with Interlock(project) as work, pytest.raises(ConfigError, match="archetipe"):
        perform(SendMarker(pipeline_id="sales", source="landing"), WorkDesk(work, "api:anna"))
    with a_reader(office.root) as desk:
        assert [each.source for each in perform(Markers(pipeline_id="sales"), desk).items] == ["landing"]


@pytest.mark.parametrize(
    "which",
    [
        {"source": " "},
        {"pipeline_id": "no/name"},
        {"pipeline_id": "UPPER"},
        {"pipeline_id": "\0\0"},
        {"date": "yesterday"},
        {"pipeline_id": "unknown", "date": "yesterday"},
        {"schedule": "no/name"},
        {"pipeline_id": "unknown", "schedule": "no/name"},
        {"source": "\udcff"},
    ],
)
def test_a_marker_that_makes_no_sense_is_refused_and_not_recorded(office: Office, which: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        perform(SendMarker(**{"pipeline_id": "orders", "source": "landing", **which}), office.desk)
    assert perform(Events(**ORDERS), office.desk).items == ()


def test_a_marker_that_names_no_schedule_of_the_pipeline_is_news_all_the_same(office: Office) -> None:
    shown = perform(SendMarker(source="landing", schedule="hourly", **ORDERS), office.desk)
    assert shown.outcome == "opened"  # it has one schedule, so there is no doubt which is meant
