"""What tests of triggers over HTTP share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from interlock.clients.http import HttpClient


@pytest.fixture
def client() -> Iterator[HttpClient]:
    """Return a client that may reach this machine."""
    with closing(HttpClient(allow=["127.0.0.1"], max_body=1 << 16)) as made:
        yield made
