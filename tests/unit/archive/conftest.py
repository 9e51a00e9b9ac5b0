"""An archive of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.servers.postgres import PostgresServer
from tests.unit.archive.history import Outside, outside


@pytest.fixture
def there(postgres_server: PostgresServer) -> Iterator[Outside]:
    """Return an empty archive."""
    with outside(postgres_server) as made:
        yield made
