"""AWS as fixtures: the scripted one, new for each test, and Moto, one for the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.servers.aws_stub import AwsStub
from tests.servers.moto import MotoServer


@pytest.fixture
def aws_stub() -> Iterator[AwsStub]:
    """A scripted AWS. A request that AWS would not accept fails the test, unless the test has cleared `refused`."""
    with AwsStub() as stub:
        yield stub
        assert stub.refused == []


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """Moto: make an application of your own."""
    # A plugin that is imported before pytest registers it is an error to pytest.
    from tests.servers.fixtures import have

    with have("moto", MotoServer) as server:
        yield server
