"""Asking one trait: what the evaluator gives back, and that it writes nothing."""

from __future__ import annotations

from tests.unit.aws.rig import Turning

from interlock.aws.answering import answer
from interlock.aws.state import Asked
from interlock.codec import wire
from interlock.core.documents import Document
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.ports.evaluators import Answer


def _asked(rig: Turning, room: int = 160_000) -> Asked:
    (wish,) = rig.step().evaluate
    return Asked(run=rig.key.run_id, wish=wish, room=room)


def test_an_answer_is_the_fact_that_the_run_is_told() -> None:
    rig = Turning()
    found = answer(_asked(rig), rig.hands)
    assert found.fact is not None
    assert (found.fact.round, found.fact.result.status) == (1, TraitStatus.PASS)


def test_asking_writes_nothing() -> None:
    """The evaluator's role cannot write the table."""
    rig = Turning()
    asked = _asked(rig)
    before = rig.kernel.walk(None, 1000)
    answer(asked, rig.hands)
    assert rig.kernel.walk(None, 1000) == before


def test_a_question_of_an_older_round_is_not_asked() -> None:
    rig = Turning()
    asked = _asked(rig)
    rig.carry(rig.state.__class__(run=rig.key.run_id, answers=rig.answers()))
    rig.step()
    count = rig.evaluator.asked("freshness")
    assert answer(asked, rig.hands).fact is None
    assert rig.evaluator.asked("freshness") == count


def test_an_answer_that_is_too_large_counts_as_none_and_is_never_cut() -> None:
    """AWS-29: to judge by a part would be to judge by something else."""
    rig = Turning()
    rig.evaluator.script("freshness", Answer(status=TraitStatus.PASS, value=Document((("rows", f'"{"x" * 9000}"'),))))
    found = answer(_asked(rig, room=2_000), rig.hands)
    assert found.fact is not None
    result = found.fact.result
    assert (result.status, result.category, result.value) == (TraitStatus.ERROR, FailureCategory.PERMANENT, None)
    assert "2,000" in result.reason
    assert len(wire.to_json(found)) < 2_000


def test_an_evaluator_that_raises_is_an_answer_too() -> None:
    """AWS-17."""
    rig = Turning()
    rig.evaluator.script("freshness", OSError("boom"))
    found = answer(_asked(rig), rig.hands)
    assert found.fact is not None
    assert found.fact.result.category is FailureCategory.EVALUATOR_CRASH
