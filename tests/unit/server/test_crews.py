"""Who carries requests out: what is slow holds up nothing quick, what is asked twice is done once, and what is begun is ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.acceptance.cli import a_project
from tests.unit.server.rig import Rig, a_key, with_keys

from interlock.errors import Busy
from interlock.server.app import Bounds
from interlock.server.crews import Crew, Flights, Size, outcome

WAITS = 'echo x >> asked\nwhile [ ! -e go ]; do sleep 0.02; done\necho \'{"status":"PASS"}\''


def a_waiting_project(root: Path) -> Path:
    return a_project(root, timezone="UTC", check=f'cd "{root}"\n{WAITS}')


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def asked(root: Path) -> int:
    file = root / "asked"
    return len(file.read_text().split()) if file.exists() else 0


def test_who_may_only_look_keeps_nobody_from_acting(tmp_path: Path) -> None:
    """T-86: reports take long, and are for every reader."""
    with Rig(a_project(tmp_path, timezone="UTC"), bounds=Bounds(reports=Size(1, -1))) as rig:
        assert rig.ask("GET", "/api/shadow-report").status == 429
        assert rig.ask("POST", "/api/pipelines/orders/evaluate", {}).status == 200
        assert rig.ask("GET", "/api/pipelines/orders/readiness").status == 200


def test_evaluations_under_way_do_not_hold_up_what_is_quick(tmp_path: Path) -> None:
    """T-86, T-84."""
    root = a_waiting_project(tmp_path)
    with Rig(root, bounds=Bounds(quick=Size(1, 10), slow=Size(1, 10))) as rig:

        async def story() -> None:
            dates = ("2026-03-01", "2026-03-02", "2026-03-03")
            path = "/api/pipelines/orders/evaluate"
            slow = [asyncio.ensure_future(rig.asking("POST", path, {"date": date})) for date in dates]
            await until(lambda: asked(root) == 1)
            assert (await rig.asking("GET", "/api/pipelines/orders/status")).status == 200
            assert not any(each.done() for each in slow)
            (root / "go").touch()
            assert [(await each).status for each in slow] == [200, 200, 200]

        rig.runner.run(story())


def test_the_same_evaluation_asked_again_while_it_is_under_way_is_joined(tmp_path: Path) -> None:
    """T-84."""
    root = a_waiting_project(tmp_path)
    spec = with_keys(a_key("token-of-anna", "admin", name="anna"), a_key("token-of-ben", "operate", name="ben"))
    with Rig(root, spec) as rig:

        async def story() -> None:
            path = "/api/pipelines/orders/evaluate"
            today = rig.work.clock.now().date().isoformat()
            bodies = [{}, {"date": today}, {"schedule": "daily"}, {}]
            keys = ["token-of-anna", "token-of-ben", "token-of-anna", "token-of-ben"]
            same = [
                asyncio.ensure_future(rig.asking("POST", path, body, key=key))
                for body, key in zip(bodies, keys, strict=True)
            ]
            await until(lambda: asked(root) == 1)
            other = asyncio.ensure_future(rig.asking("POST", path, {"date": "2026-03-07"}, key="token-of-ben"))
            await until(lambda: asked(root) == 2)
            (root / "go").touch()
            replies = [await each for each in same]
            assert {reply.status for reply in replies} == {200}
            assert len({reply.body for reply in replies}) == 1
            assert (await other).document["date"] == "2026-03-07"
            # What has ended is not joined any more: the next is asked afresh.
            await rig.asking("POST", path, {}, key="token-of-ben")

        rig.runner.run(story())
        assert asked(root) == 3


def test_who_may_not_evaluate_cannot_join_one_either(tmp_path: Path) -> None:
    """T-84."""
    root = a_waiting_project(tmp_path)
    with Rig(root, with_keys(a_key("token-of-anna", "admin"), a_key("token-of-eve", "read"))) as rig:

        async def story() -> None:
            path = "/api/pipelines/orders/evaluate"
            first = asyncio.ensure_future(rig.asking("POST", path, {}, key="token-of-anna"))
            await until(lambda: asked(root) == 1)
            assert (await rig.asking("POST", path, {}, key="token-of-eve")).status == 403
            (root / "go").touch()
            await first

        rig.runner.run(story())


def test_more_than_can_wait_is_refused_with_when_to_come_again(tmp_path: Path) -> None:
    """T-84."""
    root = a_waiting_project(tmp_path)
    with Rig(root, bounds=Bounds(slow=Size(1, 1))) as rig:

        async def story() -> None:
            path = "/api/pipelines/orders/evaluate"
            taken = [asyncio.ensure_future(rig.asking("POST", path, {"date": f"2026-03-0{day}"})) for day in (1, 2)]
            await until(lambda: asked(root) == 1)
            reply = await rig.asking("POST", path, {"date": "2026-03-03"})
            assert reply.status == 429
            assert int(reply.headers["retry-after"]) >= 1
            assert reply.document["code"] == "busy"
            (root / "go").touch()
            assert [(await each).status for each in taken] == [200, 200]
            assert (await rig.asking("POST", path, {"date": "2026-03-03"})).status == 200

        rig.runner.run(story())


def test_an_evaluation_whose_caller_is_given_up_is_kept_in_full(tmp_path: Path) -> None:
    """T-116."""
    root = a_waiting_project(tmp_path)
    with Rig(root) as rig:

        async def story() -> None:
            asking = asyncio.ensure_future(rig.asking("POST", "/api/pipelines/orders/evaluate", {}))
            await until(lambda: asked(root) == 1)
            asking.cancel()
            assert (await asking).status == 503  # the server gives up waiting, as at its end
            (root / "go").touch()
            await until(lambda: rig.work.store.latest_evaluation("orders") is not None)

        rig.runner.run(story())
        kept = rig.work.store.latest_evaluation("orders")
        assert kept is not None
        assert kept.readiness.ready
        assert len(kept.results) == 1


def test_an_error_is_the_same_for_all_who_joined_and_forgotten_after_it() -> None:
    """T-84."""

    async def story() -> None:
        crew, flights, begun = Crew("test", Size(2, 2)), Flights[int](), threading.Event()

        def fail() -> int:
            begun.wait(30)
            raise Busy("no")

        both = [flights.board("a", lambda: crew.start(fail)) for _ in range(2)]
        assert both[0] is both[1]
        begun.set()
        for each in both:
            with pytest.raises(Busy):
                await outcome(each)
        await until(lambda: len(flights) == 0)
        assert await outcome(flights.board("a", lambda: crew.start(lambda: 7))) == 7
        assert crew.under_way == 0
        crew.close()

    asyncio.run(story())
