"""A pipeline is retired, changed or deployed again while a run of it is under way."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from tests.unit.aws.rig import Turning
from tests.unit.aws.test_routing import Stream as Routed
from tests.unit.aws.test_routing import a_marker

from interlock.aws.state import Next
from interlock.core.runs import RunStatus
from interlock.testing.builders import Files, a_spec


def deployed(rig: Turning, *specs: object) -> None:
    """Have the functions find these pipelines, and no others."""
    rig.hands = rig.hands._replace(catalog=Files(*specs))  # type: ignore[arg-type]


def test_a_run_of_a_retired_pipeline_goes_on_by_what_it_began_with() -> None:
    rig = Turning()
    rig.until(Next.EVALUATE)
    deployed(rig)
    assert rig.until(Next.START).status == RunStatus.TRIGGERING
    assert rig.until(Next.WAIT_FOR_JOB).status == RunStatus.RUNNING
    assert rig.trigger.started == 1


def test_a_changed_pipeline_does_not_change_a_run_under_way() -> None:
    """It was judged by its traits, and starts its job."""
    rig = Turning()
    rig.until(Next.EVALUATE)
    deployed(rig, replace(a_spec("volume"), name=rig.spec.name))
    rig.until(Next.START)
    assert [str(result.trait) for result in rig.run.results] == ["freshness"]
    assert rig.run.permit is not None
    assert rig.run.permit.spec_digest == rig.run.spec_digest


def test_a_marker_for_a_retired_pipeline_opens_nothing_and_is_told() -> None:
    stream = Routed()
    stream.router = stream.router._replace(hands=stream.hands._replace(catalog=Files()))
    stream.clock.advance(timedelta(seconds=1))
    stream.router.route(a_marker(date={"S": "2026-03-06"}))
    assert [run.key for run in stream.store.runs_of("example", limit=10)] == [stream.key]
    assert "no pipeline is named" in stream.failures.kept[0][0]
