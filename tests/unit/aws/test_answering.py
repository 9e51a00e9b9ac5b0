"""Asking one trait: what the evaluator gives back, and that it writes nothing."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.aws.rig import Turning

from interlock.aws.answering import answer
from interlock.aws.state import ROOM, Asked, Next, State, size_of
from interlock.codec import wire
from interlock.config.build_shelf import MAX_TRAITS
from interlock.core.commands import EvaluateTrait
from interlock.core.documents import Document
from interlock.core.events import TraitEvaluated
from interlock.core.ids import CommandId, TraitName
from interlock.core.traits import FailureCategory, TraitResult, TraitStatus
from interlock.ports.evaluators import Answer
from interlock.testing.asl.branch import LIMIT
from interlock.testing.builders import NOON


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


def test_an_answer_is_weighed_as_it_travels_where_other_letters_are_spelled_out() -> None:
    """AWS-29: Lambda may write three letters of Chinese as eighteen."""
    rig = Turning()
    rig.evaluator.script("freshness", Answer(status=TraitStatus.PASS, reason="\u8868" * 500))
    asked = _asked(rig)
    found = answer(asked, rig.hands)
    assert found.fact is not None
    assert len(wire.to_json(found.fact)) < 2_500
    assert size_of(found.fact) > 3_000
    assert answer(replace(asked, room=size_of(found.fact)), rig.hands).fact == found.fact
    rig.evaluator.script("freshness", Answer(status=TraitStatus.PASS, reason="\u8868" * 500))
    cut = answer(replace(asked, room=2_500), rig.hands).fact
    assert cut is not None
    assert cut.result.status is TraitStatus.ERROR


def test_a_round_of_the_most_and_the_longest_fits_into_what_travels() -> None:
    """AWS-29: what is larger ends an execution, and nothing catches that."""
    run = f"{'p' * 255}:{'s' * 255}:2026-11-01T01:00-05:00:999999"
    wishes = tuple(
        EvaluateTrait(id=CommandId("00000099#0059"), round=99, trait=TraitName(f"{'t' * 252}{n:03}"), deadline=NOON)
        for n in range(MAX_TRAITS)
    )
    room = ROOM // len(wishes)
    answers = []
    for wish in wishes:
        result = TraitResult(trait=wish.trait, status=TraitStatus.FAIL, observed_at=NOON, answered_at=NOON)
        fact = TraitEvaluated(at=NOON, round=99, result=result)
        full = replace(fact, result=replace(result, reason="x" * (room - size_of(fact) - 20)))
        assert room - 40 < size_of(full) <= room
        answers.append(Asked(run=run, wish=wish, room=room, fact=full))
    state = State(run=run, next=Next.EVALUATE, evaluate=wishes, room=room, answers=tuple(answers))
    assert size_of(state) < LIMIT


def test_an_evaluator_that_raises_is_an_answer_too() -> None:
    """AWS-17."""
    rig = Turning()
    rig.evaluator.script("freshness", OSError("boom"))
    found = answer(_asked(rig), rig.hands)
    assert found.fact is not None
    assert found.fact.result.category is FailureCategory.EVALUATOR_CRASH
