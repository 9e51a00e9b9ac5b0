"""Folding a journal again: the run that comes out must be the one that is stored, and no step may be unsafe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

from msgspec.structs import replace

from interlock.app.arrivals import limits_of
from interlock.core.constraints import violations
from interlock.core.events import EvaluationAsked
from interlock.core.ids import RunKey
from interlock.core.lifecycle import Terms, decide, opened
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Cause, Run
from interlock.errors import NotFound, UnreadableRecord
from interlock.stores.integrity import FaultKind
from interlock.stores.integrity_slots import Story

Specs = Callable[[str], PipelineSpec]


class _Opening(NamedTuple):
    """By which spec and on what terms a run may have been opened."""

    digest: str
    terms: Terms


class Refolding:
    """Folds journals by the specs that their runs were pinned to. `untold` are those whose opening is not known."""

    def __init__(self, specs: Specs) -> None:
        self._specs = specs
        self.untold = set[RunKey]()

    def __call__(self, story: Story) -> Iterator[tuple[FaultKind, str]]:
        """Tell what does not come out as it is stored."""
        try:
            run, unsafe = self._best(story)
        except (NotFound, UnreadableRecord) as exc:
            yield FaultKind.SPEC, f"its journal cannot be folded: {exc}"
            return
        if run != story.run and _pinned_anew(story):
            self.untold.add(
                story.run.key
            )  # which spec a run that waits had before it was pinned anew is written nowhere
            return
        for words in unsafe:
            yield FaultKind.CONSTRAINT, words
        if run != story.run:
            yield FaultKind.REFOLD, f"its journal does not fold to it: {_difference(run, story.run)}"

    def _best(self, story: Story) -> tuple[Run, list[str]]:
        """Fold from whatever opening gives the run as it is stored, or else from the likeliest."""
        first: tuple[Run, list[str]] | None = None
        for opening in _openings(story):
            found = self._folded(story, opening)
            if found[0] == story.run:
                return found
            first = first or found
        if first is None:
            raise NotFound("by which spec it was opened is not known")
        return first

    def _folded(self, story: Story, opening: _Opening) -> tuple[Run, list[str]]:
        begin, *rest = story.journal
        key, spec = story.run.key, self._specs(opening.digest)
        terms = replace(opening.terms, limits=limits_of(key.slot, spec, begin.at))
        run = opened(key, spec, opening.digest, begin.at, terms).run
        unsafe: list[str] = []
        for entry in rest:
            if entry.fact is None:
                return run, [*unsafe, f"line {entry.version} of its journal tells no fact"]
            pinned = entry.fact.spec_digest if isinstance(entry.fact, EvaluationAsked) else ""
            spec = self._specs(pinned or run.spec_digest)
            decision = decide(run, entry.fact, spec)
            broken = violations(run, entry.fact, decision, spec)
            unsafe += (f"line {entry.version} of its journal breaks {constraint}" for constraint in broken)
            run = decision.run
            if run.version != entry.version:
                break
        return run, unsafe


def _openings(story: Story) -> Iterator[_Opening]:
    """Yield how a run may have been opened, the likeliest first: part of that is kept elsewhere, and may have changed."""
    run, expected = story.run, story.expectation
    by_calendar = expected is not None and run.key.number == 1 and run.cause is not Cause.MANUAL
    since = [expected.since, None] if expected is not None and by_calendar else [None]
    overrides = [run.override] if run.override is None else [run.override, None]
    pinned = [entry.fact.spec_digest for entry in story.journal if isinstance(entry.fact, EvaluationAsked)]
    digests = [run.spec_digest, "" if expected is None else expected.spec_digest, *pinned]
    for digest, override, begun in product(filter(None, dict.fromkeys(digests)), overrides, since):
        terms = Terms(cause=run.cause, note=run.note, details=run.details, override=override, since=begun)
        yield _Opening(digest, terms)


def _pinned_anew(story: Story) -> bool:
    return any(isinstance(entry.fact, EvaluationAsked) and entry.fact.spec_digest for entry in story.journal)


def _difference(one: Run, other: Run) -> str:
    fields = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    pairs = ((name, _short(getattr(one, name)), _short(getattr(other, name))) for name in fields)
    return ", ".join(f"{name} would be {there} and is {here}" for name, there, here in pairs)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
