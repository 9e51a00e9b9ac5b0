"""What the requests about sensors do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.cli import a_project

from interlock.api import sensing as api
from interlock.api.contract import Request, Role, arrived
from interlock.api.wire import decode_answer, encode_answer
from interlock.app.sensor_views import SensorList, SensorView, SensorWritten
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.errors import Invalid, NotFound
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform
from interlock.runtime.wiring import Interlock

WRITES = (api.PutSensor, api.MergeSensor, api.IncrementSensor, api.AddToSensorSet)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WorkDesk]:
    root = a_project(tmp_path)
    (root / "pipelines" / "broken.yaml").write_text("name: broken\narchetype: one-check\ntyp: 5\n")
    project = load_project(root, settings=Settings(no_cache=True), tolerant=True)[0]
    with Interlock(project) as work:
        yield WorkDesk(work, "api:loader")


def sent(kind: type[Request[Any]], body: dict[str, Any], *, pipeline: str = "orders", key: str = "landing") -> Any:
    """Make a request out of what travels."""
    return arrived(kind, {"pipelineId": pipeline, "key": key}, {}, body)


def test_what_is_told_over_the_wire_is_there_to_be_looked_at(desk: WorkDesk) -> None:
    perform(sent(api.PutSensor, {"data": {"rows": 1, "gone": True}, "deliveryId": "one"}), desk)
    perform(sent(api.MergeSensor, {"data": {"gone": None}}), desk)
    perform(sent(api.IncrementSensor, {"field": "rows", "by": 2.5}), desk)
    perform(sent(api.IncrementSensor, {"field": "rows"}), desk)
    written = perform(sent(api.AddToSensorSet, {"field": "windows", "members": ["14", 3, "13"]}), desk)
    assert isinstance(written, SensorWritten)
    assert decode_answer(SensorWritten, encode_answer(written)) == written
    shown = perform(api.SensorOf(pipeline_id="orders", key="landing"), desk)
    assert shown == written.sensor
    assert b'"data":{"rows":4.5,"windows":[3,"13","14"]}' in encode_answer(shown)
    assert (shown.updated_by, shown.version, shown.date) == ("api:loader", 5, None)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (api.PutSensor, {"data": {"n": 1}}),
        (api.MergeSensor, {"data": {"n": 1}}),
        (api.IncrementSensor, {"field": "n"}),
        (api.AddToSensorSet, {"field": "n", "members": ["x"]}),
    ],
)
def test_every_write_takes_a_date_and_a_delivery_id(
    desk: WorkDesk, kind: type[Request[SensorWritten]], body: dict[str, Any]
) -> None:
    told = {**body, "date": "2026-03-07", "deliveryId": "one"}
    first, again = perform(sent(kind, told), desk), perform(sent(kind, told), desk)
    assert (first.applied, again.applied) == (True, False)
    assert first.sensor.date == "2026-03-07"
    assert perform(api.SensorOf(pipeline_id="orders", key="landing", date="2026-03-07"), desk) == first.sensor
    with pytest.raises(NotFound):
        perform(api.SensorOf(pipeline_id="orders", key="landing"), desk)


def test_a_list_has_pages_and_an_empty_one_is_a_list(desk: WorkDesk) -> None:
    """BUG-55, T-66."""
    assert encode_answer(perform(api.Sensors(pipeline_id="orders"), desk)) == b'{"items":[],"next":null}'
    for key in ("b", "a", "c"):
        perform(sent(api.PutSensor, {"data": {}}, key=key), desk)
    first = perform(api.Sensors(pipeline_id="orders", limit=2), desk)
    rest = perform(api.Sensors(pipeline_id="orders", limit=10**6, cursor=first.next), desk)
    assert [each.key for each in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert decode_answer(SensorList, encode_answer(first)) == first


@pytest.mark.parametrize("kind", WRITES)
def test_a_sensor_of_a_pipeline_that_nobody_has_defined_is_refused(
    desk: WorkDesk, kind: type[Request[SensorWritten]]
) -> None:
    body: dict[str, Any] = {"data": {}} if kind in WRITES[:2] else {"field": "n"}
    body |= {"members": ["x"]} if kind is api.AddToSensorSet else {}
    with pytest.raises(NotFound, match="did you mean orders"):
        perform(sent(kind, body, pipeline="order"), desk)


def test_a_pipeline_whose_file_is_broken_loses_no_sensor(desk: WorkDesk) -> None:
    written = perform(sent(api.PutSensor, {"data": {"n": 1}}, pipeline="broken"), desk)
    assert perform(api.SensorOf(pipeline_id="broken", key="landing"), desk) == written.sensor


@pytest.mark.parametrize("kind", [api.SensorOf, api.Sensors])
def test_looking_at_an_unknown_pipeline_is_not_found(desk: WorkDesk, kind: Any) -> None:
    about = {"key": "landing"} if kind is api.SensorOf else {}
    with pytest.raises(NotFound, match="did you mean orders"):
        perform(kind(pipeline_id="order", **about), desk)


def _nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (api.PutSensor, {}, "data"),
        (api.PutSensor, {"data": [1]}, "data"),
        (api.PutSensor, {"data": None}, "data"),
        (api.PutSensor, {"data": {"a": _nested(20_000)}}, "data"),
        (api.PutSensor, {"data": {"a": "x" * 70_000}}, "at most 65536"),
        (api.PutSensor, {"data": {"a": 10**30}}, "64 bits"),
        (api.PutSensor, {"data": {}, "date": "tomorrow"}, "date"),
        (api.PutSensor, {"data": {}, "date": "2026-02-30"}, "date"),
        (api.PutSensor, {"data": {}, "deliveryId": "x" * 200}, "deliveryId"),
        (api.PutSensor, {"data": {}, "deliveryId": "a\nb"}, "delivery id"),
        (api.PutSensor, {"data": {}, "delivryId": "x"}, "did you mean deliveryId"),
        (api.IncrementSensor, {"field": "n", "by": "5"}, "by"),
        (api.IncrementSensor, {"field": "n", "by": True}, "by"),
        (api.IncrementSensor, {"field": "n", "by": 10**30}, "64 bits"),
        (api.IncrementSensor, {"field": ""}, "field"),
        (api.AddToSensorSet, {"field": "n", "members": []}, "members"),
        (api.AddToSensorSet, {"field": "n", "members": [True]}, "members"),
        (api.AddToSensorSet, {"field": "n", "members": [1.5]}, "members"),
        (api.AddToSensorSet, {"field": "n", "members": "abc"}, "members"),
    ],
)
def test_what_cannot_be_understood_is_invalid_and_names_the_place(
    desk: WorkDesk, kind: type[Request[SensorWritten]], body: dict[str, Any], words: str
) -> None:
    """BUG-123."""
    with pytest.raises(Invalid, match=words):
        perform(sent(kind, body), desk)
    assert perform(api.Sensors(pipeline_id="orders"), desk).items == ()


@pytest.mark.parametrize("key", ["a#b", "a b", "-", "x" * 129, ".."])
def test_a_key_that_is_none_is_invalid(desk: WorkDesk, key: str) -> None:
    """LAT-17."""
    with pytest.raises(Invalid):
        perform(sent(api.PutSensor, {"data": {}}, key=key), desk)
    with pytest.raises(Invalid):
        perform(arrived(api.SensorOf, {"pipelineId": "orders", "key": key}, {}, None), desk)


def test_whoever_may_push_may_write_and_whoever_may_read_may_look() -> None:
    assert {kind.endpoint.role for kind in WRITES} == {Role.PUSH}
    assert {kind.endpoint.role for kind in (api.SensorOf, api.Sensors)} == {Role.READ}


def test_what_is_shown_of_a_sensor_can_be_read_back(desk: WorkDesk) -> None:
    perform(sent(api.PutSensor, {"data": {"deep": {"list": [1, 2.5, None, "é"]}}, "date": "2026-03-07T14:00"}), desk)
    shown = perform(api.SensorOf(pipeline_id="orders", key="landing", date="2026-03-07T14:00"), desk)
    assert decode_answer(SensorView, encode_answer(shown)) == shown
