"""One fact, one alert; and none at all while everything is well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from interlock.core.alerts import AlertType
from interlock.core.runs import RunStatus
from interlock.testing.builders import SECOND
from interlock.testing.fleet.healthy import FAULTS, a_healthy_fleet, pass_time, told
from interlock.testing.fleet.plans import HOUR
from interlock.testing.fleet.world import Fleet


def test_a_healthy_fleet_of_a_hundred_tells_nobody_anything_in_a_day() -> None:
    """G6."""
    fleet = pass_time(a_healthy_fleet(count=100), 10 * HOUR)
    fleet.watchers[0].die(20 * SECOND)
    pass_time(fleet, 14 * HOUR)
    assert told(fleet) == [[], []]
    assert not fleet.laws.dispatches.alerts(limit=9)
    assert len(fleet.runs(RunStatus.COMPLETED)) > 500


@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=lambda each: getattr(each, "__name__", str(each)).strip("_"))
def test_one_fault_gives_one_alert(fault: Callable[[], Fleet], kind: AlertType) -> None:
    """G6. LAT-14, BUG-01."""
    fleet = fault()
    assert told(fleet) == [[kind], [kind]]
    assert fleet.stage.now - fleet.stage.begins >= timedelta(hours=12)
