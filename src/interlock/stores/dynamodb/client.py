"""The connection to DynamoDB: credentials, region and limits of time, all of them botocore's but for its patience."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.session import Session

from interlock.clients.aws import LOCAL_REGION, is_loopback, local_credentials, region_of
from interlock.clients.aws_answers import look_at_answers
from interlock.errors import StoreError
from interlock.stores.dynamodb.options import DynamoOptions

_CONNECTIONS: Final = 64


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
    client = session.create_client(
        "dynamodb",
        region_name=region_of(session, options.region) or (LOCAL_REGION if local else None),
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
        **local_credentials(options.endpoint, options.profile),
    )
    look_at_answers(client)
    return client


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
