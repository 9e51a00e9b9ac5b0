"""What a new sandbox imports before its first call: it is paid for at each cold start, so nothing that no call needs."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache

import pytest

from interlock.aws.functions import FUNCTIONS

STRANGERS = (
    *("anyio", "apprise", "asyncio", "boto3", "click", "duckdb", "holidays", "litestar", "opentelemetry"),
    *("prometheus_client", "psycopg", "pydantic", "redis", "sqlite3", "uvicorn", "yaml"),
)
OTHERS = ("archive", "cli", "client", "scaffold", "testing")

every_function = pytest.mark.parametrize("module", [pytest.param(one.module, id=one.name) for one in FUNCTIONS])


@lru_cache
def _imported(module: str) -> frozenset[str]:
    """Return what is imported once a fresh interpreter has imported a module."""
    script = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50)
    return frozenset(done.stdout.split())


@every_function
def test_a_cold_start_imports_no_stranger(module: str) -> None:
    assert {name.partition(".")[0] for name in _imported(module)}.isdisjoint(STRANGERS)


@every_function
def test_a_cold_start_imports_no_other_shell(module: str) -> None:
    others = tuple(f"interlock.{name}." for name in OTHERS)
    assert not sorted(name for name in _imported(module) if f"{name}.".startswith(others))


@every_function
def test_a_cold_start_imports_botocore(module: str) -> None:
    """Until its first call a sandbox has a whole processor, and a fraction of one from then on."""
    assert {"botocore.client", "botocore.session"} <= _imported(module)
