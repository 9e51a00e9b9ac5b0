"""A key that is taken away is good for nothing any more, also not for what was begun with it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.acceptance.cli import a_project
from tests.unit.server.rig import a_scope

from interlock.config.build_server import digest_of
from interlock.config.load import load_project
from interlock.config.project import ServerSpec
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import DEFAULT_SCHEDULE, PipelineName, Slot
from interlock.core.periods import Period
from interlock.runtime.wiring import Interlock
from interlock.server.asked import Asked, asked_of
from interlock.server.audit import Audit
from interlock.server.entrance import Entrance
from interlock.server.hub import Hub, Wanted
from interlock.server.keys import ring_of
from interlock.server.stream import frames


def test_a_stream_ends_when_its_key_is_taken_away(tmp_path: Path) -> None:
    """T-71: whoever lost a key hears no more, however early the stream was begun."""
    a_project(tmp_path)
    held = [True]

    async def listen(work: Interlock) -> list[bytes]:
        hub = Hub(work)
        listener, _ = await hub.join(Wanted(), "")
        stream = frames(hub, listener, missing=False, heartbeat=0.01, known=lambda: held[0])
        found = [await anext(stream), await anext(stream)]
        held[0] = False
        hub.memory.add(work.store.timeline("orders", limit=1))
        found += [each async for each in stream]
        hub.close()
        assert hub.listeners == 0
        return found

    with Interlock(load_project(tmp_path), env={}) as work:
        slot, at = Slot(PipelineName("orders"), DEFAULT_SCHEDULE, Period("2026-03-07")), work.clock.now()
        told = EventRecord(kind=EventKind.MARKER_RECEIVED, at=at, message="not for those without a key")
        work.store.note(slot, at, "one", [told])
        found = asyncio.run(listen(work))
    assert found[1:] == [b": still here\n\n"]


def test_a_key_is_known_until_the_file_of_keys_says_otherwise(tmp_path: Path) -> None:
    """T-71."""
    file = tmp_path / "keys.yaml"
    file.write_text(f"keys:\n  - name: anna\n    hash: sha256:{digest_of('ilk_of-anna')}\n    roles: [read]\n")
    seen: list[Asked] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(asked_of(scope))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    now = [0.0]
    spec = ServerSpec(keys_file=file)
    a_project(tmp_path / "project")
    with Interlock(load_project(tmp_path / "project"), env={}) as work:
        entrance = Entrance(app, spec, ring_of(spec, {}), Audit(work), elapsed=lambda: now[0])
        asyncio.run(entrance(a_scope("GET", "/x", [(b"x-api-key", b"ilk_of-anna")]), _nothing, _nowhere))
        assert seen[0].known()
        file.write_text("keys: []\n")
        now[0] += 10
        assert not seen[0].known()


async def _nothing() -> Any:
    await asyncio.Event().wait()


async def _nowhere(message: Any) -> None:
    assert message
