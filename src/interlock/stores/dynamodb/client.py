"""The connection to DynamoDB: credentials, region and limits of time, all of them botocore's but for its patience."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.session import Session

from interlock.errors import StoreError
from interlock.stores.dynamodb.options import DynamoOptions

_CONNECTIONS: Final = 64
_LOCAL_REGION: Final = "us-east-1"
_LOCAL_KEY: Final = "local"


def is_loopback(endpoint: str) -> bool:
    """Say whether an endpoint is on this machine: an emulator, to which no credentials mean anything."""
    host, _ = _host_and_port(endpoint)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def make_client(options: DynamoOptions) -> Any:
    """Return botocore's client for DynamoDB. Nothing is sent yet.

    An endpoint on this machine needs no credentials and no region; AWS itself never gets made-up ones.

    Raises:
        BotoCoreError: the profile, the region or the credentials cannot be found.
        ValueError: the endpoint is no URL.
        StoreError: it holds a password.
    """
    if "@" in options.endpoint:
        raise StoreError(
            f"cannot open {address_of(options)}: dynamodb.endpoint holds a user or password, and DynamoDB knows none. Write "
            "the address alone; credentials come from the AWS environment"
        )
    local = is_loopback(options.endpoint)
    session = Session(profile=options.profile or None)
    seconds = options.timeout.total_seconds() / 2  # so that a lost answer leaves time to ask again
    given: dict[str, Any] = {}
    if local and not options.profile and not os.environ.get("AWS_ACCESS_KEY_ID"):
        given = {"aws_access_key_id": _LOCAL_KEY, "aws_secret_access_key": _LOCAL_KEY}
    return session.create_client(
        "dynamodb",
        region_name=_region(session, options.region) or (_LOCAL_REGION if local else None),
        endpoint_url=options.endpoint or None,
        config=Config(
            connect_timeout=seconds,
            read_timeout=seconds,
            # Tries of its own would repeat a write of unknown outcome, and take its own success for somebody else's.
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=_CONNECTIONS,
            parameter_validation=False,
            proxies={} if local else None,
            user_agent_extra="interlock",
        ),
        **given,
    )


def _region(session: Any, named: str) -> str | None:
    # botocore knows AWS_DEFAULT_REGION alone; everything else of AWS sets and reads AWS_REGION.
    return named or session.get_config_variable("region") or os.environ.get("AWS_REGION") or None


def address_of(options: DynamoOptions, region: str = "") -> str:
    """Return how messages name the table: never with what stands before an `@` in the endpoint."""
    where = region or options.region
    if options.endpoint:
        host, port = _host_and_port(options.endpoint)
        where = f"{host}:{port}" if port else host
    return f"the DynamoDB table {options.table_name!r}" + (f" ({where})" if where else "")


def _host_and_port(endpoint: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "?", None
    return host or "?", port
