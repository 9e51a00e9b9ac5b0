"""Interlock: a safety controller for data pipelines. Names are imported on first use, so that start-up stays fast."""

from __future__ import annotations

from interlock.version import __version__

TYPE_CHECKING = False  # what type checkers take for `typing.TYPE_CHECKING`, which would cost more than all of this file

if TYPE_CHECKING:
    from interlock.client.aio import AsyncClient
    from interlock.client.client import Client
    from interlock.client.values import to_dict
    from interlock.errors import (
        Busy,
        ConfigError,
        Conflict,
        Contention,
        Declined,
        InterlockError,
        Invalid,
        MissingExtra,
        NotAllowed,
        NotFound,
        NotReady,
        Refused,
        ServerUnavailable,
        StoreError,
        StoreUnavailable,
        TriggerError,
        Unauthorized,
    )

__all__ = [
    "AsyncClient",
    "Busy",
    "Client",
    "ConfigError",
    "Conflict",
    "Contention",
    "Declined",
    "InterlockError",
    "Invalid",
    "MissingExtra",
    "NotAllowed",
    "NotFound",
    "NotReady",
    "Refused",
    "ServerUnavailable",
    "StoreError",
    "StoreUnavailable",
    "TriggerError",
    "Unauthorized",
    "__version__",
    "to_dict",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'interlock' has no attribute {name!r}")
    from importlib import import_module

    client = "interlock.client."
    homes = {"Client": f"{client}client", "AsyncClient": f"{client}aio", "to_dict": f"{client}values"}
    found = getattr(import_module(homes.get(name, "interlock.errors")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
