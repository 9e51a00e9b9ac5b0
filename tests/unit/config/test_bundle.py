"""A project as one document: the same everywhere, and believed only as a whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.config.compiling import ORDERS, PROJECT, loaded, portable_project

from interlock.codec import wire
from interlock.config.bundle import (
    LONGEST_CHECK,
    LONGEST_START,
    bundle_of,
    bundle_text,
    read_bundle,
    resolved_settings,
)
from interlock.errors import ConfigError

_COMPILE = """
import sys
from pathlib import Path
from interlock.config.bundle import bundle_of, bundle_text
from interlock.config.load import load_project
sys.stdout.buffer.write(bundle_text(bundle_of(load_project(Path(sys.argv[1])))))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return portable_project(tmp_path / "project")


def refused(text: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read_bundle(text, "bundle.json")
    (problem,) = caught.value.problems
    assert problem.file == "bundle.json"
    return f"{problem.message} ({problem.hint})"


@pytest.mark.parametrize("seed", ["0", "1234"])
def test_a_bundle_is_the_same_on_every_machine_and_run(root: Path, tmp_path: Path, seed: str) -> None:
    """Another place, another process, another order of sets, another zone, another value of what the files name."""
    here = bundle_text(bundle_of(loaded(root)))
    elsewhere = tmp_path / "an" / "other place"
    elsewhere.parent.mkdir()
    shutil.copytree(root, elsewhere)
    environ = {"PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "STAGE": "other", "HOOK": "hush", "LANG": "C"}
    done = subprocess.run(
        [sys.executable, "-c", _COMPILE, str(elsewhere)], capture_output=True, env=environ, timeout=50, check=True
    )
    assert done.stdout == here


def test_a_bundle_says_nothing_of_the_machine(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "hush-hush")
    text = bundle_text(bundle_of(loaded(root))).decode()
    assert str(root) not in text
    assert "hush-hush" not in text
    assert "sqlite" not in text


def test_a_pipeline_from_outside_of_the_project_is_named_without_its_place(root: Path) -> None:
    outside = root.parent / "shared"
    outside.mkdir()
    (outside / "stock.yaml").write_text(ORDERS.replace("name: orders", "name: stock"))
    (root / "interlock.yaml").write_text(f"{PROJECT}pipelineDirs: [pipelines, ../shared]\n")
    assert bundle_of(loaded(root)).pipelines["stock"].source == "stock.yaml"
    assert bundle_of(loaded(root)).pipelines["orders"].source == "pipelines/orders.yaml"


def test_a_bundle_holds_every_pipeline_with_the_digest_that_runs_are_pinned_to(root: Path) -> None:
    project = loaded(root)
    bundle = read_bundle(bundle_text(bundle_of(project)), "b")
    assert {name: one.spec for name, one in bundle.pipelines.items()} == {
        name: one.spec for name, one in project.pipelines.items()
    }
    assert all(one.digest == wire.digest(one.spec) for one in bundle.pipelines.values())
    assert bundle.archetypes == dict(project.archetypes)


def test_an_archetype_that_nothing_uses_is_left_out(root: Path) -> None:
    before = bundle_of(loaded(root)).digest
    spare = (root / "archetypes/one-check.yaml").read_text().replace("name: one-check", "name: spare")
    (root / "archetypes/spare.yaml").write_text(spare)
    assert bundle_of(loaded(root)).digest == before


def test_the_settings_that_functions_need_survive_the_way(root: Path) -> None:
    said = loaded(root).settings
    found = resolved_settings(read_bundle(bundle_text(bundle_of(loaded(root))), "b").settings, root)
    for name in ("sinks", "lifecycle", "alerting", "history", "timezone", "mode", "env_allow", "aws", "watchdog"):
        assert getattr(found, name) == getattr(said, name), name
    assert found.evaluator_base_url == "https://checks.example.org"
    assert found.default_timeout == said.default_timeout
    assert found.provider == "dynamodb"


def test_only_secrets_of_secrets_manager_are_named(root: Path) -> None:
    settings = bundle_of(loaded(root)).settings
    assert list(settings.secrets) == ["hook"]
    assert settings.secrets["hook"].aws_secret.startswith("arn:aws:secretsmanager:")


def test_the_loopback_of_a_function_is_not_reached_unless_it_is_spelt_out(root: Path) -> None:
    """Every project allows `loopback`; of a function that is its own runtime."""
    assert bundle_of(loaded(root)).settings.network_allow == ()
    (root / "interlock.yaml").write_text(f"{PROJECT}network: {{allow: [loopback, 10.0.0.0/8]}}\n")
    assert bundle_of(loaded(root)).settings.network_allow == ("10.0.0.0/8",)


def test_the_digest_names_everything_that_counts(root: Path) -> None:
    before = bundle_of(loaded(root)).digest
    (root / "pipelines/orders.yaml").write_text(f"# a comment\n{ORDERS}")
    assert bundle_of(loaded(root)).digest == before
    (root / "pipelines/orders.yaml").write_text(f"{ORDERS}tier: 2\n")
    changed = bundle_of(loaded(root)).digest
    assert changed != before
    (root / "interlock.yaml").write_text(f"{PROJECT}alerting: {{renotify: 1h}}\n")
    assert len({before, changed, bundle_of(loaded(root)).digest}) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "it is not JSON"),
        (b"[]", "is no bundle (make one"),
        (b'{"kind": "other"}', "is no bundle (make one"),
        (b'{"format": "interlock-bundle/9"}', "reads 'interlock-bundle/1'"),
        (b'{"format": "interlock-bundle/1"}', "does not have the digest that it names"),
        (b'{"format": "\xff"}', "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
    ],
)
def test_what_is_no_bundle_is_refused(text: bytes, words: str) -> None:
    assert words in refused(text)


def test_a_bundle_that_was_changed_by_hand_is_refused(root: Path) -> None:
    text = bundle_text(bundle_of(loaded(root)))
    assert "was changed, or damaged" in refused(text.replace(b"PT90S", b"PT80S"))


def test_a_bundle_whose_pipelines_another_version_resolved_is_refused(root: Path) -> None:
    """A run would be pinned to another spec than the one that was compiled."""
    data = json.loads(bundle_text(bundle_of(loaded(root))))
    data["pipelines"]["orders"]["digest"] = "0" * 32
    assert "the pipeline orders is not the one that it was compiled as" in refused(signed(data))


def test_a_bundle_of_another_shape_is_refused(root: Path) -> None:
    data = json.loads(bundle_text(bundle_of(loaded(root))))
    del data["settings"]["mode"]
    assert "cannot be read" in refused(signed(data))


def signed(data: dict[str, object]) -> bytes:
    """Give a changed bundle the digest of its content, as somebody may who means it."""
    from hashlib import sha256

    data.pop("digest")
    return wire.to_json(data | {"digest": sha256(wire.to_json(data)).hexdigest()})


def test_checks_and_starts_have_the_time_of_a_function_but_for_half_a_minute() -> None:
    assert LONGEST_CHECK.total_seconds() == LONGEST_START.total_seconds() == 870
