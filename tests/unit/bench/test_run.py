"""The table of measurements judges figures by the limits of their modules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from bench import run


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, float]:
    figures = {"ratio": 2.5, "rate": 100.0, "other": 7.0}
    module = SimpleNamespace(main=lambda: figures, LIMITS={"ratio": 2.5}, FLOORS={"rate": 100.0})
    monkeypatch.setitem(sys.modules, "bench.advance", module)
    return figures


def _main() -> int:
    return run.main(["advance"])


def test_figures_at_their_limits_keep_them(measured: Mapping[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    assert measured
    assert _main() == 0
    assert capsys.readouterr().out.strip().splitlines() == [
        "measurement  figure   value  limit",
        "advance      ratio     2.50  ≤ 2.5",
        "advance      rate    100.00  ≥ 100",
        "advance      other     7.00",
    ]


@pytest.mark.parametrize(("figure", "value"), [("ratio", 2.51), ("rate", 99.9), ("ratio", float("nan"))])
def test_a_broken_limit_is_shown_and_fails(
    measured: dict[str, float], capsys: pytest.CaptureFixture[str], figure: str, value: float
) -> None:
    measured[figure] = value
    assert _main() == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("BROKEN")]
    assert figure in line


def test_an_unknown_measurement_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["speed"]) == 2
    assert "store_commit" in capsys.readouterr().err
