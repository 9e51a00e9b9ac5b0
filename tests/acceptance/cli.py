"""The real `interlock` in a process of its own, on a project on disk; and the same commands in this process, to look again and again."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from interlock.cli.main import run_cli

SCRIPT = Path(sys.executable).with_name("interlock")
INTERLOCK = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "interlock"]


class Said(NamedTuple):
    """What a command said, and how it left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which nothing of the tester's own is left, and `python3` is this Python."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return {**kept, "PATH": path, "PYTHONFAULTHANDLER": "1", **(extra or {})}


def interlock(
    *argv: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 50, stdin: str | None = None
) -> Said:
    """Run one command to its end."""
    done = subprocess.run(
        [*INTERLOCK, *argv],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        input=stdin,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def looked(*argv: str, root: Path) -> Said:
    """Run a command that only looks, in this process: while something is waited for, starting Python would take the longest."""
    before = signal.getsignal(signal.SIGTERM)
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            code = run_cli(["--project", str(root), *argv])
        finally:
            signal.signal(signal.SIGTERM, before)
    return Said(code, out.getvalue(), err.getvalue())


def begin(*argv: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Begin one command in a session of its own."""
    return subprocess.Popen(
        [*INTERLOCK, *argv],
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


ARCHETYPE = """\
name: one-check
requiredTraits:
  - type: data-check
readinessRule: {type: all-required-pass}
"""

PIPELINE = """\
name: orders
archetype: one-check
traits:
  data-check:
    evaluator: ./evaluators/check
    timeout: 20
trigger:
  type: command
  command: ./job
"""


def a_project(
    root: Path, *, check: str = 'echo \'{"status":"PASS"}\'', job: str = "true", pipeline: str = "", timezone: str = ""
) -> Path:
    """Write a project with one pipeline: `check` and `job` are shell; every start of the job is a line in `started`."""
    for folder in ("archetypes", "pipelines", "evaluators"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "interlock.yaml").write_text(
        f"provider: sqlite\ntimezone: {timezone or noon_zone()}\nalerts:\n  - type: console\n"
    )
    (root / "archetypes" / "one-check.yaml").write_text(ARCHETYPE)
    (root / "pipelines" / "orders.yaml").write_text(PIPELINE + pipeline)
    a_script(root / "evaluators" / "check", check)
    a_script(root / "job", f'echo "$INTERLOCK_ATTEMPT" >> started\n{job}')
    return root


def noon_zone() -> str:
    """Return a zone in which it is between 12 and 1 now: no test may see its day end between two commands."""
    offset = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-offset:+d}" if offset else "UTC"


def a_script(path: Path, body: str) -> Path:
    """Write an executable shell script, in one step: somebody may be about to run it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(f"#!/bin/sh\n{body}\n")
    fresh.chmod(0o755)
    fresh.rename(path)
    return path


def starts(root: Path) -> list[str]:
    """Return the attempt of each job that was really started."""
    file = root / "started"
    return file.read_text().split() if file.exists() else []
