"""The dashboard and the alerting rules ask for what there is: every query against a real text of `/metrics`."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.acceptance.cli import a_project, a_script
from tests.unit.telemetry.promql import Expression, Matcher, Selector, parse

from interlock.app.evaluating import evaluate_pipeline
from interlock.app.notifying import raise_alert
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.core.alerts import Alert, AlertLevel, AlertType
from interlock.core.chronicle import EventKind, EventRecord
from interlock.ports.telemetry import StepKind
from interlock.runtime.bell import Bell
from interlock.runtime.clock import SystemPacer
from interlock.runtime.watchdog import Rounds, Watchdog
from interlock.runtime.watching import Watching
from interlock.runtime.wiring import Interlock
from interlock.telemetry.families import FAMILIES
from interlock.testing.builders import a_slot

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "deploy/grafana/interlock.json").read_text())
RULES = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())

OF_THE_SCRAPE = {"instance", "job"}
"""Labels that Prometheus itself adds to whatever it reads."""

Series = Mapping[str, Mapping[str, set[str]]]


def _panels() -> Iterator[dict[str, Any]]:
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            yield panel


QUERIES = [
    *((f"{panel['title']}: {each['refId']}", each["expr"]) for panel in _panels() for each in panel["targets"]),
    *((rule["alert"], rule["expr"]) for group in RULES["groups"] for rule in group["rules"]),
]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """Return what a process shows in which everything has happened once: metrics, their labels, and the labels' values."""
    root = a_project(tmp_path_factory.mktemp("project"))
    with (root / "interlock.yaml").open("a") as file:
        file.write("lifecycle:\n  - type: file\n    path: events.jsonl\n")
        file.write("archiver: {enabled: true, dsn: 'postgresql://nowhere.invalid/history'}\n")
    with Interlock(load_project(root), env={}, measured=True) as work:
        watching = _live(work)
        assert work.observers.metrics is not None
        text = work.observers.metrics.render()[1].decode()
        watching.drain()
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name].update({})
            for label, value in sample.labels.items():
                found[sample.name][label].add(value)
    return found


def _live(work: Interlock) -> Watching:
    spec = work.project.pipelines["orders"].spec
    with Bell() as bell:
        watching = Watching(work, bell, Settings(), news=lambda _line: None)
        watching.watch(until_idle=True)
    Watchdog(work.hands, Rounds(), alarm=SystemPacer(work.clock), say=lambda _words: None).turn()
    now = work.clock.now()
    slot = a_slot(pipeline="orders")
    a_script(work.project.root / "evaluators" / "check", "exit 3")
    evaluate_pipeline(spec, slot, work.hands)
    raise_alert(
        Alert(alert_id="a", alert_type=AlertType.RUN_POISONED, level=AlertLevel.ERROR, at=now, message="-"), work.hands
    )
    work.store.note(slot, now, "all", [EventRecord(kind=kind, at=now) for kind in EventKind])
    # What cannot be brought about without a broken world.
    for kind, about, outcome in (
        (StepKind.DECISION, {"event": "Woke"}, "contention"),
        (StepKind.DECISION, {"event": "Woke"}, "error"),
        (StepKind.ALERT, {"sink": "console"}, "failed"),
        (StepKind.EVENT, {"sink": "file"}, "failed"),
    ):
        with work.store.telemetry.step(kind, slot, **about) as step:
            step.told(outcome=outcome)
    return watching


@pytest.mark.parametrize(("name", "text"), QUERIES, ids=[name for name, _ in QUERIES])
def test_a_query_asks_for_what_is_there(name: str, text: str, series: Series) -> None:
    """T-106: the names and labels that are documented, shown and asked for are the same."""
    expression = parse(text)
    assert expression.selectors, text
    for selector in expression.selectors:
        assert selector.metric in series, f"there is no {selector.metric}"
        labels = series[selector.metric]
        for matcher in selector.matchers:
            assert matcher.label in labels.keys() | OF_THE_SCRAPE, f"{selector.metric} has no label {matcher.label}"
            assert set(matcher.values()) <= labels.get(matcher.label, set(matcher.values())), matcher
        assert expression.labels <= labels.keys() | OF_THE_SCRAPE, f"{selector.metric} is grouped by what it has not"


def test_every_metric_of_ours_has_happened_in_the_world_that_queries_are_tried_in(series: Series) -> None:
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in series}
    assert shown >= FAMILIES.keys()
    for name, family in FAMILIES.items():
        sample = f"{name}_count" if family.type == "histogram" else name
        assert set(series[sample]) == set(family.labels), name


def test_panels_have_names_and_places_of_their_own_and_say_what_they_show() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    titles = [panel["title"] for panel in _panels()]
    assert len(set(titles)) == len(titles)
    assert all(panel["description"].endswith(".") for panel in _panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    for panel in _panels():
        for target in panel["targets"]:
            expression = parse(target["expr"])
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in expression.labels | OF_THE_SCRAPE, (panel["title"], label)


@pytest.mark.parametrize("shown", ["interlock_alerts_failed_total", "interlock_progress_age_seconds"])
def test_what_people_must_hear_of_is_in_the_rules_and_on_the_dashboard(shown: str) -> None:
    asked = [{selector.metric for selector in parse(text).selectors} for _, text in QUERIES]
    assert sum(shown in each for each in asked) >= 2


def test_every_rule_says_how_bad_it_is_what_it_means_and_what_to_do() -> None:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert set(rule["annotations"]) == {"summary", "description"}


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ('up{job="a", x=~"b|c"} > 1', Expression((Selector("up", (Matcher("job", "=", "a"), Matcher("x", "=~", "b|c"))),), frozenset())),
        ("sum by (le, kind) (rate(a_bucket[5m])) / 2", Expression((Selector("a_bucket", ()),), frozenset({"le", "kind"}))),
        ("a unless on (sink) b", Expression((Selector("a", ()), Selector("b", ())), frozenset({"sink"}))),
        ("sum(a) by (x)", Expression((Selector("a", ()),), frozenset({"x"}))),
    ],
)  # fmt: skip
def test_expressions_are_understood(text: str, expression: Expression) -> None:
    assert parse(text) == expression
