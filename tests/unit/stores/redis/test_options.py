"""The settings of the Redis store: what they mean, what contradicts itself, and what is never shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.errors import StoreError
from interlock.stores.redis.options import RedisOptions, access_of


def test_neither_password_is_ever_shown() -> None:
    """Options end up in logs and in the messages of failed assertions."""
    options = RedisOptions(url="rediss://user:hush@10.0.0.1:7000/2", password="quiet")
    assert repr(options) == str(options)
    assert "rediss://***@10.0.0.1:7000/2" in repr(options)
    assert "hush" not in repr(options)
    assert "quiet" not in repr(options)
    assert access_of(options).label == "rediss://10.0.0.1:7000/2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379", ("localhost", 6379, "", None, None, 0, False)),
        ("redis://h", ("h", 6379, "", None, None, 0, False)),
        ("redis://", ("localhost", 6379, "", None, None, 0, False)),
        ("rediss://u:p%40%2F@h:1/7", ("h", 1, "", "u", "p@/", 7, True)),
        ("redis://:pw@[::1]:6380", ("::1", 6380, "", None, "pw", 0, False)),
        ("redis://h?db=3", ("h", 6379, "", None, None, 3, False)),
        ("unix:///run/redis/it%20is.sock?db=2", ("", 0, "/run/redis/it is.sock", None, None, 2, False)),
        ("unix://u:p@/run/r.sock", ("", 0, "/run/r.sock", "u", "p", 0, False)),
    ],
)
def test_a_url_says_where_and_who(url: str, expected: tuple[object, ...]) -> None:
    """Escaped characters are meant as they are."""
    access = access_of(RedisOptions(url=url))
    assert (*access.address, access.username, access.password, access.db, access.tls) == expected


def test_what_is_given_beside_the_url_goes_before_what_is_in_it() -> None:
    """So that secrets can come from elsewhere; also a database 0."""
    access = access_of(RedisOptions(url="redis://a:b@h/5", username="u", password="p", db=0))
    assert (access.username, access.password, access.db) == ("u", "p", 0)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"url": "http://h"}, "begins with http://, not with redis://, rediss://, unix://"),
        ({"url": "localhost:6379"}, "not with redis://"),
        ({"url": "redis://:pa/ss@h"}, "no number for a port"),
        ({"url": "redis://:hush#@h"}, "%23"),
        ({"url": "redis://h:99999"}, "no number for a port"),
        ({"url": "redis://h/one"}, "no number of a database"),
        ({"url": "redis://h?timeout=3"}, "asks for timeout"),
        ({"url": "unix://"}, "names no socket"),
        ({"url": "unix:///s", "cluster": True}, "not reached through a socket"),
        ({"url": "redis://h/1", "cluster": True}, "a cluster has database 0 only"),
        ({"key_prefix": "a{}b", "cluster": True}, "tear its keys apart"),
        ({"key_prefix": "\ud800"}, "half a character"),
        ({"db": -1}, "below 0"),
        ({"wait_replicas": -1}, "below 0"),
        ({"timeout": timedelta()}, "more than nothing"),
        ({"username": "u"}, "a user name and no password"),
        ({"ca_file": "ca.crt"}, "without TLS: write rediss://"),
        ({"url": "rediss://h", "ca_file": "/nowhere/ca.crt"}, "there is no file /nowhere/ca.crt"),
        ({"url": "rediss://h", "key_file": "k"}, "a key without its certificate"),
    ],
)
def test_settings_that_cannot_be_meant_are_told_without_what_is_secret(more: dict[str, Any], words: str) -> None:
    """The URL is not quoted: what is wrong with it may be the password."""
    with pytest.raises(StoreError, match="the settings of the Redis store cannot be used") as told:
        access_of(RedisOptions(**more))
    assert words in str(told.value)
    assert "hush" not in str(told.value)


def test_files_for_tls_are_handed_on(tmp_path: Path) -> None:
    """Those that are not given are not."""
    ca_file = tmp_path / "ca.crt"
    ca_file.touch()
    access = access_of(RedisOptions(url="rediss://h", ca_file=str(ca_file)))
    arguments = access.arguments(access.address)
    assert arguments["ssl_ca_certs"] == str(ca_file)
    assert arguments["ssl_certfile"] is None
