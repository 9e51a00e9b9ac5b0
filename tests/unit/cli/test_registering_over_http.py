"""The commands about pipelines and what they are made of, with a server: the same words as on the project itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.cli.terminal import Said, Terminal
from tests.unit.client.serving import Served, serving


class Far:
    """Types commands where no project is, for a server."""

    def __init__(self, served: Served, terminal: Terminal) -> None:
        self.served = served
        self._terminal = terminal

    def __call__(self, *argv: str) -> Said:
        return self._terminal("--server", self.served.url, *argv)

    def here(self, *argv: str) -> Said:
        return self._terminal("--project", str(self.served.root), *argv)


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Far]:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("INTERLOCK_SERVER", "INTERLOCK_API_KEY", "INTERLOCK_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    with serving(tmp_path / "project") as served:
        yield Far(served, Terminal(tmp_path / "elsewhere", capsys))


@pytest.mark.parametrize(
    "argv",
    [
        ("pipelines",),
        ("pipelines", "--json"),
        ("schedule", "preview", "orders", "--from", "2026-12-24", "--json"),
        ("schedule", "preview", "--from", "2026-12-24"),
        ("schedule", "preview", "orders", "--around-dst", "--from", "2026-12-24"),
        ("schedule", "preview", "nobody"),
        ("calendar", "show", "closing", "--from", "2026-03-01", "--json"),
        ("calendar", "show", "closng"),
    ],
)
def test_a_server_says_what_the_project_itself_says(far: Far, argv: tuple[str, ...]) -> None:
    (far.served.root / "calendars").mkdir()
    (far.served.root / "calendars/closing.yaml").write_text("name: closing\ndates: [2026-03-06, 2026-12-24]\n")
    from interlock.config.load import load_project

    far.served.work.registry.swap(load_project(far.served.root))
    assert far(*argv) == far.here(*argv)


def test_a_pipeline_is_registered_and_pushed_and_known_on_both_sides(far: Far) -> None:
    said = far("add-pipeline", "--name", "returns", "--archetype", "one-check", "--push")
    assert (said.code, said.err) == (0, "")
    assert "registered returns" in said.out
    assert not list(Path.cwd().iterdir()), "nothing is written here"
    assert "returns" in far("pipelines").out
    assert far("pipelines") == far.here("pipelines")
    assert far("traits", "push", "returns", "data-check", "--status", "PASS", "--ttl", "5m").code == 0
    assert far("evaluate", "returns").code == 0


def test_what_may_not_be_registered_is_said_as_for_a_file(far: Far) -> None:
    """T-72."""
    said = far("add-pipeline", "--name", "returns", "--archetype", "one-check", "--push", "--trigger-command", "true")
    assert said.code == 2
    assert "may not have a trigger of the type 'command'" in said.err
    said = far("add-pipeline", "--name", "orders", "--archetype", "one-check", "--push")
    assert said.code == 7
    assert "pipelines/orders.yaml" in said.err
    assert far("add-pipeline", "--name", "returns", "--archetype", "nothing", "--push").code == 8


@pytest.mark.parametrize(
    "argv",
    [
        ("validate",),
        ("doctor",),
        ("init", "here"),
        ("demo", "here"),
        ("schema", "pipeline"),
        ("completion", "bash"),
        ("calendar", "build", "x1", "--holidays", "US"),
    ],
)
def test_what_works_on_files_here_takes_no_server(far: Far, argv: tuple[str, ...]) -> None:
    said = far(*argv)
    assert said.code == 2
    assert "leave --server out" in said.err
    assert not list(Path.cwd().iterdir())
