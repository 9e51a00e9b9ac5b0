"""How long a command takes before it does anything, against the bare interpreter: pairs of runs, the median of the ratios.

`interlock --version` may take 2.5 times as long as `python3 -c pass`, `interlock status` in a project of 100 pipelines 8
times. A person feels more than that, and a completion in the shell is a command too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from interlock.scaffold.writing import write_scaffold

LIMITS: Final = {"version_ratio": 2.5, "status_ratio": 8.0}
PIPELINES: Final = 100


def main(pairs: int = 21) -> dict[str, float]:
    """Measure both commands, print and return the medians in milliseconds and the ratios."""
    bare = [sys.executable, "-c", "pass"]
    interlock = str(Path(sys.executable).with_name("interlock"))
    with tempfile.TemporaryDirectory() as folder:
        project = _project(Path(folder))
        figures: dict[str, float] = {}
        for name, argv in {"version": [interlock, "--version"], "status": [interlock, "status"]}.items():
            _run(argv, project)  # the first run compiles, and makes the store
            taken = [(_run(bare, project), _run(argv, project)) for _ in range(pairs)]
            figures["python_ms"] = median(yardstick for yardstick, _ in taken) * 1000
            figures[f"{name}_ms"] = median(ours for _, ours in taken) * 1000
            figures[f"{name}_ratio"] = median(ours / yardstick for yardstick, ours in taken)
    print(
        f"--version {figures['version_ms']:.0f} ms ({figures['version_ratio']:.1f} times a bare python3), "
        f"status of {PIPELINES} pipelines {figures['status_ms']:.0f} ms ({figures['status_ratio']:.1f} times)"
    )
    return figures


def _project(folder: Path) -> Path:
    project = folder / "project"
    write_scaffold(project, template="basic")
    example = project / "pipelines/example.yaml"
    for number in range(1, PIPELINES):
        text = example.read_text().replace("name: example", f"name: example-{number:03}")
        example.with_name(f"example-{number:03}.yaml").write_text(text)
    # What was written in the last two seconds is read anew each time; the files of a project at rest are not.
    time.sleep(2.5)
    return project


def _run(argv: list[str], project: Path) -> float:
    started = time.perf_counter()
    subprocess.run(argv, cwd=project, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
