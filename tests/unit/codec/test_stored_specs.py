"""Specs that runs are pinned to outlive the version of Interlock that wrote them."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from tests.unit.config.projects import good_project, loaded

from interlock.codec import wire
from interlock.core.periods import Period
from interlock.core.pipelines import MissedPolicy, Mode, OverlapPolicy, PipelineSpec
from interlock.core.schedules import exclusion, limits, window_of

FIRST = Path(__file__).parents[2] / "data" / "wire" / "spec-0.1.json"


def test_a_spec_that_the_first_version_pinned_means_what_it_meant() -> None:
    spec = wire.from_json(FIRST.read_bytes(), PipelineSpec)
    morning, _ = spec.schedules
    assert (morning.after, morning.deadline, morning.overlap, morning.missed) == (
        time(6),
        time(9),
        OverlapPolicy.ALLOW,
        MissedPolicy.LATEST,
    )
    assert (spec.mode, spec.owner, spec.stuck_after) == (Mode.LIVE, "", None)
    assert exclusion(spec, Period.parse("2026-07-03")).endswith("excluded dates or calendar us-holidays")
    assert "Sunday" in exclusion(spec, Period.parse("2026-03-08"))
    window = window_of(spec.name, morning, Period.parse("2026-03-06"))
    assert window is not None
    assert limits(spec, window, window.opens_at).closes_because == "sla.validationTimeout"


@pytest.mark.parametrize("name", ["everything", "living", "quorum", "daily-sales-rollup"])
def test_a_spec_comes_back_from_the_store_as_it_went_in(name: str, tmp_path: Path) -> None:
    spec = loaded(good_project(tmp_path)).pipelines[name].spec
    again = wire.from_json(wire.to_json(spec), PipelineSpec)
    assert again == spec
    assert wire.digest(again) == wire.digest(spec)
