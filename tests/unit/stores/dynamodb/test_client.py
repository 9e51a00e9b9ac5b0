"""How the client for DynamoDB is made: whose credentials, which region, how much patience."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as aws

from interlock.errors import StoreError
from interlock.stores.dynamodb.client import address_of, make_client
from interlock.stores.dynamodb.kernel import DynamoKernel
from interlock.stores.dynamodb.options import DynamoOptions

LOCAL = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def nothing_of_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, no region, and no asking of the machine for them."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _credentials(client: Any) -> Any:
    return client._request_signer._credentials


def _made(**others: Any) -> Any:
    return make_client(DynamoOptions(table_name="t", **others))


@pytest.mark.parametrize(
    "endpoint", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "http://db.localhost:8000"]
)
def test_an_emulator_on_this_machine_needs_no_credentials_and_no_region(endpoint: str) -> None:
    client = _made(endpoint=endpoint)
    assert _credentials(client).access_key == "local"
    assert client.meta.region_name == "us-east-1"


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://dynamodb.eu-central-1.amazonaws.com",
        "http://db:8000",
        "http://localhost.evil.org",
        "http://127.evil.org",
    ],
)
def test_nobody_else_ever_gets_made_up_credentials(endpoint: str) -> None:
    assert _credentials(_made(endpoint=endpoint, region="eu-central-1")) is None


def test_credentials_of_the_environment_go_first_even_to_an_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert _credentials(_made(endpoint=LOCAL)).access_key == "mine"


def test_a_region_is_taken_from_where_aws_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert _made().meta.region_name == "eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert _made().meta.region_name == "eu-west-2"
    assert _made(region="eu-west-3").meta.region_name == "eu-west-3"


def test_without_any_region_it_is_said_where_to_set_one() -> None:
    with pytest.raises(aws.NoRegionError):
        _made()
    with pytest.raises(
        StoreError, match=r"cannot open the DynamoDB table 't': no region is known. Set dynamodb.region"
    ):
        DynamoKernel(DynamoOptions(table_name="t"))


def test_without_credentials_nothing_is_sent() -> None:
    with pytest.raises(StoreError, match=r"'t' \(eu-central-1\): there are no credentials"):
        DynamoKernel(DynamoOptions(table_name="t", region="eu-central-1"))


def test_a_profile_that_does_not_exist_is_named() -> None:
    with pytest.raises(StoreError, match="no such profile"):
        DynamoKernel(DynamoOptions(table_name="t", region="eu-central-1", profile="prod"))


@pytest.mark.parametrize("endpoint", ["localhost:8000", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_address_is_told(endpoint: str) -> None:
    with pytest.raises(StoreError, match=r"cannot open the DynamoDB table 't'"):
        DynamoKernel(DynamoOptions(table_name="t", region="eu-central-1", endpoint=endpoint))


def test_a_password_in_the_endpoint_is_refused_and_never_shown() -> None:
    options = DynamoOptions(table_name="t", endpoint="http://user:geheim@localhost:8000")
    with pytest.raises(StoreError, match="holds a user or password") as refused:
        DynamoKernel(options)
    assert "geheim" not in str(refused.value)
    assert address_of(options) == "the DynamoDB table 't' (localhost:8000)"


def test_nobody_at_the_address_is_told_at_once() -> None:
    with pytest.raises(StoreError, match=r"'t' \(127.0.0.1:1\): nobody answers there"):
        DynamoKernel(DynamoOptions(table_name="t", endpoint=LOCAL))


def test_the_library_never_repeats_anything_by_itself_and_its_patience_is_ours() -> None:
    """Its own patience is a minute for each of five tries; and a repeated write meets its own row."""
    config = _made(endpoint=LOCAL, timeout=timedelta(seconds=6)).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (3.0, 3.0)
    assert config.max_pool_connections >= 32


def test_an_emulator_is_not_looked_for_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    client = _made(endpoint=LOCAL)
    assert client._endpoint.http_session._proxy_config.proxy_url_for(LOCAL) is None
