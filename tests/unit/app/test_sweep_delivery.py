"""What the watchdog tells by itself, and what it has nothing to tell of."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.app.yard import DAILY, MORNING, Yard, finished
from tests.unit.app.yards import troubled_yard

from interlock.app import sweep as sweeping
from interlock.app.delivering import deliver
from interlock.app.sweep import deliver_due
from interlock.core import watchdog
from interlock.core.alerts import AlertType
from interlock.stores.memory import MemoryKernel
from interlock.testing.builders import MINUTE, SECOND
from interlock.testing.fakes import failing_sink
from interlock.testing.faults import FaultyKernel

# ------------------------------------------------------------------ delivery


def test_what_is_found_is_told_although_no_watcher_is_there_to_tell_it() -> None:
    yard = troubled_yard()
    yard.scan()
    assert deliver_due(yard.watchdog, yard.clock.now() + MINUTE).error == ""
    told = sorted(notice.alert.alert_type for notice in yard.sink.delivered)
    assert told == [AlertType.SCHEDULE_MISSED, AlertType.WATCHER_STALLED]
    deliver_due(yard.watchdog, yard.clock.now() + MINUTE)
    assert len(yard.sink.delivered) == 2


def test_no_telling_is_begun_when_its_time_is_up() -> None:
    """BUG-40."""
    yard = troubled_yard()
    yard.scan()
    deliver_due(yard.watchdog, yard.clock.now())
    assert yard.sink.delivered == []


def test_a_sink_that_fails_is_the_sinks_trouble_and_is_tried_again() -> None:
    yard = troubled_yard()
    yard.sink = failing_sink()
    yard.watchdog = yard.hands(yard.memory)
    yard.scan()
    assert deliver_due(yard.watchdog, yard.clock.now() + MINUTE, width=1).error == ""
    yard.go_to(yard.clock.now() + 10 * SECOND)
    deliver_due(yard.watchdog, yard.clock.now() + MINUTE)
    assert len(yard.sink.delivered) == 2


def test_a_dispatch_that_cannot_be_told_is_named_and_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    yard = troubled_yard()
    yard.scan()
    real = deliver

    def fails(name: str, hands: Any) -> None:
        if watchdog.STALLED in name:
            raise ZeroDivisionError("nobody foresaw this")
        real(name, hands)

    monkeypatch.setattr(sweeping, "deliver", fails)
    check = deliver_due(yard.watchdog, yard.clock.now() + MINUTE)
    assert "watcher_stalled" in check.error
    assert len(yard.sink.delivered) == 1


def test_a_store_that_cannot_say_what_is_due_is_told_in_the_check() -> None:
    kernel = FaultyKernel(MemoryKernel())
    yard = Yard(kernel=kernel)
    kernel.fail_at(0, after=False)
    assert "did not answer" in deliver_due(yard.watchdog, yard.clock.now() + MINUTE).error


# ------------------------------------------------------------------ noise


def test_a_day_of_a_healthy_fleet_is_silent() -> None:
    """G6, LAT-38: one hundred pipelines, looked at every five minutes, tell nobody anything."""
    specs = [replace(DAILY, name=f"p-{number:02}") for number in range(20)]
    yard = Yard(*specs)
    for minutes in range(0, 24 * 60, 5):
        yard.go_to(MORNING + minutes * MINUTE)
        yard.watch()
        for spec in specs:
            yard.open(spec)
            for run in yard.world.store.runs_of(spec.name, limit=2):
                if not run.ended and yard.clock.now() > run.opened_at + 20 * MINUTE:
                    finished(yard, run)
                elif not run.ended:
                    yard.change(run, wake_at=yard.clock.now() + 10 * MINUTE)
        assert yard.scan().findings == 0
    assert yard.alerts() == []
