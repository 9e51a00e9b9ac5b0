"""Programs to ask, and ways to see what became of them."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from interlock.evaluators.subprocess import SubprocessEvaluator
from interlock.ports.evaluators import Answer
from interlock.testing.evaluators import a_question

BASH = "#!/bin/bash\n"
# Not /usr/bin/env: on some machines that starts a shim of a version manager, which is slow.
PYTHON = f"#!{sys.executable} -S\n"
PASS = """echo '{"status":"PASS"}'\n"""


def write(folder: Path, text: str | bytes, name: str = "check", mode: int = 0o755) -> Path:
    """Write an evaluator."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def ask(
    root: Path,
    *argv: str,
    timeout: float = 20.0,
    max_output: int = 1 << 20,
    env_allow: tuple[str, ...] = (),
    **about: Any,
) -> Answer:
    """Ask the evaluator `check` of a project, or the one that is named."""
    runner = SubprocessEvaluator(root, [Path("evaluators")], env_allow=env_allow, max_output=max_output)
    return runner.evaluate(a_question(*(argv or ("./check",)), **about), timeout=timedelta(seconds=timeout))


def gone(pid: int, within: float = 3.0) -> bool:
    """Say whether a process ends, or is but a zombie that nobody reaps."""
    until = time.monotonic() + within
    while True:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
