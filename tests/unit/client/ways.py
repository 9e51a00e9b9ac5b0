"""The two clients as one thing to ask, so that every law is tried with both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from interlock.api.contract import Request
from interlock.client.aio import AsyncClient
from interlock.client.client import Client

T = TypeVar("T")

Ask = Callable[..., Any]


def ask_blocking(url: str, request: Request[T], **settings: Any) -> T:
    """Ask with `Client`."""
    with Client(url, **settings) as client:
        return client.ask(request)


def ask_waiting(url: str, request: Request[T], **settings: Any) -> T:
    """Ask with `AsyncClient`."""

    async def asking() -> T:
        async with AsyncClient(url, **settings) as client:
            return await client.ask(request)

    return asyncio.run(asking())


both = pytest.mark.parametrize("ask", [ask_blocking, ask_waiting], ids=["Client", "AsyncClient"])

READINESS: dict[str, Any] = {
    "pipelineId": "orders",
    "scheduleId": "daily",
    "date": "2026-03-07",
    "status": "READY",
    "rule": "all-required-pass",
    "needed": 0,
    "passed": 0,
    "traits": [],
    "blocking": [],
    "errors": [],
    "undecided": False,
    "evaluatedAt": "2026-03-07T06:00:00Z",
}
READY = json.dumps(READINESS).encode()
JSON = "Content-Type: application/json"
