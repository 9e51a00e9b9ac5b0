"""`builtin:upstream-check`: has another pipeline completed the same period?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct

from interlock.codec.documents import document
from interlock.core.ids import DEFAULT_SCHEDULE, NAME_RULE, PipelineName, ScheduleName, Slot, is_name
from interlock.core.periods import Period
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.errors import ConfigError
from interlock.evaluators.context import CheckContext, UpstreamRun, expand
from interlock.ports.evaluators import Answer, Question

COMPLETE: Final = ("COMPLETED", "COMPLETED_MONITORING")
OVER: Final = ("FAILED", "CANCELLED")


class UpstreamConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What `upstream-check` takes."""

    upstream_pipeline: Annotated[str, Meta(description="The pipeline that must have completed.")]
    upstream_schedule: Annotated[
        str,
        Meta(description="Its schedule. Default: the asking run's own, or daily when the upstream has no such run."),
    ] = ""
    date: Annotated[str, Meta(description="The period it must have completed. Default: the asking run's own.")] = ""

    def __post_init__(self) -> None:
        for key, name in (("upstreamPipeline", self.upstream_pipeline), ("upstreamSchedule", self.upstream_schedule)):
            if not is_name(name) and (name or key == "upstreamPipeline"):
                raise ValueError(f"{key}: {name!r} is not a name ({NAME_RULE})")


class UpstreamCheck:
    """Passes when the upstream's latest run of the slot is complete; fails while it may still become so.

    An upstream that cannot complete any more by itself (its run failed or was cancelled, its day is excluded, it is not
    defined) fails with the category PERMANENT: whoever waits for it is told at once, and asked again when it is rerun.
    So does a run in shadow mode, of which no job is started, unless whoever asks is in shadow mode too.
    """

    Config = UpstreamConfig

    def __init__(self, config: UpstreamConfig, context: CheckContext) -> None:
        self._config = config
        self._context = context

    def evaluate(self, question: Question, *, timeout: timedelta) -> Answer:  # noqa: ARG002  (the store minds its own time)
        """Look the run up; see `Check.evaluate`."""
        slots = tuple(dict.fromkeys(self._slots(question)))
        for slot in slots:
            run = self._context.runs.latest(slot)
            if run is not None and run.shadow and not question.shadow:
                return _in_shadow(run)
            if run is not None:
                return _judged(slot, run)
        reason = f"the upstream has no run yet: looked for {' and '.join(map(str, slots))}"
        never = [words for slot in slots if (words := self._context.runs.never(slot))]
        if len(never) < len(slots):
            return Answer(status=TraitStatus.FAIL, reason=reason)
        return Answer(
            status=TraitStatus.FAIL, reason=f"{reason}; none will come: {never[0]}", category=FailureCategory.PERMANENT
        )

    def _slots(self, question: Question) -> Iterator[Slot]:
        pipeline = PipelineName(self._config.upstream_pipeline)
        period = self._period(question)
        day = Period.of_day(period.day)
        if self._config.upstream_schedule:
            explicit = ScheduleName(self._config.upstream_schedule)
            yield Slot(pipeline, explicit, period)
            if not self._config.date:
                yield Slot(pipeline, explicit, day)
            return
        yield Slot(pipeline, question.slot.schedule, period)
        yield Slot(pipeline, DEFAULT_SCHEDULE, period)
        if not self._config.date:
            yield Slot(pipeline, DEFAULT_SCHEDULE, day)

    def _period(self, question: Question) -> Period:
        if not self._config.date:
            return question.slot.period
        try:
            return Period.parse(expand(self._config.date, question, self._context))
        except ValueError as exc:
            raise ConfigError(f"its config cannot be used: date: {exc}") from exc


def _in_shadow(run: UpstreamRun) -> Answer:
    return Answer(
        status=TraitStatus.FAIL,
        value=document({"upstreamRunID": run.run_id, "upstreamStatus": run.status}),
        reason=(
            f"the upstream run {run.run_id} is in shadow mode: its job is not started by Interlock, so its status says "
            "nothing of its data. Take the upstream out of shadow mode and run it again, or check the data themselves"
        ),
        category=FailureCategory.PERMANENT,
    )


def _judged(slot: Slot, run: UpstreamRun) -> Answer:
    ended = run.ended_at.isoformat() if run.ended_at else None
    if run.status in COMPLETE:
        return Answer(
            status=TraitStatus.PASS,
            value=document({"upstreamRunID": run.run_id, "completedAt": ended}),
            reason=f"{slot} is {run.status}",
        )
    over = run.status in OVER
    return Answer(
        status=TraitStatus.FAIL,
        value=document({"upstreamRunID": run.run_id, "upstreamStatus": run.status}),
        reason=f"the upstream run {run.run_id} {'ended' if over else 'is'} {run.status}",
        category=FailureCategory.PERMANENT if over else None,
    )
