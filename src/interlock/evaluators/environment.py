"""What an evaluator's process sees of the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlock.clients.environment import small_environment
from interlock.ports.evaluators import Question


def child_environment(own: Mapping[str, str], allow: Sequence[str], question: Question) -> dict[str, str]:
    """Return the small environment of every child, and what the question is about."""
    slot = question.slot
    about = {
        "INTERLOCK_PIPELINE": str(slot.pipeline),
        "INTERLOCK_SCHEDULE": str(slot.schedule),
        "INTERLOCK_DATE": str(slot.period),
        "INTERLOCK_RUN_ID": question.run_id,
        "INTERLOCK_TRAIT": str(question.trait.name),
    }
    if question.traceparent:
        about["TRACEPARENT"] = question.traceparent
    return small_environment(own, allow, about)
