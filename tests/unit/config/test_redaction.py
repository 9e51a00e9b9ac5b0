"""What people are shown holds no secrets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.config.projects import problems_of, small_project, write_pipeline

from interlock.clients.redaction import MASK, redacted, sounds_secret

SECRET = "hunter2-hunter2"
KEYS = [
    "password", "dbPassword", "api_key", "apiKey", "X-API-Key", "token", "accessToken", "client-secret", "Authorization",
    "credentials", "privateKey", "dsn", "auth", "webhookUrl", "sig", "passphrase", "connectionString", "cookie",
]  # fmt: skip
HARMLESS = [
    "key",
    "field",
    "author",
    "mapping",
    "ping",
    "spin",
    "url",
    "rows",
    "monkey",
    "design",
    "signal",
    "tokenizer",
]


@pytest.mark.parametrize("key", KEYS)
def test_what_stands_under_a_key_that_sounds_secret_is_blotted_out(key: str) -> None:
    """T-76."""
    assert sounds_secret(key)
    assert redacted({key: SECRET, "rows": 3}) == {key: MASK, "rows": 3}


@pytest.mark.parametrize("key", HARMLESS)
def test_what_stands_under_another_key_is_shown(key: str) -> None:
    assert redacted({key: "orders"}) == {key: "orders"}


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (f"https://user:{SECRET}@host/path", f"https://{MASK}@host/path"),
        (f"postgresql://u:{SECRET}@@host/db", f"postgresql://{MASK}@host/db"),
        (f"https://host/path?token={SECRET}&day=1", f"https://host/path?token={MASK}&day=1"),
        (f"https://host/path?key={SECRET}", f"https://host/path?key={MASK}"),
        (f'{{"password": "{SECRET}", "rows": 3}}', f'{{"password": "{MASK}", "rows": 3}}'),
        (f"host=db password='{SECRET}' port=1", f"host=db password='{MASK}' port=1"),
        (f"run --api-token {SECRET} --rows 3", f"run --api-token {MASK} --rows 3"),
        (f"Authorization: Bearer {SECRET}", f"Authorization: {MASK}"),
        ("https://host/path?day={{date}}", "https://host/path?day={{date}}"),
        ("select * from tokens where rows > 3", "select * from tokens where rows > 3"),
    ],
)
def test_secrets_within_a_text_are_blotted_out(shown: str, expected: str) -> None:
    """T-76."""
    assert redacted(shown) == expected


def test_references_to_the_environment_stay_and_what_stands_around_them_goes() -> None:
    """T-76: a reference is no secret, and whoever reads the configuration needs it."""
    given = {"token": "${env:A}", "password": f"{SECRET}${{env:B}}", "headers": {"Authorization": "Bearer ${env:C}"}}
    assert redacted(given) == {
        "token": "${env:A}",
        "password": f"{MASK}${{env:B}}",
        "headers": {"Authorization": "Bearer ${env:C}"},
    }
    assert redacted("https://u:${env:PW}@host/") == f"https://{MASK}${{env:PW}}@host/"


def test_headers_are_blotted_out_but_for_the_harmless_ones() -> None:
    """T-76: nobody knows which header of somebody's service is a key."""
    headers = {"X-Tenant": SECRET, "Content-Type": "application/json", "Accept": "*/*"}
    assert redacted({"headers": headers}) == {
        "headers": {"X-Tenant": MASK, "Content-Type": "application/json", "Accept": "*/*"}
    }


def test_a_flag_and_its_value_in_a_list_belong_together() -> None:
    given = ["run", "--password", SECRET, "--verbose", "--token", "--rows", "3"]
    assert redacted(given) == ["run", "--password", MASK, "--verbose", "--token", "--rows", "3"]


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 3, 2.5, "x", f"a {SECRET}", SECRET]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "headers"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(KEYS), VALUES)
def test_however_deep_it_lies_under_a_secret_key_it_is_not_shown(key: str, value: Any) -> None:
    """T-76."""
    shown = redacted({"config": [{key: value}]})
    assert SECRET not in str(shown)
    assert "3" not in str(shown)


@given(VALUES)
def test_what_is_shown_has_the_shape_of_what_there_is(value: Any) -> None:
    def shape(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: shape(item) for key, item in found.items()}
        return [shape(item) for item in found] if isinstance(found, list) else None

    assert shape(redacted(value)) == shape(value)


@pytest.mark.parametrize(
    "text",
    ["a" * 250_000, "a." * 120_000, "--" * 120_000, "token" * 50_000, 'token="' * 30_000, "://@" * 60_000,
     "://" + "@" * 200_000, "pass " * 50_000, "token" + " " * 200_000, "${env:" * 40_000],
)  # fmt: skip
def test_no_text_takes_long_to_go_through(text: str) -> None:
    begins = time.process_time()
    redacted({"password": text, "x": text})
    assert time.process_time() - begins < 20, "the time grows faster than the text"


@pytest.mark.parametrize(
    ("more", "secret"),
    [
        ("trigger: {type: http, url: 'http://h/', headers: 'Authorization: Bearer hunter2'}", "hunter2"),
        ("trigger: {type: http, url: 'http://h/', headers: {X-Custom: 12345678}}", "12345678"),
        ("trigger: {type: http, url: ['http://h/?token=hunter2']}", "hunter2"),
        ("trigger: {type: http, url: 'http://h/', method: 'http://anna:hunter2@h'}", "hunter2"),
        ("trigger: {type: http, url: 'http://h/', password: hunter2}", "hunter2"),
        ("owner: ['token=hunter2']", "hunter2"),
    ],
)
def test_what_is_wrong_with_a_file_does_not_tell_its_secrets(tmp_path: Path, more: str, secret: str) -> None:
    """T-76: problems are logged, told to people, and shown to whoever may read."""
    root = small_project(tmp_path)
    write_pipeline(root, "orders", f"{more}\n")
    problems = problems_of(root)
    assert secret not in "\n".join(map(str, problems))


@pytest.mark.parametrize(
    "address", ["http://anna:hunter2@[bad/?token=swordfish", "https://anna:hunter2@ h/?token=swordfish"]
)
def test_an_address_that_is_none_is_told_without_its_password(tmp_path: Path, address: str) -> None:
    """T-76."""
    root = small_project(tmp_path)
    path = root / "pipelines" / "orders.yaml"
    path.write_text(
        f"name: orders\narchetype: batch-ingestion\ntraits: {{source-freshness: {{evaluator: '{address}'}}}}\n"
    )
    said = "\n".join(map(str, problems_of(root)))
    assert "is not an address" in said
    assert "hunter2" not in said
    assert "swordfish" not in said


@pytest.mark.parametrize(
    "text", ["${secret:hook}", "Bearer ${ secret:hook }", "password=${secret:a.b-c}", "url?token=${secret:t}"]
)
def test_the_name_of_a_secret_is_none(text: str) -> None:
    assert redacted(text) == text
    assert redacted({"password": "${secret:hook}"}) == {"password": "${secret:hook}"}
