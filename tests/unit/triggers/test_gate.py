from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlock import plugins
from interlock.codec.documents import mapping
from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobState, starts_here
from interlock.testing.conformance.triggers import TIMEOUT, a_job
from interlock.triggers.context import TriggerContext
from interlock.triggers.gate import Asker, GateConfig, GateTrigger


def a_trigger(asker: Asker | None = None) -> GateTrigger:
    return GateTrigger(GateConfig(), TriggerContext(state_dir=Path("/"), root=Path("/")), asker)


def test_only_where_somebody_asks_for_leave_can_it_be_given() -> None:
    assert not starts_here(a_trigger())
    with pytest.raises(TriggerError, match="nobody who asks") as raised:
        a_trigger().start(a_job(), timeout=TIMEOUT)
    assert raised.value.started is False
    assert starts_here(a_trigger(Asker()))


def test_leave_names_who_has_it_and_may_be_given_again() -> None:
    asker = Asker(holder="etl on node 7", claim="a1", heartbeat=True)
    first, again = (a_trigger(asker).start(a_job(), timeout=TIMEOUT) for _ in range(2))
    assert first == again
    assert mapping(first.details) == {"holder": "etl on node 7", "claim": "a1", "heartbeat": True}


def test_leave_that_was_not_kept_was_not_given() -> None:
    assert a_trigger().find(a_job(), timeout=TIMEOUT) is Absent.CERTAINLY


@pytest.mark.parametrize(("heartbeat", "state"), [(True, JobState.UNSEEN), (False, JobState.RUNNING)])
def test_a_holder_that_promised_to_tell_is_out_of_sight_until_it_does(*, heartbeat: bool, state: JobState) -> None:
    handle = a_trigger(Asker(heartbeat=heartbeat)).start(a_job(), timeout=TIMEOUT)
    assert a_trigger().poll(a_job(), handle, timeout=TIMEOUT).state is state
    assert not a_trigger().watchable


def test_a_wish_to_stop_the_job_is_refused_for_good() -> None:
    handle = a_trigger(Asker()).start(a_job(), timeout=TIMEOUT)
    with pytest.raises(TriggerError, match="only there") as raised:
        a_trigger().cancel(a_job(), handle, timeout=TIMEOUT)
    assert raised.value.category == "PERMANENT"


def test_no_file_may_name_it() -> None:
    assert "gate" not in plugins.available("trigger")
    assert "asks for leave" in plugins.inner("trigger", "gate")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "http://x"}, GateConfig)
