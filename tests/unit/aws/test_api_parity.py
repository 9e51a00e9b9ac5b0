"""The function's URL answers everything of the contract as the server does: the same journey through both, side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import time_machine
from tests.acceptance.cli import PIPELINE, a_project
from tests.unit.aws.urls import ANNA, Call, Reply, an_event
from tests.unit.operations.office import NOW
from tests.unit.server.rig import Rig

from interlock.aws.api import answer
from interlock.runtime.wiring import Interlock
from interlock.server.kinds import kinds

ORDERS, DAY = "/api/pipelines/orders", "2026-03-07"
WHY = {"reason": "a story"}
PUSHED = PIPELINE.replace("evaluator: ./evaluators/check", "evaluator: push\n    ttl: 1h").replace("orders", "pushed")
JOBLESS = "trigger: {type: external}\nreruns: {manual: 9}\n"
NEW = {"name": "extra", "archetype": "one-check", "traits": {"data-check": {"evaluator": "push", "ttl": "1h"}}}


class Ask(NamedTuple):
    """One request of the journey, and the kind it is of; nothing where it is of none."""

    kind: str
    method: str
    target: str
    body: object = None


JOURNEY = (
    Ask("Pipelines", "GET", "/api/pipelines?limit=1"),
    Ask("Pipelines", "GET", "/api/pipelines"),
    Ask("Pipeline", "GET", "/api/pipelines/orders"),
    Ask("Pipeline", "GET", "/api/pipelines/ordres"),
    Ask("Archetypes", "GET", "/api/archetypes"),
    Ask("Archetype", "GET", "/api/archetypes/one-check"),
    Ask("Calendars", "GET", "/api/calendars"),
    Ask("CalendarDays", "GET", "/api/calendars/nowhere?count=3"),
    Ask("PreviewSchedule", "GET", f"{ORDERS}/schedule?count=2"),
    Ask("Evaluate", "POST", f"{ORDERS}/evaluate", {}),
    Ask("Readiness", "GET", f"{ORDERS}/readiness"),
    Ask("Traits", "GET", f"{ORDERS}/traits"),
    Ask("Trait", "GET", f"{ORDERS}/traits/data-check"),
    Ask("PushTrait", "POST", f"{ORDERS}/traits/data-check", {"status": "PASS"}),
    Ask("PushTrait", "POST", "/api/pipelines/pushed/traits/data-check", {"status": "FAIL", "reason": "3 of 4"}),
    Ask("PushTrait", "POST", "/api/pipelines/pushed/traits/data-check", {"status": "MAYBE"}),
    Ask("Run", "POST", "/api/pipelines/pushed/run", {}),
    Ask("Cancel", "POST", "/api/pipelines/pushed/cancel", WHY),
    Ask("Cancel", "POST", "/api/pipelines/pushed/cancel", WHY),
    Ask("Run", "POST", f"{ORDERS}/run", {}),
    Ask("Run", "POST", f"{ORDERS}/run", {}),
    Ask("Runs", "GET", f"{ORDERS}/runs"),
    Ask("RunOf", "GET", f"/api/runs/orders:daily:{DAY}:1"),
    Ask("RunOf", "GET", f"/api/runs/orders%3Adaily%3A{DAY}%3A1"),
    Ask("RunOf", "GET", "/api/runs/nowhere"),
    Ask("SlotOf", "GET", f"{ORDERS}/slot"),
    Ask("AcceptRun", "POST", f"/api/runs/orders:daily:{DAY}:1/accept", WHY),
    Ask("CompleteRun", "POST", f"/api/runs/orders:daily:{DAY}:1/complete?attempt=1", {"status": "failed"}),
    Ask("CompleteRun", "POST", f"/api/runs/orders:daily:{DAY}:1/complete?attempt=1", {"status": "failed"}),
    Ask("CancelRun", "POST", f"/api/runs/orders:daily:{DAY}:1/cancel", WHY),
    Ask("Rerun", "POST", f"{ORDERS}/rerun", {"originalDate": DAY, **WHY}),
    Ask("CompleteRerun", "POST", f"/api/reruns/orders:daily:{DAY}:2/complete", {"status": "success"}),
    Ask("Reruns", "GET", f"{ORDERS}/reruns"),
    Ask("AllReruns", "GET", "/api/reruns"),
    Ask("Replay", "POST", f"{ORDERS}/replays", {"date": "2026-03-05", **WHY}),
    Ask("Replays", "GET", f"{ORDERS}/replays"),
    Ask("Backfill", "POST", f"{ORDERS}/backfills", {"from": "2026-03-01", "to": "2026-03-02", "dryRun": True}),
    Ask("OpenGate", "POST", "/api/pipelines/sales/gate", {"holder": "me", "claim": "mine"}),
    Ask("KeepGate", "POST", f"/api/runs/sales:daily:{DAY}:1/heartbeat", {"attempt": 1}),
    Ask("Ping", "POST", "/api/pipelines/pinged/pings", {"what": "start", "date": DAY}),
    Ask("Ping", "POST", "/api/pipelines/pinged/pings", {"what": "success", "date": DAY}),
    Ask("RegisterPipeline", "POST", "/api/pipelines", NEW),
    Ask("RegisterPipeline", "POST", "/api/pipelines", {"name": "orders", "archetype": "one-check"}),
    Ask("RemovePipeline", "DELETE", "/api/pipelines/extra"),
    Ask("Status", "GET", f"{ORDERS}/status"),
    Ask("AllStatus", "GET", "/api/status"),
    Ask("Why", "GET", f"{ORDERS}/why"),
    Ask("History", "GET", f"{ORDERS}/history?limit=1"),
    Ask("Events", "GET", f"{ORDERS}/events?limit=3"),
    Ask("Expectations", "GET", "/api/expectations"),
    Ask("PipelineExpectations", "GET", f"{ORDERS}/expectations"),
    Ask("LateArrivals", "GET", f"{ORDERS}/late-arrivals"),
    Ask("SendMarker", "POST", f"{ORDERS}/markers", {"source": "a file", "date": DAY}),
    Ask("SendMarker", "POST", "/api/pipelines/nobody/markers", {"source": "a file", "date": DAY}),
    Ask("Markers", "GET", f"{ORDERS}/markers"),
    Ask("ShadowReport", "GET", f"{ORDERS}/shadow-report"),
    Ask("AllShadowReport", "GET", "/api/shadow-report"),
    Ask("RunLogs", "GET", f"{ORDERS}/runlogs"),
    Ask("RunLog", "GET", f"{ORDERS}/runlogs/{DAY}"),
    Ask("Alerts", "GET", "/api/alerts"),
    Ask("AlertOf", "GET", f"/api/alerts/show?alertId=late_data/orders:daily:{DAY}:2"),
    Ask("AlertWhy", "GET", f"/api/alerts/explain?alertId=late_data/orders:daily:{DAY}:2"),
    Ask("ResolveAlert", "POST", "/api/alerts/resolve", {"alertId": f"late_data/orders:daily:{DAY}:2", **WHY}),
    Ask("TestAlert", "POST", "/api/alerts/test", {}),
    Ask("BeginSilence", "POST", "/api/silences", {"pipeline": "orders", "for": "2h", **WHY}),
    Ask("BeginSilence", "POST", "/api/silences", {"for": "2h", **WHY}),
    Ask("Silences", "GET", "/api/silences"),
    Ask("EndSilence", "DELETE", "/api/silences/nothing"),
    Ask("Pause", "POST", f"{ORDERS}/pause", {"for": "2h", **WHY}),
    Ask("Pauses", "GET", "/api/pauses"),
    Ask("Resume", "DELETE", f"{ORDERS}/pause"),
    Ask("PutSensor", "PUT", f"{ORDERS}/sensors/rows", {"data": {"count": 1, "ü": [True, None]}}),
    Ask("MergeSensor", "PATCH", f"{ORDERS}/sensors/rows", {"data": {"more": 2}}),
    Ask("IncrementSensor", "POST", f"{ORDERS}/sensors/rows/increment", {"field": "count", "by": 2}),
    Ask("AddToSensorSet", "POST", f"{ORDERS}/sensors/rows/add-to-set", {"field": "parts", "members": ["b", "a"]}),
    Ask("SensorOf", "GET", f"{ORDERS}/sensors/rows"),
    Ask("Sensors", "GET", f"{ORDERS}/sensors"),
    # What is of no kind, or of none that can be.
    Ask("", "GET", "/version"),
    Ask("", "GET", "/openapi.json"),
    Ask("", "GET", "/docs"),
    Ask("", "GET", "/docs/style.css"),
    Ask("", "GET", "/api/pipelines/"),
    Ask("", "GET", "/"),
    Ask("", "GET", "/api/pipelines/orders/evalaute"),
    Ask("", "GET", "/api/nothing/at/all/like/it"),
    Ask("", "GET", f"{ORDERS}/run"),
    Ask("", "DELETE", "/api/status"),
    Ask("", "POST", "/version", {}),
    Ask("", "HEAD", "/api/pipelines"),
    Ask("", "HEAD", "/api/nowhere"),
    Ask("", "OPTIONS", "/api/pipelines"),
    Ask("", "OPTIONS", "/version"),
    Ask("", "GET", "/api/pipelines/..%2Fstatus"),
    Ask("", "GET", "/api//pipelines"),
    Ask("", "GET", "/api/pipelines/%00"),
    Ask("", "GET", "/api/pipelines/%ff"),
    Ask("", "GET", "/api/pipelines/%C3%BC"),
    Ask("", "GET", "/api/pipelines/" + "x" * 5000),
    Ask("", "GET", "/api/pipelines?limit=1&limit=2"),
    Ask("", "GET", "/api/pipelines?limit=%ff"),
    Ask("", "GET", "/api/pipelines?limti=1"),
    Ask("", "GET", "/api/pipelines?" + "&".join(f"a{number}=1" for number in range(60))),
    Ask("", "POST", f"{ORDERS}/evaluate?date=2026-03-07", {}),
    Ask("", "POST", f"{ORDERS}/evaluate", '{"date": "2026-03-07", "date": "2026-03-08"}'),
    Ask("", "POST", f"{ORDERS}/evaluate", "[" * 1900),
    Ask("", "POST", f"{ORDERS}/evaluate", "[]"),
    Ask("", "POST", f"{ORDERS}/evaluate", '{"date": NaN}'),
    Ask("", "POST", f"{ORDERS}/evaluate", " " * 1_048_577),
)


class Twins:
    """Two equal projects: one is asked through the server, one through the function's URL."""

    def __init__(self, server: Rig, function: Interlock) -> None:
        self.server = server
        self.function = function

    def ask(self, ask: Ask) -> tuple[Reply, Reply]:
        text = ask.body if isinstance(ask.body, str) else None if ask.body is None else json.dumps(ask.body)
        body = None if text is None else text.encode()
        said = {} if body is None else {"content-type": "application/json"}
        one = self.server.ask(ask.method, ask.target, body=body, headers=said)
        event = an_event(ask.method, ask.target, text)
        other = answer(event, Call(), lambda: self.function, "")
        assert not other["isBase64Encoded"]
        return (
            Reply(one.status, one.headers, one.body.decode()),
            Reply(other["statusCode"], other["headers"], other["body"]),
        )


def pipelines(root: Path) -> Path:
    """Write the projects that the journey goes through."""
    a_project(root, timezone="UTC")
    folder = root / "pipelines"
    text = PIPELINE[: PIPELINE.index("trigger:")] + JOBLESS
    for name in ("orders", "sales", "pinged"):
        (folder / f"{name}.yaml").write_text(text.replace("orders", name))
    (folder / "pushed.yaml").write_text(PUSHED)
    return root


@pytest.fixture(scope="module")
def went(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, tuple[Reply, Reply]]]:
    """Make the whole journey."""
    roots = [pipelines(tmp_path_factory.mktemp("project")) for _ in range(2)]
    with ExitStack() as stack:
        stack.enter_context(time_machine.travel(NOW))
        rigs = [stack.enter_context(Rig(root)) for root in roots]
        twins = Twins(rigs[0], rigs[1].work)
        yield {number: twins.ask(ask) for number, ask in enumerate(JOURNEY)}


def alike(text: str) -> Any:
    """Return what does not depend on when it was asked, and by whom."""
    text = text.replace(f"iam:{ANNA}", "api:local")
    text = re.sub(
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?|\d{8}T\d{6}\.\d{6}Z", "<instant>", text
    )
    text = re.sub(r"\b\d\d:\d\d(:\d\d)?\b", "<time>", text)
    text = re.sub(r'"(silenceId|validSeconds|ageSeconds|took\w*|seconds)":("[^"]*"|[\d.]+)', r'"\1":0', text)
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.mark.parametrize("number", range(len(JOURNEY)), ids=[f"{each.method}-{each.kind}" for each in JOURNEY])
def test_the_functions_url_answers_as_the_server_does(went: dict[int, tuple[Reply, Reply]], number: int) -> None:
    server, function = went[number]
    assert (function.status, alike(function.body)) == (server.status, alike(server.body))
    for name in ("content-type", "x-next-cursor", "link", "cache-control", "content-security-policy"):
        assert not server.body or alike(function.headers.get(name, "")) == alike(server.headers.get(name, "")), name


def test_the_journey_passes_every_kind_of_request() -> None:
    assert {each.kind for each in JOURNEY} - {""} == {kind.__name__ for kind in kinds()}


def test_the_journey_is_mostly_a_success(went: dict[int, tuple[Reply, Reply]]) -> None:
    """Two doors that refuse everything are alike, too."""
    done = {JOURNEY[number].kind for number, (reply, _) in went.items() if reply.status < 300}
    assert {kind.__name__ for kind in kinds()} - done == {"AcceptRun", "CalendarDays", "EndSilence"}
