"""Telling what was measured, and whoever waits for it being judged at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.app.bench import Bench

import interlock.app.sensing
from interlock.app.sensing import Sensing, get, listed
from interlock.codec.documents import document, mapping
from interlock.core.commands import EvaluateTrait
from interlock.core.ids import PipelineName
from interlock.core.periods import Period
from interlock.core.runs import RunStatus
from interlock.core.traits import TraitStatus
from interlock.errors import Conflict, NotFound, UnreadableRecord
from interlock.ports.sensors import SensorId
from interlock.stores.sensors import SensorRows
from interlock.testing.builders import NOON
from interlock.testing.fakes import FakeEvaluator

EXAMPLE = PipelineName("example")
LANDING = SensorId(EXAMPLE, "landing")


def _settle(bench: Bench) -> None:
    """Do what is wished and due now."""
    for _ in range(20):
        if (
            bench.run.due_at is not None
            and bench.clock.now() < bench.run.due_at
            and not bench.store.outstanding(bench.key)
        ):
            return
        assert bench.turn()


def _waiting() -> tuple[Bench, Sensing]:
    """Make a run that was asked once, got a no, and waits."""
    bench = Bench(evaluator=FakeEvaluator())
    bench.evaluator.script("freshness", TraitStatus.FAIL)
    _settle(bench)
    assert bench.run.status is RunStatus.PENDING
    assert not [wish for wish in bench.store.outstanding(bench.key) if isinstance(wish, EvaluateTrait)]
    bench.later(5)
    return bench, _sensing(bench)


def _sensing(bench: Bench) -> Sensing:
    return Sensing(SensorRows(bench.kernel), bench.hands, by="anna")


def _asks(bench: Bench) -> bool:
    return any(isinstance(wish, EvaluateTrait) for wish in bench.store.outstanding(bench.key))


def test_each_kind_of_write_is_done_in_somebodys_name_at_the_time() -> None:
    bench = Bench()
    sensing = _sensing(bench)
    sensing.put(LANDING, document({"rows": 1, "state": "open"}))
    sensing.merge(LANDING, document({"state": None}))
    sensing.increment(LANDING, "rows", 4)
    written = sensing.add_to_set(LANDING, "windows", ("13", "12"))
    assert mapping(written.sensor.data) == {"rows": 5, "windows": ["12", "13"]}
    assert (written.sensor.version, written.sensor.updated_by, written.sensor.updated_at) == (4, "anna", NOON)
    assert (written.sensor.pipeline_id, written.sensor.key, written.sensor.date) == ("example", "landing", None)
    assert get(LANDING, SensorRows(bench.kernel)) == written.sensor


def test_a_write_wakes_the_waiting_run() -> None:
    bench, sensing = _waiting()
    assert sensing.put(LANDING, document({"rows": 1})).woken == 1
    assert _asks(bench)


@pytest.mark.parametrize(("date", "woken"), [(NOON.date().isoformat(), 1), ("2020-01-01", 0)])
def test_a_sensor_of_a_period_wakes_the_runs_of_its_day(date: str, woken: int) -> None:
    bench, sensing = _waiting()
    which = SensorId(EXAMPLE, "landing", Period.parse(date))
    assert sensing.put(which, document({})).woken == woken
    assert _asks(bench) is bool(woken)


def test_a_run_that_asked_between_the_telling_and_the_commit_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """BUG-151."""
    bench, sensing = _waiting()
    rows = SensorRows(bench.kernel)
    plain = rows.write

    def slow(*told: Any) -> Any:
        bench.hands.store.run(bench.key)
        bench.later(1)  # the run may ask at this instant, and see the sensor as it was
        return plain(*told)

    monkeypatch.setattr(rows, "write", slow)
    sensing = Sensing(rows, bench.hands)
    before = bench.clock.now()
    sensing.put(LANDING, document({}))
    (line,) = [line for line in bench.store.timeline("example", limit=50) if line.record.kind == "EVIDENCE_ARRIVED"]
    assert line.record.at == before + timedelta(seconds=1)


def test_a_repeated_delivery_changes_nothing_and_asks_a_run_that_has_asked_since_nothing() -> None:
    bench, sensing = _waiting()
    first = sensing.increment(LANDING, "rows", delivery_id="one")
    _settle(bench)
    bench.later(5)
    again = sensing.increment(LANDING, "rows", delivery_id="one")
    assert (first.applied, again.applied) == (True, False)
    assert (first.woken, again.woken) == (1, 0)
    assert again.sensor == first.sensor
    assert not _asks(bench)


def test_a_repeated_delivery_wakes_a_run_that_had_not_heard_of_it() -> None:
    bench, sensing = _waiting()
    deaf = Bench().hands  # whoever told it first dies before the run hears of it
    Sensing(SensorRows(bench.kernel), deaf._replace(clock=bench.clock)).increment(LANDING, "rows", delivery_id="one")
    assert not _asks(bench)
    assert not sensing.increment(LANDING, "rows", delivery_id="one").applied
    assert _asks(bench)


def test_what_was_not_written_wakes_nobody() -> None:
    bench, sensing = _waiting()
    rows = SensorRows(bench.kernel)
    Sensing(rows, Bench().hands).put(LANDING, document({"rows": "many"}))
    with pytest.raises(Conflict):
        sensing.increment(LANDING, "rows")
    assert not _asks(bench)


def test_a_run_that_cannot_be_told_does_not_undo_the_write(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench, sensing = _waiting()

    def broken(*_: object, **__: object) -> None:
        raise UnreadableRecord("a run cannot be read")

    monkeypatch.setattr(bench.store, "runs_of", broken)
    written = sensing.increment(LANDING, "rows")
    assert (written.applied, written.woken) == (True, 0)
    assert "a run cannot be read" in caplog.text


def test_a_sensor_that_is_not_there_is_not_found_and_those_that_are_are_named() -> None:
    bench = Bench()
    rows = SensorRows(bench.kernel)
    with pytest.raises(NotFound, match="there are: none"):
        get(LANDING, rows)
    _sensing(bench).put(LANDING, document({}))
    with pytest.raises(NotFound, match=r"no sensor landing of 2026-03-08 \(there are: landing\)"):
        get(SensorId(EXAMPLE, "landing", Period("2026-03-08")), rows)


def test_a_list_has_pages() -> None:
    """BUG-55, T-66."""
    bench = Bench()
    rows, sensing = SensorRows(bench.kernel), _sensing(bench)
    for name in "abc":
        sensing.put(SensorId(EXAMPLE, name), document({}))
    first = listed(EXAMPLE, rows, limit=2)
    assert [each.key for each in first.items] == ["a", "b"]
    rest = listed(EXAMPLE, rows, limit=2, after=first.next)
    assert [each.key for each in rest.items] == ["c"]
    assert rest.next is None
    assert listed(EXAMPLE, rows, limit=3).next is None
    assert listed(PipelineName("other"), rows, limit=3).items == ()


def test_a_page_of_large_sensors_holds_fewer_and_leads_on_to_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-66: a thousand sensors of 64 KiB each would be more than anybody can be sent at once."""
    monkeypatch.setattr(interlock.app.sensing, "MAX_PAGE_BYTES", 10_000)
    bench = Bench()
    rows, sensing = SensorRows(bench.kernel), _sensing(bench)
    names = [f"s{number:03}" for number in range(120)]
    for name in names:
        sensing.put(SensorId(EXAMPLE, name), document({"text": "x" * 1000}))
    seen, place, pages = [], None, 0
    while True:
        page = listed(EXAMPLE, rows, limit=1000, after=place)
        assert len(page.items) <= 12
        seen += [each.key for each in page.items]
        place, pages = page.next, pages + 1
        if place is None:
            break
    assert (seen, pages) == (names, 12)
