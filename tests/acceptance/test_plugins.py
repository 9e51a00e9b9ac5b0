"""What outsiders bring: the package of `examples/plugin`, installed as pip would leave it, in a project that uses all of it."""

from __future__ import annotations

import ast
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest
from tests.acceptance.cli import Said, begin, environment, interlock, noon_zone
from tests.unit.outsiders import lay_down

from interlock.testing.conformance.triggers import until

pytestmark = pytest.mark.enable_socket

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"

PROJECT = """\
provider: jsonl
jsonl: {{path: state/all.jsonl, timeout: 10}}
timezone: {zone}
env: {{allow: [SYSLOG]}}
alerts:
  - {{type: syslog, address: "unix://${{env:SYSLOG}}"}}
lifecycle:
  - {{type: syslog, name: ends, address: "unix://${{env:SYSLOG}}", facility: 16}}
"""

ARCHETYPE = "name: sized\nrequiredTraits: [{type: volume}]\nreadinessRule: {type: all-required-pass}\n"

PIPELINE = """\
name: orders
archetype: sized
traits:
  volume:
    evaluator: builtin:usual-volume
    config: {path: "data/%Y-%m-%d.csv", weeks: 2}
trigger:
  type: spool
  directory: spool
  payload: {day: "{{date}}", attempt: "{{attempt}}"}
  pollInterval: 1s
retry: {maxAttempts: 1}
"""


def installed(site: Path) -> Path:
    """Lay the example down as an installer does, without one: its package, and what it registers. Return where."""
    said = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "src", site, ignore=shutil.ignore_patterns("__pycache__"))
    return lay_down(site, said["name"], said["entry-points"])


class Place(NamedTuple):
    """A project that uses everything, and what its syslog daemon has been told."""

    root: Path
    env: dict[str, str]
    daemon: socket.socket

    def run(self, *argv: str) -> Said:
        return interlock(*argv, cwd=self.root, env=self.env)

    def told(self) -> list[str]:
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.daemon.recv(65536).decode())
        return found

    def say(self, name: str, before: str, after: str) -> None:
        path = self.root / name
        path.write_text(path.read_text().replace(before, after))

    def python(self, *lines: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", "\n".join(lines)],
            cwd=self.root,
            env=environment(self.env),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout

    def follow(self, *argv: str, until_there: str = "*.job", status: str) -> Said:
        """Run a command, and be the other system meanwhile: end the job that is spooled."""
        spool = self.root / "spool"
        following = begin(*argv, cwd=self.root, env=self.env)
        until(lambda: any(spool.glob(until_there)), until_there)
        for job in spool.glob("*.job"):
            job.with_suffix(".waiting").write_text(json.dumps({"status": status, "reason": "no disk left"}))
            job.with_suffix(".waiting").rename(job.with_suffix(".result"))
        out, err = following.communicate(timeout=30)
        return Said(following.returncode, out, err)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    root = tmp_path / "project"
    for folder in ("archetypes", "pipelines", "data", "spool", "state"):
        (root / folder).mkdir(parents=True)
    (root / "interlock.yaml").write_text(PROJECT.format(zone=noon_zone()))
    (root / "archetypes" / "sized.yaml").write_text(ARCHETYPE)
    (root / "pipelines" / "orders.yaml").write_text(PIPELINE)
    site = installed(tmp_path / "site")
    # The name of a socket is short, and that of a test's own directory need not be.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(f"{short}/log")
        daemon.setblocking(False)
        yield Place(root, {"PYTHONPATH": str(site), "SYSLOG": f"{short}/log"}, daemon)


@pytest.fixture
def ready(place: Place) -> str:
    """Make today's file as large as that of a week before; return the day that the project believes it is."""
    day = date.fromisoformat(place.run("evaluate", "orders", "--json").document["date"])
    for each in (day, day - timedelta(weeks=1)):
        (place.root / "data" / f"{each}.csv").write_bytes(b"x" * 100)
    return day.isoformat()


def test_the_files_are_sound_and_everything_is_known(place: Place) -> None:
    said = place.run("validate")
    assert (said.code, said.out, said.err) == (0, "3 files, no problems\n", "")
    doctor = {found["name"]: found["message"] for found in place.run("doctor", "--json").document["checks"]}
    assert doctor["plugins"] == (
        "installed: evaluator usual-volume of interlock-example-plugin, sink syslog of interlock-example-plugin, "
        "store jsonl of interlock-example-plugin, trigger spool of interlock-example-plugin"
    )
    assert doctor["store"] == f"{place.root}/state/all.jsonl does not exist yet; the first evaluation makes it"


def test_an_editor_knows_the_keys_of_plugins(place: Place) -> None:
    project = json.loads(place.run("schema", "project").out)
    schema = jsonschema.Draft202012Validator(project)
    sound = {"provider": "jsonl", "jsonl": {"path": "x"}, "lifecycle": [{"type": "syslog", "facility": 3}]}
    assert [error.message for error in schema.iter_errors(sound)] == []
    assert not schema.is_valid({"provider": "jsonl", "jsonl": {"paht": "x"}})
    assert not schema.is_valid({"lifecycle": [{"type": "syslog", "facility": 24}]})
    assert not schema.is_valid({"provider": "jsnol"})
    pipeline = jsonschema.Draft202012Validator(json.loads(place.run("schema", "pipeline").out))
    base = {"name": "orders", "archetype": "sized", "traits": {}}
    assert pipeline.is_valid({**base, "trigger": {"type": "spool", "directory": "x"}})
    assert not pipeline.is_valid({**base, "trigger": {"type": "spool", "dir": "x"}})


def test_every_mistake_is_told_at_its_line(place: Place) -> None:
    place.say("interlock.yaml", "timeout: 10", "timeuot: 10")
    place.say("interlock.yaml", "facility: 16", "facility: 99")
    place.say("pipelines/orders.yaml", "weeks: 2", "weeks: 0")
    place.say("pipelines/orders.yaml", "{{date}}", "{{dat}}")
    said = place.run("validate")
    assert said.code == 2
    assert "interlock.yaml:2:32: jsonl: unknown key 'timeuot' (did you mean 'timeout'?)" in said.err
    assert "interlock.yaml:8:" in said.err
    assert "facility is 99, expected a number between 0 and 23" in said.err
    assert "weeks is 0, expected a number between 1 and 52" in said.err
    assert "{{dat}}: no such placeholder (did you mean {{date}}?)" in said.err


def test_no_pipeline_that_comes_over_http_may_use_them(place: Place) -> None:
    """Whoever may register a pipeline must not choose what runs on the operator's machine."""
    built = place.python(
        "import json, pathlib",
        "from interlock.config.load import load_project",
        "from interlock.config.registered import Builder",
        "project = load_project(pathlib.Path.cwd())",
        "trait = {'evaluator': 'builtin:usual-volume', 'config': {'path': '/etc/%Y'}}",
        "trigger = {'type': 'spool', 'directory': '/tmp'}",
        "document = {'name': 'mine', 'archetype': 'sized', 'traits': {'volume': trait}, 'trigger': trigger}",
        "print(json.dumps([problem.message for problem in Builder(project).build('mine', document).problems]))",
    )
    assert "may not be checked by builtin:usual-volume" in built
    assert "may not have a trigger of the type 'spool'" in built


def test_a_job_that_succeeds_is_started_once_and_its_end_is_published(place: Place, ready: str) -> None:
    said = place.follow("run", "orders", status="succeeded")
    assert said.code == 0, said.err
    (job,) = (place.root / "spool").glob("*.job")
    assert json.loads(job.read_text())["payload"] == {"day": ready, "attempt": "1"}
    assert place.run("run", "orders").code == 7
    assert [line for line in place.told() if "PIPELINE_COMPLETED" in line and line.startswith("<133>1")] != []
    assert place.run("status", "orders", "--json").document["run"]["status"] == "COMPLETED"
    lines = (place.root / "state" / "all.jsonl").read_text().splitlines()
    assert lines[0] == '{"interlock-jsonl":1}'
    assert any("orders" in line for line in lines[1:])
    assert not (place.root / ".interlock" / "interlock.db").exists()


def test_a_job_that_fails_is_told_of_once(place: Place, ready: str) -> None:
    assert place.follow("run", "orders", status="failed").code == 4
    alerts = [line for line in place.told() if "[ERROR]" in line]
    assert len(alerts) == 1
    assert "no disk left" in alerts[0]


def test_too_little_data_starts_nothing(place: Place, ready: str) -> None:
    (place.root / "data" / f"{ready}.csv").write_bytes(b"x" * 10)
    said = place.run("run", "orders")
    assert said.code == 1
    assert "10 bytes, where 100 are usual" in said.out
    assert list((place.root / "spool").iterdir()) == []


def test_a_job_is_stopped_by_asking_for_it(place: Place, ready: str) -> None:
    assert place.run("run", "orders", "--no-wait").code == 0
    said = place.follow("cancel", "orders", "--reason", "wrong day", until_there="*.cancel", status="failed")
    assert said.code == 0, said.err
    assert "CANCELLED" in said.out


def test_the_store_is_verified_exported_and_moved_like_any_other(place: Place, ready: str) -> None:
    assert place.follow("run", "orders", status="succeeded").code == 0
    assert place.run("store", "check", "--json").document["wrong"] == 0
    assert "jsonl" in place.run("store", "export", "--to", "all.jsonl.gz").err
    assert place.run("store", "migrate").out == "the store of jsonl is up to date: there is nothing to do\n"
    moved = place.run("store", "migrate", "--to", "sqlite")
    assert (moved.code, moved.out) == (0, "provider: sqlite\n"), moved.err
    assert place.run("status", "orders").code == 3  # it is closed for good
    place.say("interlock.yaml", "provider: jsonl", "provider: sqlite")
    assert place.run("status", "orders", "--json").document["run"]["status"] == "COMPLETED"
    # And back, into another file: the block of a store that is not used yet says where.
    place.say("interlock.yaml", "state/all.jsonl", "state/more.jsonl")
    moved = place.run("store", "migrate", "--to", "jsonl")
    assert (moved.code, moved.out) == (0, "provider: jsonl\n"), moved.err
    assert place.run("store", "migrate", "--to", "jsnol").code == 2


def test_who_registers_a_name_of_ours_is_told_and_not_used(place: Place, tmp_path: Path) -> None:
    lay_down(tmp_path / "site", "evil-twin", {"interlock.sinks": {"console": "evil:Twin"}})
    said = place.run("validate")
    assert said.code == 0
    assert "that of the distribution evil-twin is never used" in said.err
    findings = place.run("doctor", "--json").document["checks"]
    assert [found["outcome"] for found in findings if "evil-twin" in found["message"]] == ["warn"]


def test_without_the_distribution_the_project_says_what_is_missing(place: Place) -> None:
    said = interlock("status", cwd=place.root, env={"SYSLOG": "x"})
    assert said.code == 2
    assert "there is no provider 'jsonl'" in said.err
    assert "install the plug-in that brings it" in said.err


@pytest.mark.timeout(180)
def test_the_tests_of_the_example_pass(tmp_path: Path) -> None:
    """They are what outsiders begin from."""
    example = tmp_path / "example"
    shutil.copytree(EXAMPLE, example, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", "tests"],
        cwd=example,
        env=environment({"PYTHONPATH": str(example / "src")}),
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


PUBLIC = (
    "interlock.ports.triggers",
    "interlock.ports.sinks",
    "interlock.ports.evaluators",
    "interlock.triggers.context",
    "interlock.sinks.context",
    "interlock.evaluators.context",
    "interlock.stores.kernel",
    "interlock.stores.rows",
    "interlock.stores.walking",
    "interlock.errors",
    "interlock.core.alerts",
    "interlock.core.traits",
    "interlock.codec.documents",
    "interlock.testing.conformance",
)
"""What `docs/reference/plugins.md` promises to authors, as far as the example needs it."""


def test_the_example_stands_on_nothing_but_what_is_promised_to_authors() -> None:
    imported = {
        node.module
        for path in EXAMPLE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("interlock.")
    }
    assert {name for name in imported if not name.startswith(PUBLIC)} == set()
    assert {name for name in PUBLIC if not any(module.startswith(name) for module in imported)} == set()
