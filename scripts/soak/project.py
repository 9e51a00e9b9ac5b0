"""The project that is soaked, and the stub that its HTTP jobs run at."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Final, Self

from scripts.soak.calling import call

KINDS: Final = ("http", "command", "pushed", "counted", "watched")
ARCHETYPES: Final = {
    "http": "name: http\nrequiredTraits:\n  - {type: disk, defaultTtl: 5}\n  - {type: coin}\n",
    "command": "name: command\nrequiredTraits:\n  - {type: coin}\n  - {type: disk}\n",
    "pushed": "name: pushed\nrequiredTraits:\n  - {type: landed, defaultTtl: 20}\n",
    "counted": "name: counted\nrequiredTraits:\n  - {type: rows}\n",
    "watched": "name: watched\nrequiredTraits:\n  - {type: coin}\n",
}
TRAITS: Final = {
    "disk": "{evaluator: 'builtin:disk-space', config: {path: ., minFreeBytes: 1048576}}",
    "coin": "{evaluator: ./evaluators/coin, timeout: 20}",
    "landed": "{evaluator: push}",
    "rows": "{evaluator: 'builtin:rule', config: {sensor: rows, field: count, check: gte, value: 1}}",
}
USES: Final = {
    "http": ("disk", "coin"),
    "command": ("coin", "disk"),
    "pushed": ("landed",),
    "counted": ("rows",),
    "watched": ("coin",),
}
# One answer in four is a no; one in twenty is none at all.
COIN: Final = """\
#!/bin/sh
draw=$(($(od -An -N1 -tu1 /dev/urandom) % 20))
[ $draw -eq 0 ] && exit 1
[ $draw -lt 5 ] && said=FAIL || said=PASS
echo "{\\"status\\":\\"$said\\"}"
"""
JOB: Final = """\
#!/bin/sh
echo "$INTERLOCK_RUN_ID/$INTERLOCK_ATTEMPT" >> starts
sleep 0.$(($(od -An -N1 -tu1 /dev/urandom) % 9))
[ $(($(od -An -N1 -tu1 /dev/urandom) % 10)) -gt 0 ]
"""


def make_project(root: Path, stub: str, pipelines: int, store: str = "") -> list[str]:
    """Write the files of the project; return the names of its pipelines, each beginning with its kind.

    `store` is what its file says about the store.
    """
    for folder in ("archetypes", "pipelines", "evaluators"):
        (root / folder).mkdir()
    (root / "interlock.yaml").write_text(
        f"{store}timezone: UTC\nwatchdog: {{interval: 10s, stuckRunThreshold: 5m}}\n"
        "alerts:\n  - {type: file, path: alerts.jsonl}\n"
    )
    for kind, text in ARCHETYPES.items():
        (root / "archetypes" / f"{kind}.yaml").write_text(text)
    for place, text in (("evaluators/coin", COIN), ("job", JOB)):
        (root / place).write_text(text)
        (root / place).chmod(0o755)
    (root / "starts").touch()
    names = [f"{KINDS[number % len(KINDS)]}-{number:02d}" for number in range(pipelines)]
    for name in names:
        (root / "pipelines" / f"{name}.yaml").write_text(_pipeline(name, stub))
    return names


def _pipeline(name: str, stub: str) -> str:
    kind = name.partition("-")[0]
    traits = "".join(f"  {trait}: {TRAITS[trait]}\n" for trait in USES[kind])
    here = kind in ("command", "counted")
    trigger = "{type: command, command: [./job]}" if here else f"{{type: http, url: '{stub}/start?of={name}'}}"
    monitoring = "  monitoring: {duration: 1m}\n" if kind == "watched" else ""
    return (
        f"name: {name}\narchetype: {kind}\ntraits:\n{traits}trigger: {trigger}\n"
        "schedules:\n  - {name: minutely, every: 1m}\n"
        "sla: {completionDeadline: 50s}\n"
        "retry: {maxAttempts: 3, backoffSeconds: 1, backoffMultiplier: 1.0}\n"
        f"watch:\n  interval: 2s\n{monitoring}"
    )


class Stub:
    """Takes jobs, remembers each start by its key, and reports their ends: late, sometimes twice, to any of the servers."""

    def __init__(self, seed: int) -> None:
        self.servers: list[str] = []
        self.starts: Counter[str] = Counter()
        self.accepted: dict[str, str] = {}
        self.refused = 0
        self._dice = Random(f"stub/{seed}")
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                stub.took(self.headers["X-Interlock-Run-Id"], self.headers["X-Interlock-Attempt"])
                self.send_response(202)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def took(self, run: str, attempt: str) -> None:
        """Begin a job, which will report its end."""
        with self._lock:
            self.starts[f"{run}/{attempt}"] += 1
            status = "success" if self._dice.random() < 0.9 else "failed"
            plan = (self._dice.uniform(0.1, 4), status, 2 if self._dice.random() < 0.2 else 1)
        thread = threading.Thread(target=self._end, args=(run, int(attempt), *plan), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _end(self, run: str, attempt: int, after: float, status: str, reports: int) -> None:
        threading.Event().wait(after)
        body = {"status": status, "attempt": attempt, "metadata": {"rows": attempt}}
        for again in range(200):
            base = self.servers[(again + attempt) % len(self.servers)]
            answer = call("POST", f"{base}/api/runs/{run}/complete", body)
            if answer.status == 200:
                with self._lock:
                    self.accepted[f"{run}/{attempt}"] = status
                reports -= 1
                if not reports:
                    return
            elif answer.status in (409, 404, 400):
                with self._lock:
                    self.refused += 1
                return
            threading.Event().wait(0.25)

    def settle(self) -> None:
        """Wait until every job has reported its end."""
        for thread in list(self._threads):
            thread.join(90)
