"""What triggers of other systems are given besides what they say of themselves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from interlock.clients.aws import AwsDoor
from interlock.ports.triggers import Trigger, soonest_look
from interlock.runtime.keyed import POLITE, KeyedTrigger, keyed
from interlock.runtime.measured import MeasuredTrigger
from interlock.telemetry.several import Several
from interlock.testing.fakes import FakeTrigger
from interlock.triggers.context import TriggerContext
from interlock.triggers.external import ExternalConfig, ExternalTrigger
from interlock.triggers.glue import GlueConfig, GlueTrigger
from interlock.triggers.lambda_function import LambdaConfig, LambdaTrigger


def a_context() -> TriggerContext:
    return TriggerContext(state_dir=Path("/"), root=Path("/"), aws=AwsDoor())


def a_glue_trigger() -> Trigger:
    return GlueTrigger(GlueConfig(job_name="sales"), a_context())


def test_a_job_of_another_system_is_left_alone_for_a_while_between_two_looks() -> None:
    assert soonest_look(keyed(GlueTrigger, a_glue_trigger(), lambda: "a-store")) == POLITE


def test_a_process_of_this_project_is_looked_at_at_once() -> None:
    real = ExternalTrigger(ExternalConfig(), a_context())
    assert soonest_look(keyed(ExternalTrigger, real, lambda: "a-store")) == timedelta()


def test_an_answer_that_is_there_already_is_not_waited_for() -> None:
    real = LambdaTrigger(LambdaConfig(function_name="load"), a_context())
    assert soonest_look(keyed(LambdaTrigger, real, lambda: "a-store")) == timedelta()


@pytest.mark.parametrize("wanted", [timedelta(), timedelta(seconds=7)])
def test_measuring_makes_nobody_impatient(wanted: timedelta) -> None:
    real = FakeTrigger()
    real.soonest_look = wanted
    assert soonest_look(MeasuredTrigger(KeyedTrigger(real, "a-store"), "fake", Several(()))) == wanted
