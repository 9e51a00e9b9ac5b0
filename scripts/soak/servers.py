"""The servers: real processes on one project, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from random import Random
from threading import Event
from time import monotonic
from typing import Final, Self

from scripts.soak.calling import call

INTERLOCK: Final = str(Path(sys.executable).with_name("interlock"))
_UP_WITHIN: Final = 60.0


class Servers:
    """Several `interlock serve` on one store. Use it in a `with` statement: at the end they are told to stop."""

    def __init__(self, root: Path, count: int) -> None:
        self._root = root
        self._ports = [_free_port() for _ in range(count)]
        self._running: list[subprocess.Popen[bytes] | None] = [None] * count
        self._next_kill: float | None = None
        self._dice: Random | None = None
        self.kills = 0
        self.exits: list[int] = []
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]

    def __enter__(self) -> Self:
        subprocess.run([INTERLOCK, "validate"], cwd=self._root, check=True)
        for place in range(len(self._ports)):
            self._start(place)
        self.all_up()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._running:
            if server is not None:
                server.send_signal(signal.SIGTERM)
        for server in self._running:
            if server is not None:
                self.exits.append(server.wait(timeout=90))

    def trouble(self, every: float, seed: int) -> None:
        """Now and then, kill one of the servers and start it again."""
        if not every:
            return
        if self._next_kill is None or self._dice is None:
            self._dice = Random(f"kills/{seed}")
            self._next_kill = monotonic() + every
        if monotonic() < self._next_kill:
            return
        place = self._dice.randrange(len(self._ports))
        server = self._running[place]
        if server is not None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            self.kills += 1
        self._start(place)
        self._next_kill = monotonic() + every

    def all_up(self) -> None:
        """Wait until every server says that it is ready."""
        ends = monotonic() + _UP_WITHIN
        for place, url in enumerate(self.urls):
            while call("GET", f"{url}/readyz", timeout=5).status != 200:
                server = self._running[place]
                if server is not None and server.poll() is not None:
                    raise SystemExit(f"server {place} left with {server.returncode}\n{''.join(self.last_words())}")
                if monotonic() > ends:
                    raise SystemExit(f"server {place} is not ready\n{''.join(self.last_words())}")
                Event().wait(0.1)

    def last_words(self) -> list[str]:
        """Return the end of each server's log."""
        return [
            f"--- server {place}\n{self._log(place).read_text(errors='replace')[-3000:]}\n"
            for place in range(len(self._ports))
            if self._log(place).exists()
        ]

    def _log(self, place: int) -> Path:
        return self._root / f"server-{place}.log"

    def _start(self, place: int) -> None:
        with self._log(place).open("ab") as log:
            self._running[place] = subprocess.Popen(
                [INTERLOCK, "serve", "--addr", f"127.0.0.1:{self._ports[place]}"],
                cwd=self._root,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
