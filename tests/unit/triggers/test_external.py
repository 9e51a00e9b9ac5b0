from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from interlock.errors import TriggerError
from interlock.ports.triggers import Absent, JobState
from interlock.testing.conformance.triggers import TIMEOUT, a_job
from interlock.triggers.context import TriggerContext
from interlock.triggers.external import ExternalConfig, ExternalTrigger


def a_trigger() -> ExternalTrigger:
    return ExternalTrigger(ExternalConfig(), TriggerContext(state_dir=Path("/"), root=Path("/")))


def test_a_start_only_gives_the_job_a_name_and_may_be_repeated() -> None:
    first, again = (a_trigger().start(a_job(), timeout=TIMEOUT) for _ in range(2))
    assert first == again
    assert first.id != a_trigger().start(a_job(attempt=2), timeout=TIMEOUT).id


def test_its_job_runs_until_somebody_says_otherwise() -> None:
    """It is not watchable: nobody may wait here for an end that cannot be seen."""
    trigger = a_trigger()
    handle = trigger.start(a_job(), timeout=TIMEOUT)
    assert trigger.poll(a_job(), handle, timeout=TIMEOUT).state is JobState.RUNNING
    assert not trigger.watchable


def test_whether_a_job_was_started_elsewhere_cannot_be_known() -> None:
    assert a_trigger().find(a_job(), timeout=TIMEOUT) is Absent.UNKNOWN


def test_a_wish_to_stop_the_job_is_refused_for_good() -> None:
    trigger = a_trigger()
    with pytest.raises(TriggerError, match="only there") as raised:
        trigger.cancel(a_job(), trigger.start(a_job(), timeout=TIMEOUT), timeout=TIMEOUT)
    assert raised.value.category == "PERMANENT"


def test_there_is_nothing_to_configure() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "http://x"}, ExternalConfig)
