"""The reference of metrics says what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interlock.telemetry.counts import Counts
from interlock.telemetry.families import FAMILIES

PAGE = (Path(__file__).parents[3] / "docs/reference/metrics.md").read_text()
ROWS = dict(re.findall(r"^\| `(interlock_\w+)` \| ([^|]*)\|", PAGE, re.MULTILINE))


def test_every_metric_has_its_row_and_no_row_is_left_over() -> None:
    """T-106."""
    assert set(ROWS) == set(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_row_names_the_labels_that_the_metric_has(name: str) -> None:
    assert tuple(re.findall(r"`(\w+)`", ROWS[name])) == FAMILIES[name].labels


def test_a_metric_stands_under_the_heading_of_its_type() -> None:
    for heading, rows in re.findall(r"^\| (Counter|Histogram|Gauge) \|[^\n]*\n((?:\|[^\n]*\n)+)", PAGE, re.MULTILINE):
        names = re.findall(r"^\| `(interlock_\w+)`", rows, re.MULTILINE)
        assert names
        assert {FAMILIES[name].type for name in names} == {heading.lower()}


def test_the_metrics_that_may_have_the_label_pipeline_stand_in_the_table_that_says_so() -> None:
    told = PAGE[: PAGE.index("Counted when it is done")]
    assert set(re.findall(r"^\| `(interlock_\w+)`", told, re.MULTILINE)) == {
        name for name, family in FAMILIES.items() if family.per_pipeline
    }


def test_every_plain_counter_is_named() -> None:
    """T-83."""
    shown = PAGE[PAGE.index("## Plain counters") :]
    assert set(re.findall(r"`([a-z_]+)`", shown)) == set(Counts().plain())
