"""Moto: EMR Serverless, which MiniStack lacks.

For the happy path only: it knows no client tokens and no dashboards, every run succeeds at once, a run can be cancelled
when it is over, and its times are mere days.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers.base import HOST, TOOLS, ServerMissing
from tests.servers.dynamodb import DynamoServer


class MotoServer(DynamoServer):
    """Moto: other services of AWS beside DynamoDB."""

    name = "moto"

    def __init__(self) -> None:
        self._binary = TOOLS / "bin/moto_server"
        if not self._binary.is_file():
            raise ServerMissing(f"no moto_server in {TOOLS.name}: run `make servers`")
        super().__init__()

    def _argv(self) -> Sequence[str]:
        return [str(TOOLS / "bin/python"), str(self._binary), "-H", HOST, "-p", str(self.port)]

    def _answers(self) -> bool:
        return self._request("GET", "/moto-api/data.json") == 200

    def reset(self) -> None:
        """Forget everything. Not while another test uses the same server."""
        self._request("POST", "/moto-api/reset")
