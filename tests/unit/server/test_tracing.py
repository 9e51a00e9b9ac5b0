"""A request that belongs to a trace takes what is done about it into that trace."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.unit.server.rig import Rig

TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1"}


class Traces:
    """Remembers which traces were entered, and on which threads."""

    def __init__(self) -> None:
        self.entered: list[tuple[Mapping[str, str], str]] = []

    @contextmanager
    def incoming(self, headers: Mapping[str, str]) -> Iterator[None]:
        self.entered.append((headers, threading.current_thread().name))
        yield

    def close(self) -> None:
        return


def test_what_a_request_asks_for_is_done_within_the_trace_that_it_names(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        traces = Traces()
        rig.work.observers.tracing = traces  # type: ignore[assignment]
        secret = {"x-api-key": "never a part of a trace"}
        assert rig.ask("POST", "/api/pipelines/orders/evaluate", headers={**TRACE, **secret}).status == 200
        assert rig.ask("GET", "/api/pipelines/orders/runs").status == 200
    (first, thread), (second, _) = traces.entered
    assert (first, second) == (TRACE, {})
    assert thread.startswith("interlock-slow"), "on the thread that does it, or the spans would be elsewhere"
