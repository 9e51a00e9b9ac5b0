"""Names of executions."""

from __future__ import annotations

import re

from interlock.aws.naming import execution_name
from interlock.core.ids import PipelineName, RunKey, Slot
from interlock.core.periods import Period
from interlock.testing.builders import a_key

LEGAL = re.compile(r"[A-Za-z0-9_-]{1,80}")


def test_no_two_runs_share_a_name_however_alike_they_are() -> None:
    """AWS-19, AWS-23: cut and replaced characters make nobody's name another's."""
    long = "x" * 200
    keys = [
        a_key(pipeline="a.b"),
        a_key(pipeline="a_b"),
        a_key(pipeline="a-b"),
        a_key(pipeline="a-b", number=2),
        a_key("2026-03-08", pipeline="a-b"),
        a_key(pipeline=f"{long}1"),
        a_key(pipeline=f"{long}2"),
        a_key("2026-03-07T01:00", pipeline="a-b"),
        RunKey(Slot(PipelineName("a-b"), "morning", Period.parse("2026-03-07"))),  # type: ignore[arg-type]
    ]
    names = [execution_name(key, suffix) for key in keys for suffix in ("", "s1963412", "r1772884800")]
    assert len(set(names)) == len(names)


def test_every_name_is_one_that_step_functions_takes() -> None:
    """AWS-19."""
    for pipeline in ("x" * 255, "a.b_c-d", "ab"):
        for period in ("2026-03-07", "2026-11-01T01:00-05:00"):
            assert LEGAL.fullmatch(execution_name(a_key(period, pipeline=pipeline, number=999_999), "r99999999999"))


def test_a_name_says_whose_and_which_day_it_is() -> None:
    assert execution_name(a_key(pipeline="sales")).startswith("sales-20260307-")


def test_the_same_run_has_the_same_name_everywhere() -> None:
    assert execution_name(a_key()) == execution_name(a_key()) == "example-20260307-" + execution_name(a_key())[-12:]
