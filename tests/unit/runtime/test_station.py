"""What the watcher says of itself and of the runs it works on."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.runtime.rig import Rig

from interlock.app.advance import Advanced
from interlock.core.alerts import AlertType
from interlock.core.runs import Attempt, Outcome, Run, RunStatus
from interlock.runtime.station import line_of
from interlock.testing.builders import NOON, SECOND, a_key, a_run

FAILED = (Attempt(number=1, outcome=Outcome.FAILED, began_at=NOON, ended_at=NOON, reason="it broke"),)
NAME = "example:daily:2026-03-07:1"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"status": RunStatus.RUNNING, "attempt": 2, "job_id": "j"}, f"started {NAME} attempt 2 as j"),
        ({"status": RunStatus.COMPLETED}, f"completed {NAME}"),
        ({"status": RunStatus.COMPLETED_MONITORING}, f"completed {NAME}"),
        ({"status": RunStatus.FAILED, "attempts": FAILED}, f"failed {NAME}: it broke"),
        ({"status": RunStatus.CANCELLED}, f"cancelled {NAME}"),
        ({"status": RunStatus.PENDING, "attempts": FAILED}, f"retrying {NAME}: it broke"),
        ({"status": RunStatus.PENDING}, ""),
        ({"status": RunStatus.TRIGGERING}, ""),
        ({"status": RunStatus.RUNNING, "updated_at": NOON + SECOND}, ""),
    ],
)
def test_a_change_of_status_is_worth_a_line(fields: dict[str, Any], line: str) -> None:
    assert line_of(Advanced(run=a_run(**fields), changed=True)) == line


def test_what_changed_nothing_is_worth_no_line() -> None:
    rig = Rig()
    rig.station.tell(Advanced(run=ended(), changed=False))
    assert (rig.news, rig.station.ended) == ([], set())
    rig.station.tell(Advanced(run=ended(), changed=True))
    assert (len(rig.news), rig.station.ended) == (1, {"example"})


def ended() -> Run:
    return a_run(status=RunStatus.COMPLETED)


def test_an_alert_of_the_watchers_own_names_the_run_it_is_about() -> None:
    rig = Rig()
    rig.station.alert(AlertType.RUN_POISONED, "odd", "it cannot be read", key=a_key())
    rig.turns()
    (alert,) = rig.sink.alerts
    assert (alert.run_id, alert.alert_id) == (NAME, "run_poisoned/odd")
    rig.station.mended(AlertType.RUN_POISONED, "odd", "it works again")
    rig.turns()
    assert [notice.resolution for notice in rig.sink.delivered] == ["", "it works again"]
