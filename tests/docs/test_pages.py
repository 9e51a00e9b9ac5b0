"""The documentation hangs together, and names everything that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from msgspec import Struct, structs
from tests.docs.samples import PAGES, ROOT

from interlock.cli.exits import Exit
from interlock.cli.main import VERBS
from interlock.config.schema import ArchetypeFile, CalendarFile, PipelineFile
from interlock.config.schema_project import ProjectFile
from interlock.core.alerts import AlertType
from interlock.core.chronicle import EventKind
from interlock.core.readiness import RuleType
from interlock.core.runs import RunStatus
from interlock.core.templates import NAMES
from interlock.core.traits import FailureCategory, TraitStatus
from interlock.plugins import BUILTIN, load

DOCS = ROOT / "docs"
TOP = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _links(page: Path) -> Iterator[str]:
    text = _FENCED.sub("", page.read_text())
    return (match["target"] for match in _LINK.finditer(text) if "://" not in match["target"])


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *TOP], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{link} leads nowhere"
        assert not anchor or anchor in _anchors(target), f"{link}: there is no such heading"


def _in_navigation(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for inner in entry.values():
            yield from _in_navigation(inner)
    elif isinstance(entry, list):
        for inner in entry:
            yield from _in_navigation(inner)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(_in_navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def _first_cells(page: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)`", (DOCS / page).read_text(), re.MULTILINE))


def test_every_kind_of_event_has_its_line_and_no_line_is_left_over() -> None:
    """BUG-77, BUG-58."""
    lines = _first_cells("reference/events-and-alerts.md")
    assert {line for line in lines if line.isupper()} == {kind.value for kind in EventKind}


def test_every_type_of_alert_has_its_line() -> None:
    """BUG-110, BUG-58."""
    assert {alert.value for alert in AlertType} <= _first_cells("reference/events-and-alerts.md")


def test_every_status_and_category_of_the_protocol_has_its_word() -> None:
    text = (DOCS / "reference/evaluator-protocol.md").read_text()
    assert {status.value for status in TraitStatus} <= _first_cells("reference/evaluator-protocol.md")
    assert all(f"`{category.value}`" in text for category in FailureCategory)


def test_every_rule_has_its_line() -> None:
    assert {rule.value for rule in RuleType} <= _first_cells("reference/configuration.md")


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("trigger", "reference/triggers.md"),
        ("evaluator", "reference/builtins.md"),
        ("sink", "reference/events-and-alerts.md"),
    ],
)
def test_every_adapter_of_ours_is_described(kind: str, page: str) -> None:
    text = (DOCS / page).read_text()
    missing = [name for found, name in BUILTIN if found == kind and not re.search(rf"(## |`){name}\b", text)]
    assert missing == []


def _keys_of(shape: type[Struct]) -> Iterator[str]:
    for field in structs.fields(shape):
        yield field.encode_name
        for inner in _structs_in(field.type):
            yield from _keys_of(inner)


def _structs_in(annotation: object) -> Iterator[type[Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        yield annotation
    for argument in get_args(annotation):
        yield from _structs_in(argument)


@pytest.mark.parametrize("shape", [ProjectFile, PipelineFile, ArchetypeFile, CalendarFile])
def test_every_key_of_a_file_is_described(shape: type[Struct]) -> None:
    """BUG-58."""
    text = (DOCS / "reference/configuration.md").read_text()
    assert [key for key in _keys_of(shape) if not re.search(rf"[`.]{key}\b|^ *(- )?{key}:", text, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("trigger", "reference/triggers.md"),
        ("evaluator", "reference/builtins.md"),
        ("sink", "reference/events-and-alerts.md"),
    ],
)
def test_every_key_of_an_adapter_is_described(kind: str, page: str) -> None:
    """BUG-58."""
    text = (DOCS / page).read_text()
    for found, name in BUILTIN:
        if found == kind:
            keys = [field.encode_name for field in structs.fields(load(kind, name).Config)]
            assert [key for key in keys if f"`{key}`" not in text and f"`{key}:" not in text] == []


def test_every_placeholder_is_described() -> None:
    text = (DOCS / "reference/triggers.md").read_text()
    assert [name for name in NAMES if f"{{{{{name}}}}}" not in text] == []


def test_every_status_of_a_run_is_described() -> None:
    text = (DOCS / "explanation/runs-and-attempts.md").read_text()
    assert [status for status in RunStatus if status.value not in text] == []


def test_every_exit_code_has_its_line_and_no_line_is_left_over() -> None:
    lines = re.findall(r"^\| `(\w+)` \| (\d+) \|", (DOCS / "reference/exit-codes.md").read_text(), re.MULTILINE)
    assert [(name, int(code)) for name, code in lines] == [(code.name.lower(), code.value) for code in Exit]


def test_every_command_has_its_line() -> None:
    text = (DOCS / "reference/cli.md").read_text()
    assert [verb for verb in VERBS if not re.search(rf"^\| `{verb}\b", text, re.MULTILINE)] == []


@pytest.mark.parametrize("page", [*PAGES, *TOP], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets
