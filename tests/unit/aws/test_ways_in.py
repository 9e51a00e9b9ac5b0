"""The two handlers as Lambda calls them, with an office of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.aws.queues import DAY, Line, a_line
from tests.unit.aws.urls import ANNA, Call, an_event

from interlock.aws import api, ingress


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with a_line(tmp_path / "project") as found:
        yield found


def office(line: Line, roles: str = "") -> Any:
    found = SimpleNamespace(work=line.work, failures=line.kept, environment=SimpleNamespace(api_roles=roles))
    return lambda: found


def test_the_urls_handler_goes_by_the_roles_of_its_environment(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_OFFICE", office(line, f'{{"{ANNA}": ["read"]}}'))
    assert api.handler(an_event("GET", "/api/pipelines"), Call())["statusCode"] == 200
    assert api.handler(an_event("POST", "/api/pipelines/orders/run", {}), Call())["statusCode"] == 403


def test_the_queues_handler_takes_batches_and_direct_calls(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress, "_OFFICE", office(line))
    marker = {"request": "SendMarker", "pipelineId": "orders", "source": "a file", "date": DAY}
    bad, good = line.message("{"), line.message(marker)
    assert ingress.handler({"Records": [bad, good]}, Call()) == {"batchItemFailures": []}
    assert len(line.kept.items) == 1
    assert ingress.handler(marker, Call())["source"] == "a file"
    # Both leave the traits of the run that was opened to the state machine.
    (run,) = line.runs()
    assert run.results == ()
