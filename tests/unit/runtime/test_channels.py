from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.app.channels import Alerting, Wants
from interlock.codec.documents import document
from interlock.config.project import AlertingSpec, ProjectSettings, SinkSpec
from interlock.core.alerts import AlertLevel, AlertType
from interlock.errors import ConfigError
from interlock.runtime.channels import alerting_of
from interlock.sinks.console import ConsoleSink
from interlock.sinks.context import SinkContext
from interlock.sinks.file import FileSink
from interlock.testing.builders import MINUTE


def _alerting(tmp_path: Path, env: dict[str, str] | None = None, **fields: Any) -> Alerting:
    settings = ProjectSettings(sqlite_path=tmp_path / "interlock.db", **fields)
    return alerting_of(settings, SinkContext(stream=io.StringIO(), root=tmp_path), env or {}, {})


def test_a_project_that_says_nothing_is_told_on_the_console_from_warnings_upwards(tmp_path: Path) -> None:
    """LAT-38."""
    (channel,) = _alerting(tmp_path).channels
    assert isinstance(channel.sink, ConsoleSink)
    assert channel.wants == Wants(min_level=AlertLevel.WARNING)


def test_everything_that_a_sink_says_reaches_its_channel(tmp_path: Path) -> None:
    """T-104."""
    said = SinkSpec(
        name="pages",
        type="file",
        config=document({"path": "alerts.jsonl"}),
        min_level=AlertLevel.ERROR,
        pipelines=("sales-*",),
        tiers=(1, 2),
        owners=("data",),
        types=(AlertType.RUN_FAILED,),
        group_by=("pipeline",),
        group_wait=MINUTE,
    )
    alerting = _alerting(
        tmp_path, sinks=(said,), alerting=AlertingSpec(renotify=timedelta(), deliver_for=timedelta(hours=2))
    )
    (channel,) = alerting.channels
    assert isinstance(channel.sink, FileSink)
    assert channel.wants == Wants(AlertLevel.ERROR, ("sales-*",), (1, 2), ("data",), (AlertType.RUN_FAILED,))
    assert (channel.name, channel.group_by, channel.group_wait) == ("pages", ("pipeline",), MINUTE)
    assert (alerting.renotify, alerting.deliver_for) == (timedelta(), timedelta(hours=2))


def test_subscribers_are_made_under_their_names(tmp_path: Path) -> None:
    ends = SinkSpec(name="ends", type="file", config=document({"path": "ends.jsonl"}))
    ((name, subscriber),) = _alerting(tmp_path, lifecycle=(ends,)).subscribers
    assert name == "ends"
    assert isinstance(subscriber, FileSink)


def test_names_from_the_environment_are_filled_in_where_they_are_allowed(tmp_path: Path) -> None:
    """T-76."""
    (tmp_path / "out").mkdir()
    spec = SinkSpec(name="pages", type="file", config=document({"path": "${env:PLACE}/alerts.jsonl"}))
    alerting = _alerting(tmp_path, {"PLACE": "out"}, sinks=(spec,), env_allow=("PLACE",))
    assert alerting.channels[0].name == "pages"
    with pytest.raises(ConfigError, match="'pages' cannot be used"):
        _alerting(tmp_path, {"PLACE": "out"}, sinks=(spec,))


@pytest.mark.parametrize("config", [{"path": "{{date}}.jsonl"}, {"path": ""}])
def test_a_sink_that_cannot_be_used_is_named(tmp_path: Path, config: dict[str, Any]) -> None:
    spec = SinkSpec(name="pages", type="file", config=document(config))
    with pytest.raises(ConfigError, match="'pages' cannot be used"):
        _alerting(tmp_path, sinks=(spec,))
