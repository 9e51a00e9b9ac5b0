"""The laboratory as a fixture: MiniStack, Step Functions and Lambda, wired to each other, one of each for a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from tests.aws.lab.functions import Functions
from tests.aws.lab.stepfunctions import StateMachines, StepFunctionsServer
from tests.servers.base import ServerMissing
from tests.servers.dynamodb import MiniStackServer


class Lab:
    """The three of them, and clients for each service of AWS that reach the right one."""

    def __init__(self, ministack: MiniStackServer, machines: StateMachines, functions: Functions) -> None:
        self.ministack = ministack
        self.machines = machines
        self.functions = functions
        self._clients: dict[str, Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What leads a process with botocore to the laboratory. Every function has it."""
        return {
            "AWS_ENDPOINT_URL": self.ministack.url,
            "AWS_ENDPOINT_URL_LAMBDA": self.functions.url,
            "AWS_ENDPOINT_URL_SFN": self.machines.url,
        }

    def client(self, service: str) -> Any:
        """Return a client of boto3, the same each time."""
        if service not in self._clients:
            address = {"lambda": self.functions.url, "stepfunctions": self.machines.url}.get(
                service, self.ministack.url
            )
            options = {**self.ministack.client_options, "endpoint_url": address}
            self._clients[service] = boto3.client(service, **options)  # type: ignore[call-overload, unused-ignore]
        return self._clients[service]

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="session")
def lab(ministack_server: MiniStackServer) -> Iterator[Lab]:
    """Step Functions and Lambda beside MiniStack: take machines, functions and tables of your own names."""
    # A plugin that is imported before pytest registers it is an error to pytest.
    from tests.servers.fixtures import have, missing

    with ExitStack() as stack:
        try:
            functions = stack.enter_context(Functions())
        except ServerMissing as exc:
            missing("awslambdaric", exc)
            raise
        make = lambda: StepFunctionsServer(services=ministack_server.url, functions=functions.url)  # noqa: E731
        server = stack.enter_context(have("stepfunctions", make))
        machines = stack.enter_context(StateMachines(server))
        laboratory = Lab(ministack_server, machines, functions)
        stack.callback(laboratory.close)
        functions.environment |= laboratory.environment
        yield laboratory
