"""What a client may ask again by itself when an answer was lost: only what is then done once."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.api.contract import Request
from interlock.api.gating import KeepGate, OpenGate, Ping
from interlock.api.rerunning import CompleteRerun, Rerun
from interlock.api.running import CompleteRun, Run
from interlock.api.sensing import AddToSensorSet, IncrementSensor

RUN_ID = "orders:daily:2026-03-07:1"
AGAIN = "orders:daily:2026-03-07:2"
SENSOR: dict[str, Any] = {"pipeline_id": "orders", "key": "rows", "field": "count"}


@pytest.mark.parametrize(
    ("request_", "harmless"),
    [
        (Run(pipeline_id="orders"), False),
        (Rerun(pipeline_id="orders", original_date="2026-03-07", reason="x"), False),
        (KeepGate(run_id=RUN_ID, attempt=1), True),
        (OpenGate(pipeline_id="orders"), False),
        (OpenGate(pipeline_id="orders", claim="a1"), True),
        (CompleteRun(run_id=RUN_ID, status="failed", attempt=1), True),
        (CompleteRun(run_id=RUN_ID, status="success"), False),
        (CompleteRerun(rerun_id=AGAIN, status="failed", attempt=1), True),
        (CompleteRerun(rerun_id=AGAIN, status="success"), False),
        (IncrementSensor(**SENSOR), False),
        (IncrementSensor(**SENSOR, delivery_id="d1"), True),
        (AddToSensorSet(**SENSOR, members=("a",)), False),
        (AddToSensorSet(**SENSOR, members=("a",), delivery_id="d1"), True),
    ],
    ids=str,
)
def test_only_what_is_known_again_is_asked_again(request_: Request[Any], harmless: bool) -> None:
    assert request_.harmless_twice is harmless


@pytest.mark.parametrize("kind", [CompleteRun, CompleteRerun])
@pytest.mark.parametrize("status", ["failed", "success"])
def test_a_report_that_names_no_attempt_could_be_taken_for_one_of_the_next(kind: type[Any], status: str) -> None:
    """G2: the next attempt may begin between the two, and would be ended by a report about the first.

    After a success, too: what was left behind may be found wanting, and made anew.
    """
    name = "run_id" if kind is CompleteRun else "rerun_id"
    assert kind(**{name: AGAIN}, status=status).harmless_twice is False


def test_a_ping_without_a_date_is_about_another_slot_when_the_next_has_begun() -> None:
    """The period is never what happens to be today when something is done."""
    assert Ping(pipeline_id="orders", what="success").harmless_twice is False
    assert Ping(pipeline_id="orders", what="success", date="2026-03-07").harmless_twice is True
