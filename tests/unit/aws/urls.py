"""Events as a function's URL makes them, and a call that lasts as long as a test says."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

ANNA = "arn:aws:sts::123456789012:assumed-role/data-team/anna"


class Call:
    """What Lambda says of a call."""

    aws_request_id = "b1d0f0c4-5a5b-4d3c-8f58-0a1d3f6a7c11"

    def __init__(self, left: float = 30.0) -> None:
        self._left = left

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left * 1000)


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def document(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def an_event(
    method: str,
    target: str,
    body: object = None,
    *,
    arn: str | None = ANNA,
    headers: Mapping[str, str] = {},
    binary: bool = False,
) -> dict[str, Any]:
    """Return what Lambda hands to a function whose URL was asked; `body` is sent as it is, or as JSON."""
    path, _, query = target.partition("?")
    raw = body if isinstance(body, str | bytes) else "" if body is None else json.dumps(body)
    sent: dict[str, Any] = {}
    if raw:
        data = raw if isinstance(raw, bytes) else raw.encode()
        sent = {"body": b64encode(data).decode() if binary else data.decode(), "isBase64Encoded": binary}
    iam = {"accessKey": "ASIASECRET", "accountId": "123456789012", "callerId": "AROAX:anna", "userArn": arn}
    host = "abcdefghijklmnop.lambda-url.eu-central-1.on.aws"
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": host, "x-forwarded-proto": "https", "content-type": "application/json", **headers},
        "requestContext": {
            "accountId": "123456789012",
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "domainName": host,
            **({} if arn is None else {"authorizer": {"iam": iam}}),
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
        },
        "isBase64Encoded": False,
        **sent,
    }
