"""Names to classes: ours, and those that other distributions bring."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.outsiders import Installed, installing

from interlock import plugins
from interlock.errors import ConfigError, UnknownPlugin

ROOT = Path(__file__).resolve().parents[2]

SINK = """\
from msgspec import Struct


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    to: str = ""


class Sink:
    Config = Config

    def deliver(self, notice, *, timeout): ...


class Loose(Sink):
    class Config(Struct): ...


class Deaf:
    Config = Config


class Bare:
    def deliver(self, notice, *, timeout): ...


def function(config, context): ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    with installing(tmp_path, monkeypatch) as installed:
        yield installed


def test_what_a_distribution_registers_is_found_by_its_name(install: Installed) -> None:
    install("acme-sinks", {"interlock.sinks": {"acme": "acme_sinks:Sink"}}, {"acme_sinks.py": SINK})
    assert plugins.load("sink", "acme").__name__ == "Sink"
    assert {"acme", "webhook"} <= set(plugins.available("sink"))
    assert "acme" not in plugins.available("trigger")
    assert plugins.outsiders() == (plugins.Outsider("sink", "acme", "acme-sinks"),)


@pytest.mark.parametrize(
    ("group", "kind", "name"),
    [
        ("interlock.sinks", "sink", "webhook"),
        ("interlock.triggers", "trigger", "foreground"),
        ("interlock.stores", "store", "sqlite"),
    ],
)
def test_a_name_of_ours_stays_ours_and_who_claims_it_is_named(
    install: Installed, group: str, kind: str, name: str
) -> None:
    install("evil-twin", {group: {name: "evil:Twin"}})
    assert kind == "store" or plugins.load(kind, name).__module__.startswith("interlock.")
    assert plugins.outsiders() == ()
    (words,) = plugins.shadowing()
    assert words.startswith(
        f"the {kind} {name!r} is Interlock's own, so that of the distribution evil-twin is never used"
    )


def test_two_claims_to_one_name_are_an_error_that_names_both(install: Installed) -> None:
    for name in ("acme-two", "acme-one"):
        install(name, {"interlock.sinks": {"acme": "acme_sinks:Sink"}}, {"acme_sinks.py": SINK})
    with pytest.raises(UnknownPlugin, match="'acme' is claimed by acme-one and by acme-two"):
        plugins.load("sink", "acme")


def test_an_unknown_name_is_told_with_the_nearest(install: Installed) -> None:
    install("acme-stores", {"interlock.stores": {"shelf": "acme:Store"}})
    with pytest.raises(UnknownPlugin, match="no store is named 'shelv': did you mean 'shelf'"):
        plugins.load("store", "shelv")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("acme_sinks:Loose", "its Config takes keys that it does not know, and needs forbid_unknown_fields=True"),
        ("acme_sinks:Deaf", "Deaf has no method 'deliver'"),
        ("acme_sinks:Bare", "Bare has no `Config` that is a msgspec Struct"),
        ("acme_sinks:function", "is no class"),
        ("acme_sinks:Gone", "cannot be loaded: AttributeError"),
        ("acme_gone:Sink", "needs the module 'acme_gone', which is not installed: install what acme-sinks asks for"),
        ("acme_needs:Sink", "needs the module 'no_such_driver', which is not installed"),
        ("acme_bad:Sink", "cannot be loaded: ZeroDivisionError"),
    ],
)
def test_what_is_not_what_it_is_registered_as_is_told_with_its_distribution(
    install: Installed, target: str, words: str
) -> None:
    modules = {"acme_sinks.py": SINK, "acme_needs.py": "import no_such_driver", "acme_bad.py": "1 / 0"}
    install("acme-sinks", {"interlock.sinks": {"acme": target}}, modules)
    with pytest.raises(ConfigError) as caught:
        plugins.load("sink", "acme")
    assert str(caught.value).startswith("the sink 'acme' of the distribution acme-sinks")
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", ["trigger", "evaluator", "store"])
def test_a_class_of_another_kind_is_refused(install: Installed, kind: str) -> None:
    install("acme-sinks", {f"interlock.{kind}s": {"acme": "acme_sinks:Sink"}}, {"acme_sinks.py": SINK})
    with pytest.raises(ConfigError, match=r"Sink has no method '(start|evaluate|open)'"):
        plugins.load(kind, "acme")


@pytest.mark.parametrize("kind", ["trigger", "sink"])
def test_every_adapter_of_ours_is_kept_from_leaning_on_the_others(kind: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (apart,) = (set(one["modules"]) for one in contracts if one["id"] == "lonely-adapters")
    assert {ours.path.partition(":")[0] for (found, _), ours in plugins.BUILTIN.items() if found == kind} <= apart
