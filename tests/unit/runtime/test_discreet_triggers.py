"""G7: whatever a trigger says or breaks with, what the project keeps secret is not repeated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from interlock.clients.texts import redacted
from interlock.codec.documents import document
from interlock.core.ids import RunKey
from interlock.core.pipelines import TriggerSpec
from interlock.errors import ConfigError, TriggerError
from interlock.ports.triggers import Job, JobHandle, JobReport, JobState
from interlock.runtime.keyed import KeyedTrigger
from interlock.runtime.triggers import TriggerFactory
from interlock.testing.builders import SECOND, a_slot
from interlock.testing.fakes import FakeTrigger
from interlock.triggers.context import TriggerContext

JOB = Job(run=RunKey(a_slot()), attempt=1, key="k")
HANDLE = JobHandle(id="j")
SECRET = "sesame-street"
Call = Callable[[KeyedTrigger], object]
CALLS: dict[str, Call] = {
    "start": lambda trigger: trigger.start(JOB, timeout=SECOND),
    "find": lambda trigger: trigger.find(JOB, timeout=SECOND),
    "poll": lambda trigger: trigger.poll(JOB, HANDLE, timeout=SECOND),
    "cancel": lambda trigger: trigger.cancel(JOB, HANDLE, timeout=SECOND),
}


class Loose(FakeTrigger):
    """A trigger of somebody who thinks little of secrets."""

    def __init__(self, trouble: Exception) -> None:
        super().__init__()
        self.trouble = trouble

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        raise self.trouble

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle:
        raise self.trouble

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
        raise self.trouble

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:
        raise self.trouble


def _keyed(real: FakeTrigger) -> KeyedTrigger:
    return KeyedTrigger(real, "a-store", clean=lambda text: redacted(text, [SECRET]))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_a_trigger_breaks_with_is_told_without_the_secret_in_it(call: Call) -> None:
    with pytest.raises(TriggerError) as caught:
        call(_keyed(Loose(ValueError(f"no scheme in {SECRET}@host"))))
    assert (str(caught.value), caught.value.started) == ("ValueError: no scheme in ***@host", None)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("started", [True, False, None])
def test_what_an_error_says_about_the_job_stays(call: Call, *, started: bool | None) -> None:
    with pytest.raises(TriggerError) as caught:
        call(_keyed(Loose(TriggerError(f"refused {SECRET}", category="PERMANENT", started=started))))
    found = caught.value
    assert (str(found), found.category, found.started) == ("refused ***", "PERMANENT", started)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_error_that_gives_nothing_away_is_raised_as_it_is(call: Call) -> None:
    trouble = ValueError("no scheme")
    with pytest.raises(ValueError, match="no scheme") as caught:
        call(_keyed(Loose(trouble)))
    assert caught.value is trouble


def test_what_a_look_shows_is_told_without_the_secret_in_it() -> None:
    class Telling(FakeTrigger):
        def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:
            return JobReport(state=JobState.FAILED, reason=f"401 for {SECRET}")

    report = _keyed(Telling()).poll(JOB, HANDLE, timeout=SECOND)
    assert report == JobReport(state=JobState.FAILED, reason="401 for ***")


def test_a_configuration_that_does_not_fit_is_told_without_the_secret_in_it(tmp_path: Path) -> None:
    context = TriggerContext(state_dir=tmp_path, root=tmp_path, known_secrets=lambda: (SECRET,))
    config = {"clusterId": "j-1", "jobName": "x", "command": "x.jar", "actionOnFailure": "${secret:wrong}"}
    factory = TriggerFactory(context, {}, {"wrong": SECRET}, str)
    with pytest.raises(ConfigError) as caught:
        factory(TriggerSpec(type="emr", config=document(config)), JOB)
    assert SECRET not in str(caught.value)
    assert "`actionOnFailure` is '***'" in str(caught.value)
