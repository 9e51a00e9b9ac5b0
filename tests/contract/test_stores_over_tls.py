"""Stores whose servers want TLS: what is trusted is asked, what is not is told, and nothing is said in the clear."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.contract.redis_opening import opened
from tests.servers.base import ServerMissing, free_port
from tests.servers.certificates import certificate
from tests.servers.fixtures import have, missing
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

from interlock.errors import StoreError
from interlock.stores.kernel import Put
from interlock.stores.postgres.kernel import PostgresKernel
from interlock.stores.postgres.options import PostgresOptions
from interlock.testing.conformance.kernel_values import a_record, keep

pytestmark = pytest.mark.service


class Sealed(NamedTuple):
    """A server that speaks TLS: its address, and the files that it goes by."""

    url: str
    cert: Path
    key: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    try:
        return certificate(tmp_path_factory.mktemp("tls"))
    except ServerMissing as exc:
        missing("openssl", exc)
        raise


@pytest.fixture(scope="module")
def redis(files: tuple[Path, Path]) -> Iterator[Sealed]:
    """A Redis that lets in only who shows a certificate."""
    cert, key = files
    port = free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(cert), "--tls-key-file", str(key)]
    options += ["--tls-ca-cert-file", str(cert), "--tls-auth-clients", "yes"]
    with have("redis", lambda: RedisServer("redis", options=options)):
        yield Sealed(f"rediss://127.0.0.1:{port}/0", cert, key)


@pytest.fixture(scope="module")
def postgres(files: tuple[Path, Path]) -> Iterator[Sealed]:
    """A PostgreSQL with a certificate that the account which it runs as may read."""
    server = have("postgres", lambda: PostgresServer("system", settings={"ssl": "on"}))
    for file, name in zip(files, ("cert.pem", "key.pem"), strict=True):
        copied = server.root / name
        shutil.copy(file, copied)
        copied.chmod(0o600)
        if (account := server._account()) is not None:
            os.chown(copied, account.uid, account.gid)
    server._settings |= {"ssl_cert_file": f"{server.root}/cert.pem", "ssl_key_file": f"{server.root}/key.pem"}
    with server:
        yield Sealed(server.dsn, *files)


def test_redis_is_reached_with_the_certificates_of_the_project(redis: Sealed) -> None:
    cert, key = str(redis.cert), str(redis.key)
    with closing(opened(redis.url, ca_file=cert, cert_file=cert, key_file=key)) as kernel:
        keep(kernel, a_record())
        assert kernel.get("p", "a") == a_record()


def test_a_redis_that_nobody_vouches_for_is_told_in_one_line(redis: Sealed) -> None:
    with pytest.raises(StoreError, match="certificate") as refused:
        opened(redis.url)
    assert "\n" not in str(refused.value)


def test_a_redis_that_does_not_trust_us_is_told_in_one_line(redis: Sealed) -> None:
    with pytest.raises(StoreError, match=r"TLS|certificate") as refused:
        opened(redis.url, ca_file=str(redis.cert))
    assert "\n" not in str(refused.value)


def test_a_redis_that_is_spoken_to_in_the_clear_is_told_in_one_line(redis: Sealed) -> None:
    with pytest.raises(StoreError, match="rediss://") as refused:
        opened(redis.url.replace("rediss", "redis"), timeout=timedelta(seconds=3))
    assert "\n" not in str(refused.value)


def test_postgresql_is_reached_when_its_certificate_is_trusted(postgres: Sealed) -> None:
    dsn = f"{postgres.url}?sslmode=verify-full&sslrootcert={postgres.cert}"
    with closing(PostgresKernel(PostgresOptions(dsn=dsn))) as kernel:
        assert kernel.commit("p", [Put(a_record())])
        assert kernel.get("p", "a") == a_record()


def test_a_postgresql_that_is_not_trusted_is_told_in_one_line(postgres: Sealed, tmp_path: Path) -> None:
    other, _ = certificate(tmp_path)
    with pytest.raises(StoreError, match="certificate") as refused:
        PostgresKernel(PostgresOptions(dsn=f"{postgres.url}?sslmode=verify-full&sslrootcert={other}"))
    assert "\n" not in str(refused.value)
