from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from interlock.core.traits import CONFINED, Origin, TraitStatus, could_not_tell, is_fresh
from interlock.testing.builders import NOON, a_result, a_trait, no_answer

TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


def test_the_instant_of_expiry_belongs_to_stale() -> None:
    result = a_result(ttl=MINUTE)
    assert is_fresh(result, NOON + MINUTE - TICK)
    assert not is_fresh(result, NOON + MINUTE)


def test_a_result_without_a_ttl_does_not_expire_by_itself() -> None:
    assert is_fresh(a_result(), NOON + timedelta(days=999))


@pytest.mark.parametrize(
    ("status", "origin", "unknown"),
    [
        (TraitStatus.ERROR, Origin.EVALUATOR, True),
        (TraitStatus.FAIL, Origin.RUNNER, True),
        (TraitStatus.STALE, Origin.RUNNER, True),
        (TraitStatus.FAIL, Origin.EVALUATOR, False),
        (TraitStatus.FAIL, Origin.PUSH, False),
        (TraitStatus.STALE, Origin.EVALUATOR, False),
        (TraitStatus.PASS, Origin.RUNNER, False),
    ],
)
def test_could_not_tell_and_the_answer_is_no_never_mix(status: TraitStatus, origin: Origin, *, unknown: bool) -> None:
    """T-112, BUG-10, T-111."""
    assert could_not_tell(a_result(status=status, origin=origin)) is unknown
    assert could_not_tell(no_answer())


def test_what_checks_a_trait_is_said_as_people_write_it() -> None:
    assert replace(a_trait(), evaluator=("./check", "--fast")).checked_by == "./check --fast"
    assert replace(a_trait(), evaluator=(f"{CONFINED}check",)).checked_by == "check"
