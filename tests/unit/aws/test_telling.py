"""Functions leave the telling of people to the one that may reach the channels."""

from __future__ import annotations

from pathlib import Path

from tests.unit.aws.offices import an_office

from interlock.api.gating import Ping
from interlock.core.deliveries import DeliveryState
from interlock.operations.desk import WorkDesk
from interlock.operations.performing import perform


def test_what_a_function_makes_due_is_left_to_the_one_that_may_reach_the_channels(tmp_path: Path) -> None:
    """A role that may not write to the bucket would be refused for good, and the alert given up before anybody heard of it."""
    with an_office(tmp_path) as office:
        perform(Ping(pipeline_id="orders", what="fail", reason="out of disk"), WorkDesk(office.work, "api:anna"))
        (record,) = office.work.hands.dispatches.alerts(limit=9)
        assert {(each.state, each.tries) for each in record.deliveries} == {(DeliveryState.DUE, 0)}
