"""What the HTTP API costs, against a bare Litestar route that is served in the same way by the same server.

    python -m bench.serving [SECONDS]

The asking is done by a process of its own (`bench.load`), over 1, 32 and 256 connections that stay open. Evaluations ask one
builtin trait, each connection of a pipeline of its own; a pushed trait is on the disk before it is answered. Ratios are to
the bare route over as many connections in the same run.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Final

from bench.load import Asked, ask

CONNECTIONS: Final = (1, 32, 256)
PIPELINES: Final = 256
STARTS: Final = 5
LIMITS: Final[Mapping[str, float]] = {"start_ratio": 3.0, "memory_ratio": 2.5}
FLOORS: Final[Mapping[str, float]] = {"readiness_1_ratio": 0.12, "readiness_32_ratio": 0.12}

_PROJECT: Final = """\
provider: sqlite
archetypeDirs: [archetypes]
pipelineDirs: [pipelines]
server:
  rateLimit: {requestsPerSecond: 0}
"""
_ARCHETYPE: Final = "name: one\nrequiredTraits:\n  - type: disk\noptionalTraits:\n  - type: arrival\n"
_PIPELINE: Final = """\
name: p-{number:03}
archetype: one
traits:
  disk: {{evaluator: "builtin:disk-space", config: {{minFreeBytes: 1}}}}
  arrival: {{evaluator: push}}
"""


class Target:
    """What is asked for."""

    def __init__(self, name: str, method: str, path: str, body: str = "") -> None:
        self.name = name
        self.method = method
        self.paths = tuple(path.format(number=number) for number in range(PIPELINES))
        self.body = body


BARE: Final = Target("bare", "GET", "/")
TARGETS: Final = (
    Target("readiness", "GET", "/api/pipelines/p-{number:03}/readiness"),
    Target("evaluate", "POST", "/api/pipelines/p-{number:03}/evaluate", "{}"),
    Target("push", "POST", "/api/pipelines/p-{number:03}/traits/arrival", '{"status":"PASS","ttl":3600}'),
)


def main(seconds: float = 3.0) -> dict[str, float]:
    """Measure, print and return the figures."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = project_in(Path(folder))
        ours = [str(Path(sys.executable).with_name("interlock")), "serve", "--no-watcher", "--no-watchdog", "--addr"]
        bare = [sys.executable, "-m", "bench.bare"]
        for name, argv in (("bare", bare), ("interlock", ours)):
            figures[f"{name}_start_ms"] = 1000 * median(_start(argv, root) for _ in range(STARTS))
        with served(bare, root) as (port, process):
            figures["bare_memory_mib"] = _memory(process)
            for count in CONNECTIONS:
                _measure(figures, BARE, port, count, seconds)
        with served(ours, root) as (port, process):
            figures["interlock_memory_mib"] = _memory(process)
            for target in TARGETS:
                for count in CONNECTIONS:
                    _measure(figures, target, port, count, seconds)
    figures["start_ratio"] = figures["interlock_start_ms"] / figures["bare_start_ms"]
    figures["memory_ratio"] = figures["interlock_memory_mib"] / figures["bare_memory_mib"]
    for name, figure in figures.items():
        print(f"{name:32} {figure:12,.2f}")
    return figures


def _measure(figures: dict[str, float], target: Target, port: int, count: int, seconds: float) -> None:
    asked = Asked(
        port=port, connections=count, seconds=seconds, method=target.method, paths=target.paths, body=target.body
    )
    found, name = ask(asked), f"{target.name}_{count}"
    if found.failed:
        raise AssertionError(f"{found.failed} answers of {target.name} over {count} connections were none")
    figures[f"{name}_per_second"] = found.per_second
    figures[f"{name}_p50_ms"] = found.p50
    figures[f"{name}_p99_ms"] = found.p99
    if found.refused:
        figures[f"{name}_refused"] = found.refused
    if target is not BARE:
        figures[f"{name}_ratio"] = found.per_second / figures[f"{BARE.name}_{count}_per_second"]


def project_in(folder: Path) -> Path:
    """Write a project of many pipelines."""
    for name in ("archetypes", "pipelines"):
        (folder / name).mkdir()
    (folder / "interlock.yaml").write_text(_PROJECT)
    (folder / "archetypes/one.yaml").write_text(_ARCHETYPE)
    for number in range(PIPELINES):
        (folder / f"pipelines/p-{number:03}.yaml").write_text(_PIPELINE.format(number=number))
    return folder


@contextmanager
def served(argv: Sequence[str], root: Path) -> Iterator[tuple[int, int]]:
    """Have a server at work meanwhile: its port, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    # Where the root of the repository is found, since the benchmark is started from there.
    env = {"PYTHONPATH": str(Path(__file__).resolve().parent.parent), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen([*argv, f"127.0.0.1:{port}"], cwd=root, env=env, stderr=subprocess.DEVNULL)
    try:
        while not _answers(port):
            assert process.poll() is None, f"{argv} left with {process.returncode}"
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(60)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        sleep(0.002)
        return False
    finally:
        connection.close()


def _start(argv: Sequence[str], root: Path) -> float:
    began = perf_counter()
    with served(argv, root):
        return perf_counter() - began


def _memory(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kib) / 1024


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
