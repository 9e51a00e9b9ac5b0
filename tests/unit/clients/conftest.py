"""The door to AWS before a stub, with no AWS of the tester's own behind it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.aws_errors import REGION
from tests.servers.aws_stub import AwsStub
from tests.unit.clients.awsdoors import Doors

from interlock.clients.aws import AwsDoor, AwsOptions


@pytest.fixture
def aws_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home, no variables, no metadata service."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def stub() -> Iterator[AwsStub]:
    """Return a scripted AWS, which may be asked in ways that AWS does not take."""
    with AwsStub() as made:
        yield made


@pytest.fixture
def door_to(aws_home: Path) -> Iterator[Doors]:
    """Return what makes doors, by the options that they stand for."""
    with contextlib.ExitStack() as stack:

        def make(**defaults: str) -> AwsDoor:
            door = AwsDoor(AwsOptions(**defaults))
            stack.callback(door.close)
            return door

        yield make


@pytest.fixture
def door(door_to: Doors, stub: AwsStub) -> AwsDoor:
    """Return a door to the stub."""
    return door_to(endpoint=stub.url, region=REGION)
