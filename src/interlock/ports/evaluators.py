"""Ask one trait, by a deadline."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from interlock.core.documents import Document
from interlock.core.ids import Slot
from interlock.core.traits import FailureCategory, Origin, TraitSpec, TraitStatus


class Question(Struct, frozen=True, kw_only=True):
    """What is asked: one trait of one slot. `run_id` is empty when nobody means to start a job on the answer.

    `shadow` is whether whoever asks is in shadow mode, so that nothing is done on the answer either.
    `traceparent` names the step of a trace in which it is asked (W3C Trace Context); it is handed on to whoever answers.
    """

    trait: TraitSpec
    slot: Slot
    run_id: str = ""
    shadow: bool = False
    traceparent: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """What came back.

    `origin` is `runner` when no answer could be had from the evaluator itself; `category` is then always set.
    `ttl` is set only by an answer that knows its own age (a pushed one); it may shorten the trait's ttl, never extend it.
    """

    status: TraitStatus
    value: Document | None = None
    reason: str = ""
    category: FailureCategory | None = None
    origin: Origin = Origin.EVALUATOR
    ttl: timedelta | None = None


class Evaluator(Protocol):
    """Gets one answer out of something that can check a trait."""

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:
        """Ask, and return within about `timeout` whatever happens.

        Trouble is an answer, not an exception: a missing file, a crash, a timeout or nonsense on stdout come back as FAIL
        with a category and `origin` runner. Nothing of the evaluator is left running when this returns.
        """
        ...
