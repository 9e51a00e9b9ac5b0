"""What the server says of itself, and what it never says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.acceptance.cli import a_project, a_script
from tests.unit.server.rig import Rig, a_key, with_keys

from interlock.api.contract import in_path
from interlock.config.load import load_project
from interlock.server.app import Gauges
from interlock.server.keys import ring_of
from interlock.server.kinds import kinds
from interlock.version import __version__

TOKEN = "ilk_canary-of-the-callers-0123456789"
SECRETS = ("canary-of-the-environment", "canary-of-the-trigger", "canary-of-the-project")
WITH_TRIGGER = """
name: paid
archetype: one-check
traits:
  data-check: {evaluator: ./evaluators/check}
trigger:
  type: http
  url: http://127.0.0.1:9/jobs
  headers: {Authorization: Bearer canary-of-the-trigger, X-Api-Key: canary-of-the-trigger}
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    gauges = Gauges(lambda: {"triggers_total": 7}, lambda: ("text/plain; version=0.0.4; charset=utf-8", b"up 1\n"))
    with Rig(tmp_path, gauges=gauges) as found:
        yield found


def test_the_counters_are_plain_numbers_and_nothing_else(rig: Rig) -> None:
    """T-83."""
    assert rig.ask("GET", "/debug/vars").document == {"triggers_total": 7}


def test_metrics_are_handed_through_with_their_type(rig: Rig, tmp_path: Path) -> None:
    """T-106."""
    reply = rig.ask("GET", "/metrics")
    assert reply.body == b"up 1\n"
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_without_metrics_there_is_no_such_thing(tmp_path: Path) -> None:
    with Rig(tmp_path) as bare:
        assert bare.ask("GET", "/metrics").status == 404
        assert bare.ask("GET", "/debug/vars").document == {}


def test_the_version_is_told(rig: Rig) -> None:
    assert rig.ask("GET", "/version").document["version"] == __version__


def test_no_secret_ever_leaves_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """T-73, T-76, T-81: in no answer, log line or event; not by a check that prints its whole environment either."""
    monkeypatch.setenv("MY_SECRET", SECRETS[0])
    root = a_project(tmp_path, timezone="UTC", check="env; exit 1")
    a_script(root / "job", "env; exit 1")
    (root / "pipelines" / "paid.yaml").write_text(WITH_TRIGGER)
    file = root / "interlock.yaml"
    file.write_text(file.read_text() + f"server: {{apiKey: {SECRETS[2]}}}\n")
    spec = load_project(root).settings.server
    seen = []
    with Rig(root, replace(spec, keys=(*spec.keys, *with_keys(a_key(TOKEN, "admin", name="anna")).keys))) as rig:
        with caplog.at_level(logging.DEBUG):
            for kind in kinds():
                for pipeline in ("orders", "paid"):
                    places = {"pipelineId": pipeline, "traitType": "data-check", "date": "2026-03-07"}
                    path = kind.endpoint.path
                    for name in in_path(kind):
                        path = path.replace(f"{{{name}}}", places.get(name, "x"))
                    body: object = {} if kind.endpoint.method in ("POST", "PUT", "PATCH") else None
                    seen.append(rig.ask(kind.endpoint.method, path, body, key=TOKEN))
            seen.append(rig.ask("GET", "/version", headers={"authorization": f"Bearer {SECRETS[2]}"}))
            seen += [rig.ask("GET", path, key=TOKEN) for path in ("/debug/vars", "/openapi.json", "/docs", "/nowhere")]
            assert seen[-5].status == 200
        timelines = [str(rig.work.store.timeline(name, limit=500)) for name in ("orders", "paid")]
        assert any("EVALUATED" in timeline for timeline in timelines)
    told = "\n".join([caplog.text, *timelines, *(f"{reply.headers} {reply.body!r}" for reply in seen)])
    told += json.dumps([vars(record) for record in caplog.records], default=str)
    for secret in (TOKEN, *SECRETS):
        assert secret not in told


def test_what_holds_the_keys_shows_none_of_them(tmp_path: Path) -> None:
    """T-81."""
    ring = ring_of(with_keys(a_key(TOKEN, "admin")), {"INTERLOCK_SERVE_API_KEY": SECRETS[0]})
    shown = f"{ring!r} {vars(ring)} {ring.callers}"
    assert SECRETS[0] not in shown
