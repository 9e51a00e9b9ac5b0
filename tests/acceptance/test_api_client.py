"""A client written from the reference's routes alone, in bash with curl and jq, goes through its stories against `interlock serve`.

All of them on the usual store; on the one that the reference has, those in which runs live, live again and follow each other.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.acceptance.cli import a_script, environment, noon_zone
from tests.acceptance.living import ARCHETYPE, SENSORS
from tests.acceptance.providers import store_lines
from tests.acceptance.serving import Server, serving

pytestmark = [pytest.mark.slow, pytest.mark.service, pytest.mark.timeout(180)]

CLIENT: Final = Path(__file__).with_name("api_client.sh")
SCENARIOS: Final = {
    "sqlite": (*map(str, range(1, 12)), "pushed", "pipelines"),
    # The others wait for what must not happen, or never come as far as a run: no store has a part in that.
    "redis": ("1", "2", "7", "8", "9", "10", "pushed", "pipelines"),
}
KEY: Final = "a key that only this test knows"


class Jobs:
    """Where the jobs run: takes them, counts them, and refuses them while it is shut."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.open = True
        jobs = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                place = urlsplit(self.path)
                if place.path in ("/open", "/shut"):
                    jobs.open = place.path == "/open"
                    self._say(200, "")
                elif jobs.open:
                    jobs.taken[parse_qs(place.query)["pipeline"][0]] += 1
                    self._say(202, "{}")
                else:
                    self._say(503, "")

            def do_GET(self) -> None:
                self._say(200, str(jobs.taken[parse_qs(urlsplit(self.path).query)["pipeline"][0]]))

            def _say(self, status: int, body: str) -> None:
                self.send_response(status)
                if status == 503:
                    self.send_header("retry-after", "1")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def at_work(self) -> Iterator[Jobs]:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()


class Place(NamedTuple):
    """A server on a project with sensors, and where its jobs run."""

    server: Server
    jobs: Jobs
    zone: str


@pytest.fixture(scope="module")
def places(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Place]]:
    """The place on a store, made when it is asked for first."""
    with ExitStack() as stack:

        @cache
        def place(store: str) -> Place:
            root = tmp_path_factory.mktemp("reference")
            return stack.enter_context(_at_work(root, store_lines(store, request)))

        yield place


@contextmanager
def _at_work(root: Path, lines: str) -> Iterator[Place]:
    zone = noon_zone()
    for folder in ("archetypes", "evaluators", "sensors"):
        (root / folder).mkdir()
    (root / "interlock.yaml").write_text(
        f"{lines}timezone: {zone}\nevaluatorDirs: [evaluators]\nserver: {{apiKey: '{KEY}'}}\n"
        "alerts:\n  - {type: file, path: alerts.jsonl}\n"
    )
    (root / "archetypes" / "three-sensors.yaml").write_text(ARCHETYPE)
    for sensor in SENSORS:
        said = f'grep -q good sensors/{sensor} && echo \'{{"status":"PASS"}}\' || echo \'{{"status":"FAIL"}}\''
        a_script(root / "evaluators" / f"check-{sensor}", f"cat >/dev/null\n{said}")
        (root / "sensors" / sensor).write_text("bad")
    with Jobs().at_work() as jobs, serving(root) as server:
        yield Place(server.ready(), jobs, zone)
        assert server.end() == 0, server.said


def _now(zone: str) -> datetime:
    hours = 0 if zone == "UTC" else -int(zone.removeprefix("Etc/GMT"))
    return datetime.now(UTC).astimezone(timezone(timedelta(hours=hours)))


@pytest.mark.parametrize(
    ("store", "scenario"), [(store, scenario) for store, scenarios in SCENARIOS.items() for scenario in scenarios]
)
def test_a_client_of_the_reference_works(places: Callable[[str], Place], store: str, scenario: str) -> None:
    """T-13, T-14, T-93, T-94, T-119."""
    assert shutil.which("curl"), "the client is made of curl and jq, and curl is missing"
    assert shutil.which("jq"), "the client is made of curl and jq, and jq is missing"
    place = places(store)
    server, place.jobs.open = place.server, True
    now = _now(place.zone)
    midnight = now - now.replace(hour=0, minute=0, second=0, microsecond=0)
    told = {
        "URL": f"http://127.0.0.1:{server.port}",
        "KEY": KEY,
        "STUB": place.jobs.url,
        "SENSORS": str(server.root / "sensors"),
        "EXCLUDED": f"{now:%A}",
        "MIDNIGHT": str(int(midnight.total_seconds())),
    }
    said = subprocess.run(
        [str(CLIENT), scenario], env=environment(told), capture_output=True, text=True, check=False, timeout=150
    )
    assert said.returncode == 0, f"{said.stdout}{said.stderr}\n--- server\n{server.said}"
