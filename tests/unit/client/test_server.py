"""Both clients against the real server: what is asked is done, and what is declined comes back as the same error."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.client.serving import Served, a_key, serving, until

from interlock import AsyncClient, Client, to_dict
from interlock.app.views import EventView
from interlock.client import gating
from interlock.errors import ConfigError, Conflict, Invalid, NotAllowed, NotFound, NotReady, Unauthorized

pytestmark = pytest.mark.enable_socket

HOUR = "1h"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(gating, "FIRST_LOOK", 0.05)
    with serving(tmp_path / "project") as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


def test_a_verdict_is_the_same_by_every_way(server: Served, client: Client) -> None:
    async def asking() -> str:
        async with AsyncClient(server.url) as other:
            return (await other.evaluate("orders")).status

    assert client.evaluate("orders").status == asyncio.run(asking()) == client.readiness("orders").status == "READY"


def test_an_unknown_name_is_not_found_and_the_nearest_is_named(client: Client) -> None:
    with pytest.raises(NotFound, match="did you mean orders"):
        client.status("ordrs")


def test_what_is_wrong_with_a_registration_comes_back_problem_by_problem(client: Client) -> None:
    with pytest.raises(ConfigError) as told:
        client.pipelines.register({"name": "fresh", "archetyp": "one-check"})
    assert any("archetyp" in problem.message for problem in told.value.problems)


def test_pages_are_gone_through_to_the_end(client: Client) -> None:
    for number in range(5):
        client.sensors.put("fed", f"s{number}", {"n": number})
    assert [sensor.key for sensor in client.sensors.iter("fed", page=2)] == ["s0", "s1", "s2", "s3", "s4"]
    client.run("orders")
    whole = client.events("orders", limit=500).items
    assert [event.cursor for event in client.iter_events("orders", page=2)] == [event.cursor for event in whole][::-1]


def test_a_telling_that_arrives_twice_counts_once(client: Client) -> None:
    for _ in range(2):
        client.sensors.increment("fed", "files", "count", 2, delivery_id="file-17")
    client.sensors.increment("fed", "files", "count")
    assert to_dict(client.sensors.get("fed", "files").data) == {"count": 3}


def test_the_role_of_a_key_decides_and_a_wrong_key_is_unauthorized(tmp_path: Path) -> None:
    with serving(tmp_path / "project", keys=[a_key("reading-key", "read")]) as served:
        with Client(served.url, api_key="reading-key") as reader:
            assert reader.status("orders").pipeline_id == "orders"
            with pytest.raises(NotAllowed):
                reader.run("orders")
        with Client(served.url, api_key="guessed") as stranger, pytest.raises(Unauthorized):
            stranger.status("orders")


# ---------------------------------------------------------------- the gate


def test_a_block_runs_under_leave_and_its_end_is_recorded_with_what_it_measured(client: Client) -> None:
    with client.gate("orders") as run:
        assert client.get_run(run.run_id).status == "RUNNING"
        run.metric("rows", 17)
        run.metric("mean", float("nan"))
        run.evidence(file=Path("in/a.csv"), complete=True)
    ended = client.get_run(run.run_id)
    told = to_dict(ended.metadata)
    assert ended.status == "COMPLETED"
    assert told["metrics"] == {"rows": 17, "mean": None}
    assert (told["file"], told["complete"]) == ("in/a.csv", True)


def test_an_exception_is_the_failure_of_the_run_and_goes_on_its_way(client: Client) -> None:
    with pytest.raises(KeyError, match="region"), client.gate("orders") as run:
        raise KeyError("region")
    ended = client.get_run(run.run_id)
    assert (ended.status, ended.failure_category) == ("FAILED", "PERMANENT")
    assert "KeyError" in ended.failure_message


def test_an_interrupted_block_has_failed(client: Client) -> None:
    with pytest.raises(KeyboardInterrupt), client.gate("orders") as run:
        raise KeyboardInterrupt
    assert client.get_run(run.run_id).status == "FAILED"


def test_a_slot_is_let_through_once(client: Client) -> None:
    with client.gate("orders"), pytest.raises(Conflict), client.gate("orders"):
        pytest.fail("two blocks ran for one slot")
    with pytest.raises(Conflict), client.gate("orders"):
        pytest.fail("the slot was done")


def test_a_block_that_is_not_ready_does_not_run(client: Client) -> None:
    with pytest.raises(NotReady), client.gate("fed", on_not_ready="raise"):
        pytest.fail("it was not ready")
    with pytest.raises(NotReady), client.gate("fed", timeout=0.2):
        pytest.fail("it was not ready in time")


def test_a_gate_waits_until_the_traits_say_yes(client: Client) -> None:
    timer = threading.Timer(0.3, lambda: client.push_trait("fed", "data-check", "PASS", ttl=HOUR))
    timer.start()
    with client.gate("fed", timeout=60) as run:
        assert not timer.is_alive() or client.trait("fed", "data-check").status == "PASS"
    timer.join()
    assert client.get_run(run.run_id).status == "COMPLETED"


def test_a_slot_that_is_run_again_may_have_to_wait_too(client: Client) -> None:
    client.push_trait("fed", "data-check", "PASS", ttl=HOUR)
    with client.gate("fed") as first:
        pass
    client.push_trait("fed", "data-check", "FAIL", ttl=HOUR)
    timer = threading.Timer(0.3, lambda: client.push_trait("fed", "data-check", "PASS", ttl=HOUR))
    timer.start()
    with client.gate("fed", timeout=60, again=True, reason="the file was wrong") as second:
        assert second.run_id != first.run_id
    timer.join()


def test_a_block_cannot_be_skipped_and_whoever_asks_for_it_is_told(client: Client) -> None:
    with pytest.raises(ConfigError, match="use `gated`, or catch NotReady"):
        client.gate("orders", on_not_ready="skip")  # type: ignore[arg-type]


def test_a_function_behind_the_gate_is_skipped_only_while_its_traits_say_no(client: Client) -> None:
    calls = []

    @client.gated("fed", on_not_ready="skip")
    def load(number: int) -> int:
        calls.append(number)
        if number == 2:
            raise NotReady("of something else")
        return number

    assert load(1) is None
    client.push_trait("fed", "data-check", "PASS", ttl=HOUR)
    with pytest.raises(NotReady, match="of something else"):
        load(2)
    assert calls == [2]
    assert load.__name__ == "load"


def test_in_shadow_mode_the_block_runs_whatever_the_traits_say(tmp_path: Path) -> None:
    with serving(tmp_path / "project", check='echo \'{"status":"FAIL"}\'') as served, Client(served.url) as client:
        file = served.root / "pipelines" / "shy.yaml"
        file.write_text(
            (served.root / "pipelines" / "orders.yaml").read_text().replace("orders", "shy") + "mode: shadow\n"
        )
    with serving(tmp_path / "project") as served, Client(served.url) as client, client.gate("shy") as run:
        assert run.shadow
        assert run.run_id == ""


def test_an_end_that_cannot_be_told_is_logged_with_the_command_that_tells_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="interlock.client")
    with serving(tmp_path / "project") as served, Client(served.url) as client:
        cancelled = client.gate("orders")
        client.cancel_run(cancelled.open().run_id, reason="not today")
        with pytest.raises(Conflict):
            cancelled.__exit__(None, None, None)
        gate = client.gate("orders", again=True, reason="once more")
        run = gate.open()
        client.close()
        trouble = ValueError("own trouble")
        assert gate.__exit__(ValueError, trouble, None) is False
    assert "was not recorded" in trouble.__notes__[0]
    assert f"interlock complete '{run.run_id}' --status failed --attempt 1" in caplog.text


def test_the_asynchronous_gate_keeps_the_same_promises(server: Served, client: Client) -> None:
    async def main() -> tuple[str, str]:
        async with AsyncClient(server.url) as waiting:
            async with waiting.gate("orders") as run:
                run.metric("rows", 1)
            first = run.run_id

            async def cancelled() -> None:
                async with waiting.gate("orders", again=True, reason="again") as second:
                    begun.append(second.run_id)
                    entered.set()
                    await asyncio.Event().wait()

            begun: list[str] = []
            entered = asyncio.Event()
            task = asyncio.create_task(cancelled())
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return first, begun[0]

    first, second = asyncio.run(main())
    assert (client.get_run(first).status, client.get_run(second).status) == ("COMPLETED", "FAILED")


# ---------------------------------------------------------------- the stream


def test_what_happens_is_heard_as_it_happens(server: Served, client: Client) -> None:
    heard: list[str] = []

    def listen() -> None:
        for event in client.stream("orders"):
            assert isinstance(event, EventView)
            heard.append(event.kind)
            if event.kind == "TRIGGER_FIRED":
                return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    until(lambda: server.hub.listeners == 1)
    client.run("orders")
    thread.join(30)
    assert heard[-1:] == ["TRIGGER_FIRED"]


def test_what_happens_is_heard_by_the_asynchronous_client_too(server: Served, client: Client) -> None:
    async def main() -> str:
        async with AsyncClient(server.url) as waiting:
            async for event in waiting.stream("orders", kinds=["TRIGGER_FIRED"]):
                assert isinstance(event, EventView)
                return event.kind
        return ""

    def begin() -> None:
        until(lambda: server.hub.listeners == 1)
        client.run("orders")

    thread = threading.Thread(target=begin)
    thread.start()
    assert asyncio.run(main()) == "TRIGGER_FIRED"
    thread.join(30)


def test_a_stream_of_an_unknown_pipeline_is_refused_at_once(client: Client, server: Served) -> None:
    with pytest.raises(NotFound):
        next(client.stream("ordrs"))
    with pytest.raises(Invalid):
        next(client.stream(kinds=["NO_SUCH_KIND"]))

    async def first() -> None:
        async with AsyncClient(server.url) as waiting:
            await anext(waiting.stream("ordrs"))

    with pytest.raises(NotFound):
        asyncio.run(first())
