"""Whether ten thousand connections that say nothing keep anybody else from being answered.

    python -m bench.connections [CONNECTIONS]

They are held by a process of its own. Another asks over one connection, before and meanwhile; how much longer it waits then
is the figure. The server hangs up on those that say nothing after twenty seconds, so all of it happens within these.
"""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.load import Answered, Asked, ask
from bench.serving import project_in, served

MANY: Final = 10_000
SECONDS: Final = 2.0
LIMITS: Final = {"p50_ratio": 3.0}
_ARGV: Final = ("serve", "--no-watcher", "--no-watchdog", "--addr")


def main(connections: int = MANY) -> dict[str, float]:
    """Measure, print and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        root = project_in(Path(folder))
        ours = [str(Path(sys.executable).with_name("interlock")), *_ARGV]
        with served(ours, root) as (port, _):
            before = _ask(port)
            holder = [sys.executable, "-m", "bench.connections", "hold", str(port), str(connections)]
            with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
                assert held.stdout is not None
                opened = int(held.stdout.readline())
                meanwhile = _ask(port)
                held.communicate("")
    figures = {
        "connections": float(opened),
        "before_p50_ms": before.p50,
        "meanwhile_p50_ms": meanwhile.p50,
        "meanwhile_p99_ms": meanwhile.p99,
        "p50_ratio": meanwhile.p50 / before.p50,
    }
    for name, figure in figures.items():
        print(f"{name:32} {figure:12,.2f}")
    return figures


def _ask(port: int) -> Answered:
    found = ask(
        Asked(port=port, connections=1, seconds=SECONDS, method="GET", paths=("/api/pipelines/p-000/readiness",))
    )
    assert not found.failed
    return found


def hold(port: int, count: int) -> None:
    """Open so many connections, say how many there are, and hold them until stdin ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count)]
    print(len(held), flush=True)
    sys.stdin.read()
    for each in held:
        each.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        hold(*map(int, sys.argv[2:4]))
    else:
        main(*map(int, sys.argv[1:]))
