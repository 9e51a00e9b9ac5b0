"""What a function on AWS weighs, and what its cold start imports: `python -m bench.aws_package`.

The package is made, unpacked, and each handler imported from it by a fresh interpreter, by turns with a bare one, with one
that imports `botocore.session` alone, and with one that goes on to make a client of DynamoDB. Milliseconds are of processor
time, over the bare interpreter's (`python_ms`). More than half of a cold import is botocore's: `ours_ms` is what the slowest
handler takes beyond that, `worst_ratio` how many times botocore's share it takes in all.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from scripts.lambda_zip import ARCHITECTURES, MOST, Interpreter, PackageFault, build, find_python

from interlock.aws.functions import FUNCTIONS

ROUNDS: Final = 11
LIMITS: Final = {"arm64_mb": MOST / 1e6, "x86_64_mb": MOST / 1e6, "ours_ms": 150.0, "worst_ratio": 2.0}

_BOTOCORE: Final = "import botocore.session"
_CLIENT: Final = (
    f"{_BOTOCORE}; botocore.session.Session().create_client("
    "'dynamodb', 'eu-central-1', aws_access_key_id='key', aws_secret_access_key='key')"
)


def main(rounds: int = ROUNDS) -> dict[str, float]:
    """Measure, print a small table, return the figures; only sizes where no function could run."""
    try:
        python = find_python()
        with tempfile.TemporaryDirectory() as folder:
            made = {name: build(Path(folder), name, python) for name in ARCHITECTURES}
            figures = {f"{name}_mb": package.stat().st_size / 1e6 for name, package in made.items()}
            here = [name for name, machine in ARCHITECTURES.items() if machine == platform.machine()]
            for name in here:
                figures |= _started(made[name], Path(folder) / "task", python, rounds)
    except PackageFault as exc:
        print(f"aws_package: not measured: {exc}", file=sys.stderr)
        return {}
    for figure, value in figures.items():
        print(f"{figure:24} {value:9.2f}")
    return figures


def _started(package: Path, task: Path, python: Interpreter, rounds: int) -> dict[str, float]:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(task)
    codes = {"bare": "pass", "botocore": _BOTOCORE, "client": _CLIENT}
    handlers = {function.name: f"import {function.module}" for function in FUNCTIONS}
    codes |= handlers
    taken: Mapping[str, list[float]] = {name: [] for name in codes}
    for number in range(rounds + 1):
        for name, code in codes.items():
            seconds = _run(python, task, code)
            if number:  # the first round reads files that nobody has read yet
                taken[name].append(seconds * 1000)
    over = {name: [ms - bare for ms, bare in zip(taken[name], taken["bare"], strict=True)] for name in codes}
    ours = {name: _beyond(over[name], over["botocore"]) for name in handlers}
    ratios = {name: median(a / b for a, b in zip(over[name], over["botocore"], strict=True)) for name in handlers}
    return {
        "python_ms": median(taken["bare"]),
        "botocore_ms": median(over["botocore"]),
        "client_ms": _beyond(over["client"], over["botocore"]),
        **{f"{name}_ms": median(over[name]) for name in handlers},
        "ours_ms": max(ours.values()),
        "worst_ratio": max(ratios.values()),
    }


def _beyond(times: Sequence[float], others: Sequence[float]) -> float:
    """Return by how much the first are longer, measured side by side."""
    return median(mine - other for mine, other in zip(times, others, strict=True))


def _run(python: Interpreter, task: Path, code: str) -> float:
    """Return the seconds of processor that a fresh interpreter takes: whoever else is at work makes it wait, not work."""
    # As in a sandbox: nothing but the package and the standard library, and bytecode that is there is used.
    argv = [python.path, "-S", "-s", "-c", f"import sys; sys.path[0] = {str(task)!r}; {code}"]
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    _, status, used = os.wait4(os.posix_spawn(python.path, argv, env), 0)
    if status:
        raise RuntimeError(
            f"{code!r} cannot be run from the package: it ended with {os.waitstatus_to_exitcode(status)}"
        )
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
