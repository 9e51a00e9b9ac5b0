"""The watchdog's scan when something breaks: each check apart, cut short anywhere, done by two at once, and much of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.app.yard import DAILY, HOUR, MORNING, Yard, finished
from tests.unit.app.yards import RUNNING, a_yard, troubled_yard

from interlock.app import sweep as sweeping
from interlock.app.sweep import PAGE, Thresholds, sweep
from interlock.core import watchdog
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.errors import StoreUnavailable
from interlock.stores.kernel import Put
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import MINUTE, a_slot
from interlock.testing.faults import FaultyKernel

# ------------------------------------------------------------------ its own troubles


def damaged(yard: Yard) -> None:
    """Put a run among the active ones that nobody can read."""
    pk, sk = "slot/example:daily:2026-03-01", "RUN#000001"
    record = yard.memory.get(f"slot/{a_slot()}", sk)
    assert record is not None
    active = yard.memory.get(f"slot/{a_slot()}", "ACTIVE#000001")
    assert active is not None
    broken = replace(record, pk=pk, version=1, body={"nonsense": 1}, kind=None, wake_at=None)
    assert yard.memory.commit(pk, [Put(broken), Put(replace(active, pk=pk, version=1))])


def test_a_run_that_cannot_be_read_hides_no_other_and_degrades_the_watchdog() -> None:
    """T-118, BUG-183, BUG-184, LAT-27."""
    yard = a_yard(wake_at=MORNING + timedelta(days=1), **RUNNING)
    damaged(yard)
    yard.go_to(MORNING + 40 * MINUTE)
    yard.watch()
    report = yard.scan()
    assert not report.whole
    assert [name for name, _ in report.troubles] == ["runs"]
    assert "example:daily:2026-03-01:1" in report.troubles[0][1]
    assert yard.told() == [AlertType.STUCK_RUN, AlertType.WATCHDOG_DEGRADED]
    assert yard.alerts(AlertType.WATCHDOG_DEGRADED)[0].alert.details.get("checks") == '["runs"]'


@pytest.mark.parametrize("broken", ["members", "overdue", "unsettled", "active_runs", "alerts"])
def test_a_check_that_breaks_stops_no_other_and_is_told_until_it_is_whole_again(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BUG-183, BUG-184."""
    yard = Yard(DAILY)
    yard.run(DAILY, slot=a_slot("2026-03-06"), wake_at=MORNING + timedelta(days=3), **RUNNING)
    yard.go_to(datetime(2026, 3, 7, 9, tzinfo=UTC))
    owner = next(
        part
        for part in (
            yard.watchdog.members,
            yard.watchdog.agendas,
            yard.watchdog.store,
            yard.watchdog.dispatches,
        )
        if hasattr(part, broken)
    )

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    with monkeypatch.context() as patch:
        patch.setattr(owner, broken, fails)
        report = yard.scan()
    assert [error for _, error in report.troubles] == ["ZeroDivisionError: nobody foresaw this"]
    told = set(yard.told())
    assert AlertType.WATCHDOG_DEGRADED in told
    others = {
        AlertType.SCHEDULE_MISSED: "unsettled",
        AlertType.STUCK_RUN: "active_runs",
        AlertType.WATCHER_STALLED: "members",
    }
    found_by_members = broken == "members"
    for kind, needs in others.items():
        if needs != broken and not (found_by_members and kind is AlertType.STUCK_RUN):
            assert kind in told, kind
    yard.scan()
    assert AlertType.WATCHDOG_DEGRADED not in yard.told()


def test_a_store_that_is_gone_is_in_the_report_and_nothing_is_raised() -> None:
    kernel = FaultyKernel(MemoryKernel())
    yard = Yard(kernel=kernel)

    def gone(_call: int) -> None:
        raise StoreUnavailable("nobody answers")

    kernel.before = gone
    report = yard.scan()
    assert report.untold
    assert [name for name, _ in report.troubles] == [
        "watchers",
        "agendas",
        "expectations",
        "runs",
        "alerts",
        "announce",
    ]


# ------------------------------------------------------------------ at once, and cut short


def outcome(yard: Yard) -> list[tuple[str, int, bool]]:
    """Return what people know, and how often each of it was told."""
    found = [(record.alert.alert_id, record.notices, record.open) for record in yard.alerts()]
    return sorted(one for one in found if one[0] != watchdog.DEGRADED)


def timeline(yard: Yard) -> list[str]:
    """Return the lines that the watchdog writes, sorted."""
    kinds = (EventKind.SCHEDULE_MISSED, EventKind.RUN_STUCK, EventKind.MONITORING_COMPLETED)
    return sorted(yard.lines(*kinds))


def calls_of_a_scan() -> int:
    kernel = FaultyKernel(MemoryKernel())
    troubled_yard(kernel).scan()
    return len(kernel.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_scan_that_is_cut_short_at_any_call_of_the_store_is_made_good_by_the_next(*, after: bool) -> None:
    """G3, G6: whatever happened or did not, each fact is told once."""
    whole = troubled_yard()
    whole.scan()
    calls = calls_of_a_scan()
    assert calls > 30
    for call in range(calls):
        kernel = FaultyKernel(MemoryKernel())
        yard = troubled_yard(kernel)

        class Died(BaseException):
            pass

        def die(number: int, call: int = call, died: type[BaseException] = Died) -> None:
            if number == call:
                raise died

        kernel.before, kernel.after = (kernel.before, die) if after else (die, kernel.after)
        with pytest.raises(Died):
            yard.scan()
        kernel.heal()
        yard.scan()
        assert outcome(yard) == outcome(whole), call
        assert timeline(yard) == timeline(whole), call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_scan_goes_on_where_it_can_when_one_call_fails_and_the_next_is_whole(*, after: bool) -> None:
    """G3, G6."""
    whole = troubled_yard()
    whole.scan()
    for call in range(calls_of_a_scan()):
        kernel = FaultyKernel(MemoryKernel())
        yard = troubled_yard(kernel)
        kernel.fail_at(call, after=after)
        yard.scan()
        kernel.heal()
        assert yard.scan().whole
        assert outcome(yard) == outcome(whole), call
        assert timeline(yard) == timeline(whole), call
        assert AlertType.WATCHDOG_DEGRADED not in yard.told()


def test_two_watchdogs_at_once_tell_everything_once() -> None:
    """G6: the second scans a whole round in the middle of the first, at every call of the store."""
    whole = troubled_yard()
    whole.scan()
    for call in range(calls_of_a_scan()):
        kernel = FaultyKernel(MemoryKernel())
        yard = troubled_yard(kernel)

        def other(number: int, call: int = call, yard: Yard = yard) -> None:
            if number == call:
                sweep(yard.world, Thresholds())

        kernel.before = other
        yard.scan()
        assert outcome(yard) == outcome(whole), call
        assert timeline(yard) == timeline(whole), call


# ------------------------------------------------------------------ much, and more than a page


def test_more_than_a_page_of_everything_is_looked_at() -> None:
    specs = [replace(DAILY, name=f"p-{number:04}") for number in range(PAGE + 20)]
    yard = Yard(*specs)
    for spec in specs:
        yard.run(spec, slot=a_slot("2026-03-06", pipeline=spec.name), wake_at=MORNING + timedelta(days=3), **RUNNING)
    yard.go_to(MORNING + 5 * HOUR)
    yard.scan()
    assert len(yard.alerts(AlertType.SCHEDULE_MISSED)) == PAGE + 20
    assert len(yard.alerts(AlertType.STUCK_RUN, open_only=True)) == PAGE + 20
    for spec in specs:
        run = yard.world.store.latest_run(a_slot("2026-03-06", pipeline=spec.name))
        assert run is not None
        finished(yard, run)
    yard.scan()
    assert yard.alerts(AlertType.STUCK_RUN, open_only=True) == []


def test_expectations_that_cannot_be_looked_at_hide_none_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """BUG-183."""
    specs = [replace(DAILY, name=f"p-{number:02}") for number in range(30)]
    yard = Yard(*specs)
    yard.go_to(MORNING + 5 * HOUR)
    real = yard.watchdog.agendas.expectation

    def fails(slot: Any) -> Any:
        if int(slot.pipeline[2:]) < 20:
            raise ZeroDivisionError(slot.pipeline)
        return real(slot)

    monkeypatch.setattr(sweeping, "PAGE", 10)
    monkeypatch.setattr(yard.watchdog.agendas, "expectation", fails)
    report = yard.scan()
    assert len(yard.alerts(AlertType.SCHEDULE_MISSED)) == 10
    assert "(and 17 more)" in dict(report.troubles)["expectations"]
