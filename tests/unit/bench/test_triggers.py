"""The measurements of triggers: every type has one, and its yardstick asks what the trigger asks."""

from __future__ import annotations

import math

import pytest
from bench import triggers

from interlock.plugins import BUILTIN

_NOBODY_IS_ASKED = {"external", "foreground", "gate"}


def test_every_type_that_starts_something_is_measured() -> None:
    known = {name for kind, name in BUILTIN if kind == "trigger"}
    assert known - _NOBODY_IS_ASKED == set(triggers.TYPES) - set(triggers.OVER_TLS)


@pytest.mark.enable_socket
def test_each_type_and_its_yardstick_start_a_job_and_look_at_it() -> None:
    figures = triggers.main(rounds=1, bulk=False)
    ratios = {name for name in figures if name.endswith("_ratio")}
    starts = {f"{name}_start_ratio" for name in triggers.TYPES if f"{name}_start_ms" in figures}
    assert starts <= ratios
    assert {name.removesuffix("_start_ratio") for name in starts} >= set(triggers.TYPES) - set(triggers.OVER_TLS)
    assert ratios <= set(triggers.LIMITS)
    assert all(math.isfinite(figure) and figure > 0 for figure in figures.values())


def test_a_ratio_is_ours_over_the_yardstick(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(triggers, "perf_counter", lambda: now[0])

    def takes(seconds: float) -> None:
        now[0] += seconds

    found = triggers._by_turns(lambda: takes(0.003), lambda: takes(0.001), rounds=4)
    assert found == pytest.approx({"ms": 3, "p99_ms": 3, "bare_ms": 1, "bare_p99_ms": 1, "ratio": 3})
