"""What every request passes, and what every answer carries."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import get
from litestar.response import Stream
from tests.unit.server.rig import Rig, a_key, with_keys

from interlock.api.contract import Role
from interlock.config.project import ServerSpec
from interlock.server.audit import UNSIGNED
from interlock.server.doorway import SAFE
from interlock.server.keys import new_key
from interlock.server.kinds import kinds
from interlock.server.throttle import Throttle

TOKEN = "ilk_canary-of-the-tests-0123456789"
ADMIN = a_key(TOKEN, "admin", name="anna")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("project"), with_keys(ADMIN), extra=[stream, broken]) as found:
        yield found


@get("/api/stream", opt={"role": Role.READ})
async def stream() -> Stream:
    async def forever() -> Any:
        while True:
            yield b"data: again\n\n"

    return Stream(forever(), media_type="text/event-stream")


@get("/api/broken", opt={"role": Role.READ})
async def broken() -> None:
    raise RuntimeError(f"the inside of the server, with {TOKEN}")


EVERYWHERE = [
    ("GET", "/version", {}, 200),
    ("GET", "/nowhere", {}, 404),
    ("PUT", "/version", {}, 405),
    ("GET", "/version", {"key": "wrong"}, 401),
    ("GET", "/api//x", {}, 400),
    ("GET", "/api/broken", {}, 500),
    ("POST", "/api/pipelines/orders/evaluate", {"body": b"{"}, 400),
    ("POST", "/api/pipelines/orders/evaluate", {"body": b"x", "headers": {"content-type": "text/plain"}}, 415),
    ("POST", "/api/pipelines/orders/evaluate", {"body": b'"' + b"x" * 1_100_000 + b'"'}, 413),
    ("GET", "/api/" + "x" * 5000, {}, 414),
]


@pytest.mark.parametrize(("method", "path", "more", "status"), EVERYWHERE)
def test_every_answer_has_its_number_and_the_headers_that_keep_browsers_in_their_place(
    rig: Rig, method: str, path: str, more: dict[str, Any], status: int
) -> None:
    """T-85, T-95."""
    headers = {"x-request-id": "my-number.1:a_b", **more.get("headers", {})}
    reply = rig.ask(method, path, **{"key": TOKEN, **more, "headers": headers})
    assert reply.status == status
    assert reply.headers["x-request-id"] == "my-number.1:a_b"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "server" not in reply.headers
    if status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        said = reply.document
        assert said["error"] == said["detail"]
        assert said["status"] == status
        assert said["type"] == f"urn:interlock:problem:{said['code']}"
    assert TOKEN.encode() not in reply.body


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "a\tb", "-a", "\u00e4", "<script>", "a;b", "a\x1b[0m"])
def test_a_number_that_could_do_harm_in_a_log_is_replaced(rig: Rig, given: str) -> None:
    """T-85."""
    reply = rig.ask("GET", "/version", key=TOKEN, headers={"x-request-id": given})
    assert reply.headers["x-request-id"] != given
    assert len(reply.headers["x-request-id"]) == 16


def test_no_two_requests_get_the_same_number(rig: Rig) -> None:
    assert len({rig.ask("GET", "/version", key=TOKEN).headers["x-request-id"] for _ in range(20)}) == 20


def test_by_tls_browsers_are_told_to_stay_with_it(rig: Rig) -> None:
    assert "strict-transport-security" in rig.ask("GET", "/version", key=TOKEN, scheme="https").headers
    assert "strict-transport-security" not in rig.ask("GET", "/version", key=TOKEN).headers


def test_a_method_that_a_route_does_not_take_is_answered_with_those_that_it_takes(rig: Rig) -> None:
    reply = rig.ask("PUT", "/api/pipelines", key=TOKEN)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, OPTIONS, POST"


def test_head_is_get_without_its_body(rig: Rig) -> None:
    whole, head = rig.ask("GET", "/version", key=TOKEN), rig.ask("HEAD", "/version", key=TOKEN)
    assert head.status == 200
    assert head.body == b""
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_head_of_something_without_an_end_has_one(rig: Rig) -> None:
    reply = rig.ask("HEAD", "/api/stream", key=TOKEN)
    assert reply.status == 200
    assert reply.body == b""


def test_what_a_fault_says_is_in_the_log_and_not_in_the_answer(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """T-73."""
    with caplog.at_level(logging.ERROR):
        reply = rig.ask("GET", "/api/broken", key=TOKEN)
    assert b"inside" not in reply.body
    assert "the inside of the server" in caplog.text


def test_a_line_in_the_log_tells_who_asked_for_what_and_holds_no_key(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """T-85."""
    with caplog.at_level(logging.INFO, "interlock.access"):
        rig.ask("GET", "/api/pipelines/orders/runs?limit=7", key=TOKEN, headers={"x-request-id": "r1"})
        rig.ask("GET", "/nowhere?secret=hidden", key=TOKEN)
        rig.ask("GET", "/version", key="ilk_wrong-canary")
    lines = [vars(record) for record in caplog.records if record.name == "interlock.access"]
    assert lines[0]["actor"] == "api:anna"
    assert lines[0]["requestId"] == "r1"
    assert lines[0]["status"] == 200
    assert "{pipelineId" in lines[0]["route"]
    assert lines[2]["actor"] == ""
    for secret in (TOKEN, "hidden", "ilk_wrong-canary", "limit=7"):
        assert secret not in caplog.text
        assert secret not in str(lines)


def test_whoever_changes_something_leaves_a_line_whatever_came_of_it(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """T-77."""
    with caplog.at_level(logging.INFO, "interlock.audit"):
        rig.ask("POST", "/api/pipelines/orders/evaluate", {}, key=TOKEN)
        rig.ask("POST", "/api/pipelines/nowhere/run", {}, key=TOKEN)
        rig.ask("POST", "/api/runs/orders:daily:2026-01-01:1/cancel", body=b"{", key=TOKEN)
        rig.ask("GET", "/api/pipelines", key=TOKEN)
    lines = [vars(record) for record in caplog.records if record.name == "interlock.audit"]
    assert [(line["operation"], line["pipeline"], line["run"], line["status"]) for line in lines] == [
        ("Evaluate", "orders", "", 200),
        ("Run", "nowhere", "", 404),
        ("CancelRun", "orders", "orders:daily:2026-01-01:1", 400),
    ]
    assert {line["actor"] for line in lines} == {"api:anna"}


def test_a_key_that_may_not_change_something_leaves_a_line_when_it_tries(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """T-77."""
    with Rig(tmp_path, with_keys(a_key(TOKEN, "read"))) as reader, caplog.at_level(logging.INFO, "interlock.audit"):
        reader.ask("POST", "/api/pipelines/orders/run", {}, key=TOKEN)
    line = vars(caplog.records[-1])
    assert (line["operation"], line["pipeline"], line["status"]) == ("Run", "orders", 403)


CHANGES = [
    ("POST", "/evaluate", {}),
    ("POST", "/run", {}),
    ("POST", "/cancel", {"reason": "too early"}),
    ("POST", "/pause", {"reason": "a holiday", "for": "1h"}),
    ("DELETE", "/pause", None),
    ("POST", "/markers", {"source": "upstream"}),
    ("PUT", "/sensors/rows", {"data": {"n": 1}}),
    ("POST", "/sensors/rows/increment", {"field": "n", "by": 1}),
]


def test_the_timeline_names_who_asked_for_each_change_once(tmp_path: Path) -> None:
    """T-77."""
    with Rig(tmp_path, with_keys(ADMIN)) as own:
        for method, path, body in CHANGES:
            before = len(own.work.store.timeline("orders", limit=500))
            reply = own.ask(method, f"/api/pipelines/orders{path}", body, key=TOKEN)
            assert reply.status < 300, reply.body
            told = own.work.store.timeline("orders", limit=500)[before:]
            assert sum("api:anna" in str(line.record) for line in told) == 1, (path, told)


def test_looking_leaves_nothing_in_the_timeline(tmp_path: Path) -> None:
    """T-97."""
    with Rig(tmp_path, with_keys(ADMIN)) as own:
        for path in ("", "/status", "/readiness", "/traits", "/runs", "/events", "/why", "/history"):
            assert own.ask("GET", f"/api/pipelines/orders{path}", key=TOKEN).status == 200, path
        assert own.work.store.timeline("orders", limit=5) == ()


def test_every_operation_that_is_signed_for_exists() -> None:
    changing = {kind.__name__ for kind in kinds() if kind.endpoint.method not in SAFE}
    assert changing >= UNSIGNED


def test_more_than_the_rate_is_answered_with_when_to_come_again(tmp_path: Path) -> None:
    """T-84."""
    spec = ServerSpec(keys=(ADMIN, a_key("token-of-ben", "read")), rate=1, burst=3)
    with Rig(tmp_path, spec) as own:
        replies = [own.ask("GET", "/version", key=TOKEN) for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        assert [reply.headers["ratelimit-remaining"] for reply in replies] == ["2", "1", "0", "0"]
        assert replies[-1].headers["ratelimit-limit"] == "3"
        assert int(replies[-1].headers["retry-after"]) >= 1
        assert own.ask("GET", "/version", key="token-of-ben").status == 200


def test_without_a_rate_nothing_is_limited(tmp_path: Path) -> None:
    with Rig(tmp_path, ServerSpec(rate=0, burst=1)) as own:
        replies = [own.ask("GET", "/version") for _ in range(5)]
        assert {reply.status for reply in replies} == {200}
        assert "ratelimit-limit" not in replies[0].headers


def test_a_bucket_refills_with_time_and_never_beyond_its_brim() -> None:
    now = [0.0]
    throttle = Throttle(2, 4, lambda: now[0])
    assert [throttle.take("a").allowed for _ in range(5)] == [True] * 4 + [False]
    refused = throttle.take("a")
    assert refused.wait == pytest.approx(0.5)
    now[0] += 0.5
    assert throttle.take("a").allowed
    assert not throttle.take("a").allowed
    now[0] += 1000
    assert throttle.look("a").left == 4


def test_buckets_are_not_kept_without_end() -> None:
    throttle = Throttle(1, 2, lambda: 0.0)
    for number in range(10_500):
        throttle.take(str(number))
    assert len(throttle) == 10_000


def test_guessing_keys_is_stopped_and_one_old_key_that_comes_again_and_again_is_not_taken_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """T-71."""
    with Rig(tmp_path, with_keys(ADMIN)) as own, caplog.at_level(logging.WARNING, "interlock.server"):
        assert {own.ask("GET", "/version", key="old-key-of-a-job").status for _ in range(50)} == {401}
        assert own.ask("GET", "/version", key=TOKEN).status == 200
        guesses = [own.ask("GET", "/version", key=f"guess-{number}").status for number in range(30)]
        assert guesses[:8] == [401] * 8
        assert guesses[-10:] == [429] * 10
        assert own.ask("GET", "/version", key="another-guess").status == 429
        assert own.ask("GET", "/version", key=TOKEN, address="10.0.0.7").status == 200
    assert "old-key-of-a-job" not in caplog.text
    assert "guess-1" not in caplog.text
    assert "an unknown API key came from 127.0.0.1" in caplog.text


def test_somebody_who_guesses_locks_out_nobody_who_asks_from_the_same_address(tmp_path: Path) -> None:
    """T-71: behind a proxy everybody comes from one address, and jobs must not stop because somebody guesses there."""
    fresh, chosen = new_key().token, "chosen-by-a-person"
    keys = (ADMIN, a_key(fresh, "read", name="fresh"), a_key(chosen, "read", name="chosen"))
    with Rig(tmp_path, with_keys(*keys)) as own:
        assert own.ask("GET", "/version", key=TOKEN).status == 200
        assert own.ask("GET", "/version", key=new_key().token).status == 401
        for number in range(30):
            own.ask("GET", "/version", key=f"guess-{number}")
        assert own.ask("GET", "/version", key=TOKEN).status == 200, "it was right before"
        assert own.ask("GET", "/version", key=fresh).status == 200, "such keys cannot be guessed"
        assert own.ask("GET", "/version", key=chosen).status == 429, "this one might have been"
        assert own.ask("GET", "/version", key=new_key().token).status == 429


def test_guesses_that_are_turned_away_do_not_fill_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Rig(tmp_path, with_keys(ADMIN)) as own, caplog.at_level(logging.WARNING, "interlock.server"):
        for _ in range(100):
            own.ask("GET", "/version", key=new_key().token)
    assert len(caplog.records) < 15


def test_who_registers_a_pipeline_is_written_down_with_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """T-77."""
    with Rig(tmp_path, with_keys(ADMIN)) as own, caplog.at_level(logging.INFO, "interlock.audit"):
        own.ask("POST", "/api/pipelines", {"name": "forged\x1b[2J\nline", "archetype": "one-check"}, key=TOKEN)
        own.ask("POST", "/api/pipelines", {"name": "orders", "archetype": "one-check"}, key=TOKEN)
    lines = [vars(record) for record in caplog.records if record.name == "interlock.audit"]
    assert [(line["operation"], line["pipeline"], line["status"]) for line in lines] == [
        ("RegisterPipeline", "forged | line", 400),
        ("RegisterPipeline", "orders", 409),
    ]


def test_trusted_proxies_alone_say_where_a_request_comes_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = ServerSpec(keys=(ADMIN,), trusted_proxies=("10.0.0.5",))
    said = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    with Rig(tmp_path, spec) as own, caplog.at_level(logging.INFO, "interlock.access"):
        by_proxy = own.ask("GET", "/version", key=TOKEN, headers=said, address="10.0.0.5")
        by_another = own.ask("GET", "/version", key=TOKEN, headers=said, address="10.0.0.6")
    assert [vars(record)["address"] for record in caplog.records] == ["203.0.113.9", "10.0.0.6"]
    assert "strict-transport-security" in by_proxy.headers
    assert "strict-transport-security" not in by_another.headers


def test_guesses_from_one_house_count_together_however_many_addresses_it_has(tmp_path: Path) -> None:
    """T-71."""
    with Rig(tmp_path, with_keys(ADMIN)) as own:
        house = [own.ask("GET", "/version", key=f"g{n}", address=f"2001:db8:0:1::{n:x}").status for n in range(30)]
        assert house[-5:] == [429] * 5
        assert own.ask("GET", "/version", key="g", address="2001:db8:0:2::1").status == 401


def test_what_is_asked_while_the_server_stops_is_not_taken(tmp_path: Path) -> None:
    with Rig(tmp_path, with_keys(ADMIN)) as own:
        for hook in own.app.on_shutdown:
            hook()  # type: ignore[call-arg, unused-ignore]
        reply = own.ask("POST", "/api/pipelines/orders/evaluate", {}, key=TOKEN)
    assert reply.status == 503
    assert "stopping" in reply.document["detail"]
    assert "retry-after" in reply.headers


def test_keys_that_would_travel_unencrypted_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "interlock.server"), Rig(tmp_path, ServerSpec(host="0.0.0.0", keys=(ADMIN,))):
        assert "without TLS" in caplog.text
