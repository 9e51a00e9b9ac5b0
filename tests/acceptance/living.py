"""A project that lives: sensors on disk, a real HTTP server in place of the jobs' owner, and a watcher in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

from tests.acceptance.cli import INTERLOCK, a_script, environment, interlock, looked, noon_zone

PATIENCE: Final = 40.0
SENSORS: Final = ("freshness", "rows", "capacity")
ARCHETYPE: Final = """\
name: three-sensors
requiredTraits:
  - type: freshness
  - type: rows
  - type: capacity
"""
PIPELINE: Final = """\
name: {name}
archetype: three-sensors
traits:
  freshness: {{evaluator: ./evaluators/freshness, timeout: 20}}
  rows: {{evaluator: ./evaluators/rows, timeout: 20}}
  capacity: {{evaluator: ./evaluators/capacity, timeout: 20}}
trigger:
  type: http
  url: {url}/start
watch:
  interval: 1s
{monitoring}
{rest}
"""


class Stub:
    """A server that takes start requests while its gate is open, and refuses them with `shut` while it is not.

    503 with Retry-After says that nothing was started; 500 leaves it open whether something was.
    """

    def __init__(self) -> None:
        self.open = True
        self.shut = 503
        self.asked: list[dict[str, Any]] = []
        self.refused = 0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if stub.open:
                    stub.asked.append({"headers": dict(self.headers), "body": body.decode()})
                else:
                    stub.refused += 1
                self.send_response(200 if stub.open else stub.shut)
                if stub.shut == 503:
                    self.send_header("retry-after", "1")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Living:
    """A project with sensors, asked through the command line only. `store` is what its file says about the store."""

    def __init__(self, root: Path, stub: Stub, store: str = "") -> None:
        self.root = root
        self.stub = stub
        for folder in ("archetypes", "pipelines", "evaluators", "sensors"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "interlock.yaml").write_text(
            f"{store}timezone: {noon_zone()}\nwatcher: {{reload: 1s}}\nalerts:\n  - {{type: file, path: alerts.jsonl}}\n"
        )
        (root / "archetypes" / "three-sensors.yaml").write_text(ARCHETYPE)
        for sensor in SENSORS:
            script = f'grep -q good sensors/{sensor} && echo \'{{"status":"PASS"}}\' || echo \'{{"status":"FAIL"}}\''
            a_script(root / "evaluators" / sensor, f"cat >/dev/null\n{script}")
            self.sense(**{sensor: "bad"})

    def sense(self, **readings: str) -> None:
        """Let sensors read something, in one step each."""
        for sensor, text in readings.items():
            fresh = self.root / "sensors" / f"{sensor}.new"
            fresh.write_text(text)
            fresh.rename(self.root / "sensors" / sensor)

    def all_good(self) -> None:
        """Let every sensor read well."""
        self.sense(**dict.fromkeys(SENSORS, "good"))

    def pipeline(self, name: str = "orders", rest: str = "", monitoring: str = "") -> None:
        """Write a pipeline that the stub's server is the job of."""
        text = PIPELINE.format(name=name, url=self.stub.url, rest=rest, monitoring=monitoring)
        (self.root / "pipelines" / f"{name}.yaml").write_text(text)

    def says(self, *argv: str) -> Any:
        """Run a command that looks and prints JSON, and return its document."""
        return json.loads(looked(*argv, "--json", root=self.root).out)

    def code(self, *argv: str) -> int:
        """Run a command and return its exit code."""
        return interlock(*argv, cwd=self.root).code

    def runs(self, name: str = "orders") -> list[dict[str, Any]]:
        """Return a pipeline's runs, newest first; none when it never ran."""
        said = looked("history", name, "--json", root=self.root)
        return list(json.loads(said.out)["items"]) if said.code == 0 else []

    def events(self, name: str = "orders") -> list[str]:
        """Return the kinds of a pipeline's events, oldest first."""
        return [event["kind"] for event in self.says("events", name, "--limit", "500")["items"]]

    def until_status(self, status: str, name: str = "orders", number: int = 1) -> dict[str, Any]:
        """Wait until a run of the pipeline has a status, and return it."""

        def there() -> dict[str, Any] | None:
            wanted = [run for run in self.runs(name) if run["runId"].endswith(f":{number}")]
            return wanted[0] if wanted and wanted[0]["status"] == status else None

        found: dict[str, Any] = until(there, lambda: f"{status}; there is {self.runs(name)}")
        return found

    def complete(self, run: dict[str, Any], status: str = "success") -> None:
        """Report the end of a run's job, as its owner would."""
        said = interlock("complete", run["runId"], "--status", status, cwd=self.root)
        assert said.code == 0, said.err

    @contextmanager
    def watched(self) -> Iterator[subprocess.Popen[bytes]]:
        """Have a watcher at work meanwhile."""
        with (self.root / "watcher.log").open("wb") as log:
            watcher = subprocess.Popen(
                [*INTERLOCK, "watch"], cwd=self.root, env=environment(), stdout=log, stderr=log, start_new_session=True
            )
            try:
                yield watcher
            finally:
                watcher.send_signal(signal.SIGTERM)
                try:
                    watcher.wait(timeout=PATIENCE)
                except subprocess.TimeoutExpired:
                    watcher.kill()
                    watcher.wait()
                    raise


def until(found: Callable[[], Any], wanted: Callable[[], str] = lambda: "it", within: float = PATIENCE) -> Any:
    """Ask again and again until there is something to return."""
    deadline = monotonic() + within
    while True:
        result = found()
        if result:
            return result
        assert monotonic() < deadline, f"waited for {wanted()}"
        # Each look may be a process: without a breath they take the time of what they wait for, and meet the limit of a server.
        threading.Event().wait(0.15)
