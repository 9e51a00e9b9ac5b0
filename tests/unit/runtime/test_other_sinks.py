"""A sink that somebody else brings: where it may be named, and what is said of one that cannot be used."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from tests.unit.config.projects import loaded, problems_of, small_project
from tests.unit.outsiders import Installed, installing

from interlock.config.jsonschema import json_schema
from interlock.config.project import Project
from interlock.errors import ConfigError
from interlock.runtime.channels import alerting_of
from interlock.runtime.examination import Outcome, examine_machine
from interlock.sinks.context import SinkContext

SINKS = """\
from msgspec import Struct


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    to: str = ""


class Tells:
    Config = Config

    def __init__(self, config, context):
        if config.to == "nobody":
            raise OSError("no route with password=geheim")
        self.config = config

    def deliver(self, notice, *, timeout): ...


class Publishes:
    Config = Config

    def __init__(self, config, context):
        self.config = config

    def publish(self, event, *, timeout): ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    with installing(tmp_path, monkeypatch) as installed:
        registers = {"tells": "acme_sinks:Tells", "publishes": "acme_sinks:Publishes", "broken": "acme_gone:Sink"}
        installed("acme-sinks", {"interlock.sinks": registers}, {"acme_sinks.py": SINKS})
        yield installed


def a_project(at: Path, text: str) -> Path:
    root = small_project(at)
    (root / "interlock.yaml").write_text(text)
    return root


def project_of(at: Path, text: str) -> Project:
    return loaded(a_project(at, text))


def test_each_is_made_for_what_it_can_do(tmp_path: Path, install: Installed) -> None:
    project = project_of(
        tmp_path,
        "alerts: [{type: tells, to: '${env:TO}'}]\nlifecycle: [{type: publishes, to: me}]\nenv: {allow: [TO]}\n",
    )
    made = alerting_of(project.settings, SinkContext(stream=io.StringIO(), root=tmp_path), {"TO": "you"}, {})
    assert [channel.sink.config.to for channel in made.channels] == ["you"]  # type: ignore[attr-defined]
    assert [(name, sink.config.to) for name, sink in made.subscribers] == [("publishes", "me")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alerts: [{type: publishes}]", "interlock.yaml:1:17: the sink 'publishes' takes no alerts"),
        ("lifecycle: [{type: tells}]", "interlock.yaml:1:20: the sink 'tells' takes no lifecycle events"),
        ("lifecycle: [{type: slack}]", "interlock.yaml:1:20: lifecycle events go to file, "),
        ("lifecycle: [{type: tels}]", "interlock.yaml:1:20: lifecycle events go to file, "),
        ("alerts: [{type: tells, too: x}]", "interlock.yaml:1:24: alerts: unknown key 'too' (did you mean 'to'?)"),
        ("alerts: [{type: broken}]", "interlock.yaml:1:17: the sink 'broken' of the distribution acme-sinks needs the"),
    ],
)
def test_what_it_cannot_do_is_told(tmp_path: Path, install: Installed, text: str, words: str) -> None:
    (problem,) = problems_of(a_project(tmp_path, text))
    assert str(problem).startswith(words)


def test_one_that_is_misspelt_is_told_with_the_nearest(tmp_path: Path, install: Installed) -> None:
    (problem,) = problems_of(a_project(tmp_path, "lifecycle: [{type: publishs}]"))
    assert problem.hint == "did you mean 'publishes'?"


def test_whatever_it_raises_when_it_is_made_is_an_error_of_the_file(tmp_path: Path, install: Installed) -> None:
    project = project_of(tmp_path, "alerts: [{type: tells, to: nobody}]")
    with pytest.raises(ConfigError, match=r"sink 'tells' .* cannot be made: OSError: no route") as caught:
        alerting_of(project.settings, SinkContext(stream=io.StringIO(), root=tmp_path), {}, {})
    assert "geheim" not in str(caught.value)


def test_an_editor_offers_each_where_it_may_stand(install: Installed) -> None:
    """One that cannot be loaded may stand anywhere, with any keys: it is not the editor's to judge."""
    schema = jsonschema.Draft202012Validator(json_schema("project"))
    assert schema.is_valid({"alerts": [{"type": "tells", "to": "x"}], "lifecycle": [{"type": "publishes"}]})
    assert schema.is_valid({"alerts": [{"type": "broken", "any": 1}], "lifecycle": [{"type": "broken"}]})
    assert not schema.is_valid({"lifecycle": [{"type": "tells"}]})
    assert not schema.is_valid({"alerts": [{"type": "tells", "too": "x"}]})


def test_who_asks_how_things_stand_hears_of_each_and_of_what_cannot_be_used(install: Installed) -> None:
    found = [finding for finding in examine_machine() if finding.name == "plugins"]
    assert [finding.outcome for finding in found] == [Outcome.OK, Outcome.WARN]
    assert found[0].message == "installed: sink publishes of acme-sinks, sink tells of acme-sinks"
    assert found[1].message.startswith("the sink 'broken' of the distribution acme-sinks needs the module 'acme_gone'")
