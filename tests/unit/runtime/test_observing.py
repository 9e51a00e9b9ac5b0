"""Who measures in a process at work: nobody, unless it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.acceptance.cli import a_project, a_script

from interlock.app.evaluating import evaluate_pipeline
from interlock.config.load import load_project
from interlock.config.project import ProjectSettings, TracingSpec
from interlock.ports.telemetry import SILENT
from interlock.runtime.observing import traced
from interlock.runtime.wiring import Interlock
from interlock.testing.builders import a_slot

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

WATCH = """
import sys
from pathlib import Path
from interlock.config.load import load_project
from interlock.config.settings import Settings
from interlock.runtime.bell import Bell
from interlock.runtime.watching import Watching
from interlock.runtime.wiring import Interlock
with Interlock(load_project(Path(sys.argv[1]))) as work:
    watching = Watching(work, Bell(), Settings(), news=print)
    watching.watch(once=True)
    watching.drain()
print(sorted({name.split(".")[0] for name in sys.modules} & {"prometheus_client", "opentelemetry", "logging"}))
"""


@pytest.mark.parametrize(
    ("enabled", "env", "wanted"),
    [
        (None, {}, False),
        (None, ENDPOINT, True),
        (None, {"OTEL_TRACES_EXPORTER": "console"}, True),
        (None, {"OTEL_TRACES_EXPORTER": "none"}, False),
        (None, {"OTEL_SERVICE_NAME": "x"}, False),
        (True, {}, True),
        (False, ENDPOINT, False),
        (True, {"OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_spans_are_made_when_the_project_or_else_the_environment_asks_for_them(
    enabled: bool | None, env: dict[str, str], wanted: bool
) -> None:
    settings = ProjectSettings(sqlite_path=Path("x"), tracing=TracingSpec(enabled=enabled))
    assert traced(settings, env) is wanted


def test_a_watcher_that_nobody_measures_imports_nothing_for_it(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(root)], capture_output=True, text=True, check=True, env={"PATH": "/usr/bin"}
    )
    assert done.stdout.splitlines()[-1] in ("[]", "['logging']")


def test_hands_are_as_they_were_where_nobody_measures(tmp_path: Path) -> None:
    with Interlock(load_project(a_project(tmp_path)), env={}) as work:
        assert work.store.telemetry is SILENT
        assert work.observers.counts is None
        with work.observers.incoming({"traceparent": THEIRS}):
            assert work.hands.evaluator is not None


def test_a_project_at_work_counts_what_it_does(tmp_path: Path) -> None:
    project = load_project(a_project(tmp_path))
    with Interlock(project, env={}, measured=True) as work:
        evaluate_pipeline(project.pipelines["orders"].spec, a_slot(pipeline="orders"), work.hands)
        assert work.observers.counts is not None
        assert work.observers.metrics is not None
        assert work.observers.counts.plain()["evaluations_total"] == 1
        text = work.observers.metrics.render()[1].decode()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["interlock_evaluator_seconds_count", "program", "PASS"] == 1
    assert samples["interlock_alerts_failed_total", "console"] == 0


def test_a_project_may_do_without_metrics_and_still_counts(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    with (root / "interlock.yaml").open("a") as file:
        file.write("metrics:\n  enabled: false\n")
    with Interlock(load_project(root), env={}, measured=True) as work:
        assert work.observers.metrics is None
        assert work.observers.counts is not None


def test_a_program_is_told_the_trace_in_which_it_is_asked(tmp_path: Path) -> None:
    root = a_project(tmp_path, check='echo \'{"status":"PASS"}\'')
    a_script(root / "evaluators" / "check", f'echo "$TRACEPARENT" > {root}/heard; echo \'{{"status":"PASS"}}\'')
    with (root / "interlock.yaml").open("a") as file:
        file.write("tracing:\n  enabled: true\n")
    project = load_project(root)
    with (
        Interlock(project, env={"OTEL_TRACES_EXPORTER": "none"}) as work,
        work.observers.incoming({"traceparent": THEIRS}),
    ):
        evaluate_pipeline(project.pipelines["orders"].spec, a_slot(pipeline="orders"), work.hands)
    heard = (root / "heard").read_text().strip().split("-")
    assert heard[1] == THEIRS.split("-")[1]
    assert heard[2] != THEIRS.split("-")[2]
