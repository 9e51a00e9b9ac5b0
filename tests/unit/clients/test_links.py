from __future__ import annotations

from typing import Any

import pytest

from interlock.clients.links import link, page_of, without_page_secrets
from interlock.codec.documents import document, mapping
from interlock.core.documents import EMPTY
from interlock.core.telling import JOB_URL


@pytest.mark.parametrize(
    "text",
    [
        "https://jobs.example/runs/17",
        "http://127.0.0.1:8080/a?b=1&c=%20d#/runs/17",
        "https://[::1]:8443/x",
        "https://eu.console.example/#/v2/executions/arn:aws:states:eu:1:execution:auth:run-1",
    ],
)
def test_an_address_of_a_page_is_a_link_as_it_is(text: str) -> None:
    assert link(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JAVASCRIPT://x/%0aalert(1)",
        "data:text/html,x",
        "ftp://x/y",
        "//x/y",
        "/runs/17",
        "runs/17",
        "",
        "https://",
        "https:///runs",
        "https://x:99999/",
        "https://x/ y",
        "https://x/\r\nSet-Cookie: a",
        "https://x/\ty",
        "https://x/<script>",
        'https://x/"onclick="y',
        "https://x/|text>",
        "https://x/\u202egpj",
        "https://ex\u0430mple.com/",
        "https://x/" + "a" * 3000,
        None,
        17,
        ["https://x/"],
    ],
)
def test_nothing_else_is_a_link(text: object) -> None:
    """G7: what a target says is shown in chats, mails and pages."""
    assert link(text) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://anna:hunter2@x.example/a", "https://x.example/a"),
        ("https://hunter2@x.example/a", "https://x.example/a"),
        ("https://x.example/a?token=hunter2&b=1", "https://x.example/a?b=1"),
        ("https://x.example/a?b=1&access_token=hunter2", "https://x.example/a?b=1"),
        ("https://x.example/a?X-Amz-Signature=hunter2&X-Amz-Credential=hunter2", "https://x.example/a"),
        ("https://x.example/a?key=hunter2", "https://x.example/a"),
        ("https://x.example/a#access_token=hunter2", "https://x.example/a"),
        ("https://x.example/#/a?b=1&sig=hunter2", "https://x.example/"),
    ],
)
def test_a_link_has_no_secrets_in_it(text: str, shown: str) -> None:
    """T-76."""
    assert link(text) == shown
    assert link(shown) == shown


def test_the_page_of_a_job_is_found_among_what_is_known_of_it() -> None:
    assert page_of(document({"url": "https://x.example/1", "pid": 7})) == "https://x.example/1"
    assert page_of(document({"jobUrl": "https://x.example/1"}), JOB_URL) == "https://x.example/1"
    assert page_of(document({"url": {"href": "https://x.example/1"}})) == ""
    assert page_of(EMPTY) == ""


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("https://u:hunter2@x.example/1", "https://x.example/1"),
        ("ssh://u:hunter2@x.example/1", "ssh://(redacted)@x.example/1"),
        ("run 17", "run 17"),
        ({"token": "hunter2"}, {"token": "(redacted)"}),
        (17, 17),
    ],
)
def test_what_is_kept_of_a_page_has_no_secrets_link_or_not(said: Any, kept: Any) -> None:
    assert mapping(without_page_secrets(document({"url": said, "rows": 9}))) == {"url": kept, "rows": 9}
    assert without_page_secrets(EMPTY) == EMPTY
