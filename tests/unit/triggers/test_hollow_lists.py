"""A search that is certain has seen a list to its end: an answer with no list in it is none."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.fakeaws import FakeAws
from tests.unit.triggers import glue_runs, test_emr, test_emr_serverless

from interlock.ports.triggers import Absent, JobState
from interlock.testing.conformance.triggers import a_job

SEARCHES: dict[str, tuple[str, str, str, Any]] = {
    "emr": ("list_steps", "Steps", "Marker", test_emr.a_trigger),
    "emr-serverless": ("list_job_runs", "jobRuns", "nextToken", test_emr_serverless.a_trigger),
    "glue": ("get_job_runs", "JobRuns", "NextToken", glue_runs.a_trigger),
}


@pytest.mark.parametrize("kind", SEARCHES)
def test_an_answer_without_its_list_does_not_say_that_nothing_was_started(kind: str) -> None:
    """G2: a proxy that answers for AWS, or half an answer, must not let a second job begin."""
    operation, listed, token, a_trigger = SEARCHES[kind]
    timeout = glue_runs.TIMEOUT
    hollow = FakeAws(**{operation: {}})
    assert a_trigger(hollow).find(a_job(), timeout=timeout) is Absent.UNKNOWN
    halves: list[Any] = [{listed: [], token: "more"}, {}]
    torn = FakeAws(**{operation: halves})
    assert a_trigger(torn).find(a_job(), timeout=timeout) is Absent.UNKNOWN
    empty = FakeAws(**{operation: {listed: []}})
    assert a_trigger(empty).find(a_job(), timeout=timeout) is Absent.CERTAINLY


def test_a_failed_glue_run_is_not_the_last_while_its_followers_cannot_be_seen() -> None:
    aws = glue_runs.an_aws(glue_runs.a_run("FAILED"), get_job_runs={})
    handle = glue_runs.a_trigger(aws)._handle("jr_1")
    assert glue_runs.a_trigger(aws).poll(a_job(), handle, timeout=glue_runs.TIMEOUT).state is JobState.UNSEEN
