"""The three health paths, over the real server."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.unit.server.listened import served

from interlock.errors import StoreUnavailable
from interlock.server.app import OPEN_PATHS
from interlock.server.health import Health, Seen, StoreLook
from interlock.server.probes import PATHS, probes
from interlock.testing.builders import NOON
from interlock.testing.clock import FakeClock

pytestmark = pytest.mark.enable_socket


def _health(trouble: str = "") -> Health:
    def look() -> Seen:
        if trouble:
            raise StoreUnavailable(trouble)
        return Seen()

    return Health(FakeClock(NOON), StoreLook(look, lambda _line: None, deadline=timedelta(seconds=20)))


def test_a_server_that_is_well_says_so_on_all_three() -> None:
    with served(*probes(_health())) as it:
        replies = [it.get(path) for path in PATHS]
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert replies[0].body == replies[1].body == b'{"status":"ok"}'
    assert json.loads(replies[2].body)["status"] == "ok"
    assert all("cache-control: no-store" in reply.head for reply in replies)


def test_a_server_without_its_store_is_degraded_and_alive() -> None:
    """T-92."""
    with served(*probes(_health("cannot write /srv/db"))) as it:
        health, live, ready = (it.get(path) for path in PATHS)
    assert (health.status, health.body) == (503, b'{"status":"degraded"}')
    assert (live.status, live.body) == (200, b'{"status":"ok"}')
    assert ready.status == 503
    shown = json.loads(ready.body)
    bad = [check for check in shown["checks"] if not check["ok"]]
    assert [(check["name"], check["since"]) for check in bad] == [("store", "2026-03-07T12:00:00Z")]
    assert b"/srv/db" not in ready.body


def test_a_server_about_to_leave_is_not_sent_anything_and_not_killed() -> None:
    health = _health()
    health.draining = True
    with served(*probes(health)) as it:
        assert [it.get(path).status for path in PATHS] == [200, 200, 503]
        assert json.loads(it.get("/readyz").body)["status"] == "draining"


def test_exactly_these_need_no_key() -> None:
    """T-75."""
    assert set(PATHS) == OPEN_PATHS
