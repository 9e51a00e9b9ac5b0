"""DynamoDB twice: MiniStack, which follows today's service, and Amazon's own DynamoDB Local of 2020."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Final

from tests.servers.base import HOST, TOOLS, Server, ServerMissing
from tests.servers.local_dynamo import LIBRARIES, fetched, java, loopback_only

REGION: Final = "eu-central-1"
_numbers: Final = count(1)


class DynamoServer(Server):
    """Something that speaks DynamoDB over HTTP. Any credentials will do; it is in memory, so a kill loses everything."""

    region = REGION

    @property
    def url(self) -> str:
        """What to give a client as `endpoint_url`."""
        return f"http://{self.address}"

    @property
    def client_options(self) -> dict[str, str]:
        """What `boto3.client("dynamodb", **server.client_options)` takes."""
        return {
            "endpoint_url": self.url,
            "region_name": REGION,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }

    def fresh_table(self) -> str:
        """Return the name of a table nobody else has; the table is yours to create."""
        return f"test-{os.getpid()}-{next(_numbers)}"

    def _request(self, verb: str, path: str) -> int:
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request(verb, path)
            answer = connection.getresponse()
            answer.read()
        except HTTPException as exc:
            raise ConnectionError(str(exc)) from exc
        else:
            return answer.status
        finally:
            connection.close()


class MiniStackServer(DynamoServer):
    """MiniStack: DynamoDB with transactions of 100, streams without time-to-live records, and other services of AWS."""

    name = "ministack"

    def __init__(self, *, port: int | None = None, root: Path | None = None) -> None:
        self._binary = TOOLS / "bin/ministack"
        if not self._binary.is_file():
            raise ServerMissing(f"no ministack in {TOOLS.name}: run `make servers`")
        super().__init__(port=port, root=root)

    def _argv(self) -> Sequence[str]:
        return [str(TOOLS / "bin/python"), str(self._binary)]

    def _environment(self) -> Mapping[str, str]:
        here = str(self.root)
        return {
            **super()._environment(),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_ACCOUNT_ID": "123456789012",
            "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "TMPDIR": here,
            "STATE_DIR": here,
            "S3_DATA_DIR": f"{here}/s3",
        }

    def _answers(self) -> bool:
        return self._request("GET", "/_ministack/ready") == 200

    def reset(self) -> None:
        """Forget every table (some milliseconds). Not while another test uses the same server."""
        self._request("POST", "/_ministack/reset")


class DynamoDBLocalServer(DynamoServer):
    """Amazon's DynamoDB Local: at most 10 items in a transaction, no old item on a failed condition, no backups."""

    name = "dynamodb-local"

    def __init__(self, *, port: int | None = None, root: Path | None = None) -> None:
        self._java = java()
        self._jar = fetched()
        super().__init__(port=port, root=root)

    def _argv(self) -> Sequence[str]:
        return [
            self._java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
            f"-Djava.library.path={self._jar.parent / LIBRARIES}", f"-Djava.io.tmpdir={self.root}",
            "-jar", str(self._jar), "-inMemory", "-sharedDb", "-port", str(self.port),
        ]  # fmt: skip

    def _environment(self) -> Mapping[str, str]:
        return {**super()._environment(), **loopback_only()}

    def _answers(self) -> bool:
        # It knows no such page; that it says so is enough.
        return self._request("GET", "/") < 500
