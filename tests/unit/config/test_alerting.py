"""Where alerts and lifecycle events go, as the project file says it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.config.projects import good_project, loaded, problems_of, small_project

from interlock.codec.documents import mapping
from interlock.config.build_alerts import MOST_SINKS
from interlock.config.project import AlertingSpec, ProjectSettings, SinkSpec, WatchdogSpec
from interlock.core.alerts import AlertLevel, AlertType
from interlock.core.pipelines import Mode


def _settings(tmp_path: Path, text: str) -> ProjectSettings:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text(text)
    return loaded(root).settings


def test_every_key_of_a_sink_reaches_its_spec(tmp_path: Path) -> None:
    """BUG-185."""
    console, first, pager, second = loaded(good_project(tmp_path)).settings.sinks
    assert [each.name for each in (console, first, second)] == ["console", "webhook", "webhook-2"]
    assert console == SinkSpec(name="console", type="console")
    assert mapping(pager.config) == {"url": "http://localhost:8080/page"}
    assert pager == SinkSpec(
        name="pager",
        type="webhook",
        config=pager.config,
        min_level=AlertLevel.ERROR,
        pipelines=("sales-*", "living"),
        tiers=(1,),
        owners=("data-platform",),
        types=(AlertType.SCHEDULE_MISSED, AlertType.STUCK_RUN),
        group_by=("pipeline", "alertType"),
        group_wait=timedelta(seconds=30),
    )


def test_the_rest_of_what_the_project_says_about_the_living_system_reaches_its_settings(tmp_path: Path) -> None:
    """BUG-185."""
    settings = loaded(good_project(tmp_path)).settings
    assert settings.alerting == AlertingSpec(renotify=timedelta(), deliver_for=timedelta(days=2))
    assert [(each.name, each.type) for each in settings.lifecycle] == [("file", "file"), ("catalogue", "webhook")]
    assert (settings.watcher_workers, settings.watcher_reload) == (4, timedelta())
    assert settings.watchdog.ping_url == "https://ping.example.com/abc"
    assert settings.mode is Mode.LIVE


def test_what_a_project_does_not_say_has_its_default(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "{}\n")
    assert settings.alerting == AlertingSpec(renotify=timedelta(hours=4), deliver_for=timedelta(days=1))
    assert (settings.watcher_workers, settings.watcher_reload) == (16, timedelta(seconds=5))
    assert (settings.sinks, settings.lifecycle, settings.watchdog) == ((), (), WatchdogSpec())


def test_names_of_sinks_are_their_own_even_where_a_number_is_taken(tmp_path: Path) -> None:
    settings = _settings(
        tmp_path,
        "alerts:\n  - {type: console}\n  - {type: console}\n  - {type: console, name: console-2}\n  - {type: console}\n",
    )
    assert [each.name for each in settings.sinks] == ["console", "console-3", "console-2", "console-4"]


@pytest.mark.parametrize(
    ("match", "field", "value"),
    [
        ("{pipeline: sales-*}", "pipelines", ("sales-*",)),
        ("{tier: [0, 1]}", "tiers", (0, 1)),
        ("{owner: [me, you]}", "owners", ("me", "you")),
        ("{type: job_lost}", "types", (AlertType.JOB_LOST,)),
    ],
)
def test_a_match_is_one_or_a_list(tmp_path: Path, match: str, field: str, value: object) -> None:
    (sink,) = _settings(tmp_path, f"alerts: [{{type: console, match: {match}}}]\n").sinks
    assert getattr(sink, field) == value


def test_a_sink_with_a_problem_is_told_with_its_line(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text("alerts:\n  - type: console\n    match:\n      type: [stuck_run, stuckrun]\n")
    (problem,) = problems_of(root)
    assert str(problem) == ("interlock.yaml:4:25: no alert is of the type 'stuckrun' (did you mean 'stuck_run'?)")


def test_there_are_no_more_sinks_than_one_commit_can_tell(tmp_path: Path) -> None:
    """An alert whose commit has no room for all of them would be told to none."""
    root = small_project(tmp_path)
    sinks = "".join(f"  - {{type: console, name: sink-{number}}}\n" for number in range(MOST_SINKS + 1))
    (root / "interlock.yaml").write_text(f"alerts:\n{sinks}")
    (problem,) = problems_of(root)
    assert "41 sinks, and there can be 40 at most" in problem.message
    assert problem.line == MOST_SINKS + 2
