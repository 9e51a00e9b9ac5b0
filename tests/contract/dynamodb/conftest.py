"""One store in DynamoDB for each test, on a table of its own, and a client beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.contract.dynamodb_stores import bare, options_of
from tests.servers.dynamodb import MiniStackServer

from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions


@pytest.fixture
def options(ministack_server: MiniStackServer) -> DynamoOptions:
    """A table that is there once it was opened."""
    return options_of(ministack_server)


@pytest.fixture
def kernel(options: DynamoOptions) -> Iterator[DynamoKernel]:
    """The store."""
    with closing(DynamoKernel(options)) as kernel:
        yield kernel


@pytest.fixture
def aws(ministack_server: MiniStackServer) -> Iterator[Any]:
    """A client beside the store."""
    with bare(ministack_server) as client:
        yield client
