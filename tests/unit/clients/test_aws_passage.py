"""A request to AWS leaves within its time, or never: whoever looks for its job afterwards must find it."""

from __future__ import annotations

from time import monotonic

import pytest
from tests.servers.aws_errors import REGION
from tests.servers.aws_stub import AwsStub
from tests.unit.clients.awsdoors import LATE, Doors, trouble

from interlock.clients import aws_deadline
from interlock.clients.aws import AwsDoor
from interlock.clients.aws_deadline import Passage, TooLate


def test_a_request_leaves_within_its_time_and_not_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(aws_deadline, "monotonic", lambda: now[0])
    passage = Passage(30)
    now[0] = 130.0
    with pytest.raises(TooLate):
        passage.leave()
    assert not passage.left
    now[0] = 129.9
    passage.leave()
    assert passage.left


@pytest.mark.enable_socket
def test_what_is_read_before_the_first_request_counts(
    door_to: Doors, stub: AwsStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G2: the claim on a start is over by its time, however long botocore's files took to be read on a busy machine."""
    late = [0.0]
    load = AwsDoor._load

    def slowly(door: AwsDoor, service: str) -> None:
        load(door, service)
        late[0] += 60

    monkeypatch.setattr(AwsDoor, "_load", slowly)
    monkeypatch.setattr(aws_deadline, "monotonic", lambda: monotonic() + late[0])
    found = trouble(door_to(endpoint=stub.url, region=REGION), service="glue")
    assert (found.done, found.category) == (False, LATE)
    assert "nothing was sent" in str(found)
    assert stub.calls == []
