"""The `server` block of a project file."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.config.load import load_project
from interlock.config.project import ServerSpec, TlsSpec
from interlock.errors import ConfigError

HASH = "sha256:" + "0a" * 32


def server_of(root: Path, text: str) -> ServerSpec:
    (root / "interlock.yaml").write_text(f"server: {text}\n")
    return load_project(root).settings.server


def test_as_it_comes_the_server_listens_on_loopback_and_has_no_keys(tmp_path: Path) -> None:
    """T-71."""
    spec = server_of(tmp_path, "{}")
    assert spec == ServerSpec()
    assert spec.addr == "127.0.0.1:3000"
    assert not spec.allow_public


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        (":8080", "127.0.0.1", 8080),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:3000", "::1", 3000),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
        ("interlock.example.com:443", "interlock.example.com", 443),
    ],
)
def test_an_address_is_a_host_and_a_port(tmp_path: Path, written: str, host: str, port: int) -> None:
    """T-71."""
    spec = server_of(tmp_path, f"{{addr: '{written}'}}")
    assert (spec.host, spec.port) == (host, port)


@pytest.mark.parametrize(
    "written",
    ["3000", "localhost", "::1:3000", "[::1:3000", "a b:1", "h:65536", "h:-1", "h:x", "http://h:1", "[h]:1", "u@h:1"],
)
def test_what_is_no_address_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError, match="is not an address"):
        server_of(tmp_path, f"{{addr: '{written}'}}")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{apiKey: short}", "fewer than 8"),
        ("{apiKey: 'a${env:X}'}", "reference to a variable"),
        ("{apiKey: '${X}'}", "reference to a variable"),
        (f"{{keys: [{{name: a, hash: '{HASH}', roles: []}}]}}", "has no roles"),
        (f"{{keys: [{{name: a, hash: '{HASH}'}}, {{name: a, hash: '{HASH}'}}]}}", "two keys named 'a'"),
        (f"{{keys: [{{name: a/b, hash: '{HASH}'}}]}}", "no name of a key"),
        (f"{{keys: [{{name: apiKey, hash: '{HASH}'}}]}}", "no name of a key"),
        (f"{{keys: [{{name: a, hash: '{HASH.upper()}'}}]}}", "expected sha256:"),
        (f"{{keys: [{{name: a, hash: '{HASH}', pipelines: [A B]}}]}}", "can match no pipeline's name"),
        (f"{{keys: [{{name: a, hash: '{HASH}', roles: [root]}}]}}", "admin, operate, push, read"),
        ("{publicUrl: 'ftp://a'}", "publicUrl"),
        ("{publicUrl: 'https://a/b'}", "publicUrl"),
        ("{publicUrl: 'https://u:p@a'}", "publicUrl"),
        ("{publicUrl: 'https://a:99999'}", "publicUrl"),
        ("{trustedProxies: [10.0.0.300]}", "trustedProxies"),
        ("{trustedProxies: ['*']}", "trustedProxies"),
        ("{tls: {certFile: a.pem}}", "keyFile"),
        ("{tls: {certFile: '', keyFile: ''}}", "tls needs the names of two files"),
        ("{rateLimit: {requestsPerSecond: -1}}", "requestsPerSecond"),
        ("{rateLimit: {burst: 0}}", "burst"),
        ("{maxRequestBody: 10}", "maxRequestBody"),
        ("{apikey: x}", "did you mean 'apiKey'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_could_be(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_of(tmp_path, text)
    assert word in str(caught.value)


def test_everything_else_is_taken_as_it_stands_and_files_are_those_of_the_project(tmp_path: Path) -> None:
    text = (
        "{keysFile: secret/keys.yaml, tls: {certFile: c.pem, keyFile: /etc/k.pem, clientCaFile: ca.pem}, allowPublic: true, "
        "publicUrl: 'https://interlock.example.com/', trustedProxies: [10.0.0.1, 10.1.0.0/16], "
        "rateLimit: {requestsPerSecond: 0, burst: 5}, maxRequestBody: 2048, "
        f"keys: [{{name: anna@example.com, hash: '{HASH}', roles: [push, push], pipelines: ['orders-*']}}]}}"
    )
    spec = server_of(tmp_path, text)
    assert spec.keys_file == tmp_path / "secret" / "keys.yaml"
    assert spec.tls == TlsSpec(
        cert_file=tmp_path / "c.pem", key_file=Path("/etc/k.pem"), client_ca_file=tmp_path / "ca.pem"
    )
    assert spec.public_url == "https://interlock.example.com"
    assert spec.trusted_proxies == ("10.0.0.1/32", "10.1.0.0/16")
    assert (spec.rate, spec.burst, spec.max_request_body, spec.allow_public) == (0, 5, 2048, True)
    assert [(key.name, key.roles, key.pipelines) for key in spec.keys] == [
        ("anna@example.com", ("push",), ("orders-*",))
    ]
    assert spec.keys[0].digest == "0a" * 32
