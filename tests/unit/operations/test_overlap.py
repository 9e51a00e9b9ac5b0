"""A pipeline whose slots may not overlap: not by a rerun, a replay, a backfill or a gate either."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.operations.office import Office, an_office

from interlock.api import gating, rerunning, running
from interlock.api.contract import Request
from interlock.app.advance import advance
from interlock.app.arrivals import open_run
from interlock.core.events import CancelAsked
from interlock.core.schedules import current_window
from interlock.errors import Refused
from interlock.operations.performing import perform

APART = "schedules: [{name: daily, overlap: queue}]\n"
YESTERDAY = "2026-03-06"
BEFORE = "2026-03-05"
AGAIN = rerunning.Rerun(pipeline_id="orders", original_date=YESTERDAY, reason="the source was mended")
PAST = rerunning.Replay(pipeline_id="orders", date=BEFORE, reason="it never ran")
FILL = rerunning.Backfill(pipeline_id="orders", from_="2026-03-01", to="2026-03-04")
GATE = gating.OpenGate(pipeline_id="orders", date=YESTERDAY, again=True, reason="disk was full")


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Office]:
    """A project whose job of today goes on, and whose job of yesterday has ended."""
    with an_office(tmp_path / "busy", job="while [ ! -e go ]; do sleep 0.05; done", pipeline=APART) as found:
        spec, now = found.spec(), found.work.clock.now()
        slot = current_window(spec.name, spec.schedules[0], now - timedelta(days=1)).slot
        run = open_run(slot, spec, found.store, now).run
        advance(run.key, CancelAsked(at=now, actor="ann", reason="x"), found.store)
        _do(found, running.Run(pipeline_id="orders"))
        yield found
        (found.root / "go").touch()


def _do(office: Office, request: Request[Any]) -> Any:
    return perform(request, office.desk)


@pytest.mark.parametrize("request_", [AGAIN, PAST, GATE], ids=lambda each: type(each).__name__)
def test_nothing_is_run_beside_a_slot_that_is_running(busy: Office, request_: Request[Any]) -> None:
    with pytest.raises(Refused, match="overlap"):
        _do(busy, request_)
    assert len(busy.store.runs_of("orders", limit=9)) == 2


@pytest.mark.parametrize("request_", [AGAIN, PAST], ids=lambda each: type(each).__name__)
def test_what_is_forced_goes_past_it_and_is_recorded(busy: Office, request_: Any) -> None:
    done = _do(busy, replace(request_, force=True))
    override = busy.store.runs_of("orders", limit=1)[0].override
    assert override is not None
    assert (done.run.status, "overlap" in override.constraints) == ("RUNNING", True)


def test_a_backfill_that_nobody_paces_opens_one_slot_at_a_time(busy: Office) -> None:
    """Opened together, they would be let through together."""
    for request in (FILL, replace(FILL, max=1)):
        with pytest.raises(Refused, match="has not ended") as caught:
            _do(busy, request)
        assert caught.value.details["constraints"] == ["overlap"]
    assert len(busy.store.runs_of("orders", limit=9)) == 2
    _do(busy, running.Cancel(pipeline_id="orders", reason="make room"))
    with pytest.raises(Refused, match="max"):
        _do(busy, FILL)
    _do(busy, replace(FILL, max=1))
    assert len(busy.store.runs_of("orders", limit=9)) == 3
