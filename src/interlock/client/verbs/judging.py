"""Asking whether a job might start, looking at what was said, and telling the result of a trait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from interlock.api.judging import Evaluate, PushTrait, Readiness, Trait, TraitEvaluation, TraitEvaluations, Traits
from interlock.app.push_views import PushView
from interlock.app.views import ReadinessView
from interlock.client.asking import Asking
from interlock.client.values import category_of, length_of, plain, status_of


class Judging(Asking):
    """Verbs about verdicts and traits."""

    def evaluate(self, pipeline_id: str, *, schedule: str | None = None, date: str | None = None) -> ReadinessView:
        """Ask every trait afresh and judge. Nothing is started.

        A verdict of NOT_READY is an answer and no exception: see `status`, `blocking` and `undecided`.

        Raises:
            NotFound: there is no such pipeline or schedule.
            Invalid: the date is none of the schedule's.
        """
        return self.ask(Evaluate(pipeline_id=pipeline_id, schedule=schedule, date=date))

    def readiness(self, pipeline_id: str, *, schedule: str | None = None, date: str | None = None) -> ReadinessView:
        """Show the latest verdict as it counts now, of one slot or of any. Nobody is asked, and nothing is written.

        A PASS that has expired counts as STALE. Without a verdict it is NOT_READY, with every trait not seen.

        Raises:
            NotFound: there is no such pipeline or schedule.
        """
        return self.ask(Readiness(pipeline_id=pipeline_id, schedule=schedule, date=date))

    def traits(self, pipeline_id: str) -> TraitEvaluations:
        """List what is known of the traits of a pipeline: the latest answer of each, or the latest pushed result.

        Raises:
            NotFound: there is no such pipeline.
        """
        return self.ask(Traits(pipeline_id=pipeline_id))

    def trait(self, pipeline_id: str, trait_type: str) -> TraitEvaluation:
        """Show what is known of one trait.

        Raises:
            NotFound: there is no such pipeline or trait, or nothing is known of it.
        """
        return self.ask(Trait(pipeline_id=pipeline_id, trait_type=trait_type))

    def push_trait(  # noqa: PLR0913  (each is a part of the result)
        self,
        pipeline_id: str,
        trait_type: str,
        status: str,
        *,
        value: Mapping[str, Any] | None = None,
        reason: str = "",
        ttl: int | timedelta | str | None = None,
        category: str | None = None,
        schedule: str | None = None,
        date: str | None = None,
    ) -> PushView:
        """Hand in a result for a trait that says `evaluator: push`. Runs that wait for it are judged again at once.

        Args:
            pipeline_id: the pipeline.
            trait_type: the trait.
            status: PASS, FAIL or ERROR.
            value: measurements.
            reason: what there is to say about it.
            ttl: how long it counts: seconds, a `timedelta`, or a text such as 30m; at most, and by default, the trait's own.
            category: why it is no PASS: TRANSIENT, TIMEOUT, PERMANENT or EVALUATOR_CRASH.
            schedule: count for this schedule only.
            date: count for this period only.

        Raises:
            Invalid: the status, the value or the trait cannot be taken.
            NotFound: there is no such pipeline or trait.
        """
        return self.ask(
            PushTrait(
                pipeline_id=pipeline_id,
                trait_type=trait_type,
                status=status_of(status),
                value=plain(value),
                reason=reason,
                ttl=length_of(ttl) if isinstance(ttl, timedelta) else ttl,
                category=category_of(category),
                schedule=schedule,
                date=date,
            )
        )
