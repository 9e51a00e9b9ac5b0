"""Every command says the same of a project through a server as it says of it here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.acceptance.cli import interlock
from tests.acceptance.serving import Server, serving

from interlock.cli.main import VERBS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SLOT: Final = "2026-03-07"
LOOKING: Final[dict[str, tuple[str, ...]]] = {
    "status": ("status", "example"),
    "status of all": ("status",),
    "why": ("why", "example"),
    "history": ("history", "example"),
    "events": ("events", "example", "--limit", "500"),
    "pipelines": ("pipelines",),
    "expectations": ("expectations",),
    "alerts": ("alerts", "list"),
    "silence": ("silence", "list"),
    "pause": ("pause", "--list"),
    "shadow": ("shadow", "report", "example"),
    "schedule": ("schedule", "preview", "example"),
    "calendar": ("calendar", "show", "closed"),
    "sensor": ("sensor", "list", "example"),
    "backfill": ("backfill", "example", "--from", SLOT, "--to", SLOT, "--dry-run"),
}
"""Commands that change nothing: both ways must give the same document."""

ACTING: Final[dict[str, tuple[tuple[str, ...], int]]] = {
    "evaluate": (("evaluate", "example"), 0),
    "sensor": (("sensor", "put", "example", "rows", "--set", "count=1"), 0),
    "pause": (("pause", "example", "--for", "1h", "--reason", "a test"), 0),
    "run while paused": (("run", "example"), 9),
    "resume": (("resume", "example"), 0),
    "run": (("run", "example"), 0),
    "run again": (("run", "example"), 7),
    "wait": (("wait", "example", "--timeout", "20s"), 0),
    "rerun": (("rerun", "example", "--reason", "a test"), 0),
    "replay": (("replay", "example", "--date", SLOT, "--reason", "a test"), 0),
    "backfill": (("backfill", "example", "--from", "2026-03-08", "--to", "2026-03-08", "--no-wait"), 0),
    "exec": (("exec", "example", "--", "true"), 0),
    "ping": (("ping", "example", "start"), 7),
    "marker": (("marker", "example", "--source", "a file"), 0),
    "traits": (("traits", "push", "example", "nothing", "--status", "PASS"), 8),
    "complete": (("complete", "nobody:daily:2026-03-07:1", "--status", "success"), 8),
    "accept": (("accept", "nobody:daily:2026-03-07:1", "--reason", "a test"), 8),
    "cancel": (("cancel", "example", "--reason", "a test"), 7),
    "silence": (("silence", "add", "--for", "1h", "--pipeline", "x-*", "--reason", "a test"), 0),
    "unknown": (("evaluate", "exmple"), 8),
}
"""Commands that act, in this order, and the codes they leave with: the same ones as here."""

HERE: Final = frozenset(
    (
        *("init", "validate", "watch", "watchdog", "serve", "schema", "doctor", "demo", "completion", "keys"),
        *("add-pipeline", "archive", "store", "compile", "deploy"),
    )
)
"""Commands about what is here; `add-pipeline` has tests of its own."""

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("verbs") / "project"
    assert interlock("init", str(root), cwd=root.parent).code == 0
    (root / "calendars").mkdir(exist_ok=True)
    (root / "calendars" / "closed.yaml").write_text("name: closed\ndates: [2026-12-25]\n")
    pipeline = root / "pipelines" / "example.yaml"
    # A watcher follows what people start, and starts nothing here by itself.
    pipeline.write_text(pipeline.read_text() + "watch: {enabled: false}\n")
    with serving(root, "--no-watchdog") as found:
        yield found.ready()
        assert found.end() == 0, found.said


def test_every_command_that_has_a_project_for_its_subject_is_tried_here() -> None:
    tried = {argv[0] for argv in LOOKING.values()} | {argv[0] for argv, _ in ACTING.values()}
    assert tried | HERE == set(VERBS)


def test_commands_that_act_leave_with_the_same_codes_and_do_it_on_the_server(server: Server) -> None:
    """T-14, T-89."""
    for name, (argv, code) in ACTING.items():
        said = interlock("--server", _url(server), *argv, cwd=Path("/"))
        assert said.code == code, f"{name}: {said.code}, {said.out}{said.err}\n{server.said}"
    runs = _said("history", "example", cwd=server.root)["items"]
    assert [run["status"] for run in runs].count("COMPLETED") >= 3


@pytest.mark.parametrize("name", LOOKING)
def test_commands_that_look_say_the_same_both_ways(server: Server, name: str) -> None:
    argv = LOOKING[name]
    here = _said(*argv, cwd=server.root)
    there = _said("--server", _url(server), *argv, cwd=Path("/"))
    assert _still(there) == _still(here)


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def _said(*argv: str, cwd: Path) -> Any:
    said = interlock(*argv, "--json", cwd=cwd)
    assert said.out, said.err
    return json.loads(said.out)


def _still(found: Any) -> Any:
    """Return a document without its instants, which go on while one asks twice."""
    return json.loads(_MOMENT.sub("then", json.dumps(found, sort_keys=True)))


def test_a_server_that_is_not_there_is_said_in_one_line_and_can_be_tried_later() -> None:
    said = interlock("--server", "http://127.0.0.1:9", "status", cwd=Path("/"))
    assert said.code == 75
    assert said.err.count("\n") == 1
    assert "127.0.0.1:9" in said.err


@pytest.mark.parametrize("verb", ["init", "validate", "watch", "watchdog", "schema", "doctor"])
def test_a_command_about_what_is_here_takes_no_server(verb: str, tmp_path: Path) -> None:
    argv = {"init": ("init", "x"), "schema": ("schema", "pipeline")}.get(verb, (verb,))
    said = interlock("--server", "http://127.0.0.1:9", *argv, cwd=tmp_path)
    assert said.code == 2
    assert "--server" in said.err
    assert not list(tmp_path.iterdir())


def test_a_key_that_is_missing_is_told_with_where_commands_look_for_it(tmp_path: Path) -> None:
    assert interlock("init", "project", cwd=tmp_path).code == 0
    root = tmp_path / "project"
    with (root / "interlock.yaml").open("a") as file:
        file.write("server: {apiKey: 'a key that nobody gave to the command'}\n")
    with serving(root, "--no-watcher", "--no-watchdog") as server:
        server.ready()
        said = interlock("--server", _url(server), "status", cwd=tmp_path)
    assert said.code == 2
    assert "INTERLOCK_API_KEY" in said.err
