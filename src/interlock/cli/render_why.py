"""The reasons behind a decision as a tree, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from interlock.app.explain import TraitWhy, Why
from interlock.app.views import AttemptView
from interlock.cli.output import faint, moment, plain, span, strong, styled

_EVIDENCE = 200


class Node(NamedTuple):
    """One line of a tree, and what stands below it."""

    text: str
    below: Sequence[Node] = ()


def tree(why: Why) -> str:
    """Lay out the reasons."""
    where = "  ".join(part for part in (why.schedule_id, why.date, why.run_id) if part)
    head = f"{strong(why.pipeline_id)}  {faint(where)}".rstrip() if where else strong(why.pipeline_id)
    return "\n".join([head, *_drawn(list(_branches(why)), "")])


def _drawn(nodes: Sequence[Node], margin: str) -> Iterator[str]:
    for number, node in enumerate(nodes, 1):
        last = number == len(nodes)
        yield f"{margin}{'└─' if last else '├─'} {node.text}"
        yield from _drawn(node.below, margin + ("   " if last else "│  "))


def _branches(why: Why) -> Iterator[Node]:
    yield Node(f"{styled(why.status)}  {plain(why.headline)}")
    if why.rule:
        decided = faint(f"  decided {moment(why.decided_at)}") if why.decided_at else ""
        yield Node(f"rule {why.rule}{decided}", [_trait(trait) for trait in why.traits])
    if why.override is not None:
        yield Node(f"override by {plain(why.override)}", [Node(f"set aside: {name}") for name in why.overridden])
    if why.permit_until is not None:
        yield Node(f"permit valid until {moment(why.permit_until)}")
    if why.attempts:
        yield Node("attempts", [_attempt(attempt) for attempt in why.attempts])
    if why.job_url:
        yield Node(f"its job: {why.job_url}")
    yield Node(f"next: {plain(why.next)}")


def _trait(trait: TraitWhy) -> Node:
    notes = [] if trait.required else ["optional"]
    notes += [trait.failure_category] if trait.failure_category else []
    aside = faint(f" ({', '.join(notes)})") if notes else ""
    below = []
    if trait.reason:
        below.append(Node(f"because: {plain(trait.reason)}"))
    if trait.evaluator:
        age = "" if trait.age_seconds is None else f", {span(max(trait.age_seconds, 0))} old when it counted"
        below.append(Node(f"asked: {plain(trait.evaluator)}{age}"))
    if trait.value is not None:
        below.append(Node(f"evidence: {_cut(plain(trait.value.text))}"))
    if trait.would_change:
        label = "lasts" if trait.status == "PASS" else "would change it"
        below.append(Node(f"{label}: {plain(trait.would_change)}"))
    return Node(f"{styled(trait.status)} {trait.trait_type}{aside}", below)


def _cut(text: str) -> str:
    return text if len(text) <= _EVIDENCE else f"{text[:_EVIDENCE]}… (in full with --json)"


def _attempt(attempt: AttemptView) -> Node:
    took = span(attempt.completed_at - attempt.started_at)
    why = ": ".join(part for part in (attempt.failure_category or "", plain(attempt.failure_message)) if part)
    text = f"{attempt.attempt}  {styled(attempt.status)}  {moment(attempt.started_at)}  took {took}"
    return Node(f"{text}  {why}" if why else text)
