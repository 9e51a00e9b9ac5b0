"""Asking one trait. Nothing is written: what comes of it is told to the run by whoever made the question."""

from __future__ import annotations

from msgspec.structs import replace

from interlock.app.hands import Hands
from interlock.app.perform import perform
from interlock.aws.state import Asked, size_of
from interlock.core.events import TraitEvaluated
from interlock.core.ids import parse_run_id
from interlock.core.traits import FailureCategory, Origin, TraitStatus


def answer(asked: Asked, hands: Hands) -> Asked:
    """Return the question with what came of it; without a fact if the run does not ask it any more.

    An answer that is larger than its room does not fit into the state of an execution. To cut it would be to judge by
    something else than was measured: it counts as none.

    Raises:
        StoreError: the run cannot be read.
    """
    learned = perform(parse_run_id(asked.run), asked.wish, hands)
    if not isinstance(learned, TraitEvaluated):
        return replace(asked, fact=None)
    size = size_of(learned)
    if size <= asked.room:
        return replace(asked, fact=learned)
    words = (
        f"the answer has {size:,} bytes, and those of one round may have {asked.room:,} each on AWS. "
        "Keep large things elsewhere and answer where they are"
    )
    result = replace(
        learned.result,
        status=TraitStatus.ERROR,
        value=None,
        reason=words,
        category=FailureCategory.PERMANENT,
        origin=Origin.RUNNER,
    )
    return replace(asked, fact=replace(learned, result=result))
