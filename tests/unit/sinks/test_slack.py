from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import msgspec
import pytest
from tests.unit.clients.rawserver import RawServer, reply
from tests.unit.sinks.stubs import SlackStub

from interlock.clients.http import HttpClient
from interlock.codec.documents import document
from interlock.core.alerts import AlertLevel, NoticeKind
from interlock.errors import MissingExtra, SinkError
from interlock.ports.sinks import Threads
from interlock.sinks.context import SinkContext
from interlock.sinks.slack import SlackConfig, SlackSink
from interlock.testing.builders import a_slot
from interlock.testing.conformance.sinks import SLOT, a_notice, a_resolved_notice, an_alert

pytestmark = pytest.mark.enable_socket
SOON = timedelta(seconds=10)


class Kept:
    """Threads in memory; with `trouble`, threads that cannot be had."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.kept: dict[str, str] = {}
        self.trouble = trouble

    def get(self, key: str) -> str | None:
        if self.trouble:
            raise self.trouble
        return self.kept.get(key)

    def put(self, key: str, thread: str) -> None:
        if self.trouble:
            raise self.trouble
        self.kept[key] = thread


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(allow=["127.0.0.1"])
    yield made
    made.close()


@pytest.fixture
def slack() -> Iterator[SlackStub]:
    with SlackStub() as stub:
        yield stub


def sink(client: HttpClient | None, threads: Threads | None, **keys: Any) -> SlackSink:
    context = SinkContext(stream=io.StringIO(), root=Path("/"), http=client, threads=threads)
    return SlackSink(msgspec.convert(keys, SlackConfig), context)


def bot(client: HttpClient, slack: SlackStub, threads: Threads | None = None, **keys: Any) -> SlackSink:
    given = {"token": slack.token, "channel": slack.channel, "apiUrl": f"{slack.url}/api/"}
    return sink(client, threads, **(given | keys))


def test_all_of_one_slot_is_in_one_thread(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack, Kept())
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_notice("a-2", "and again"), timeout=SOON)
    made.deliver(a_resolved_notice(), timeout=SOON)
    first, *rest = slack.taken
    assert "thread_ts" not in first
    assert [one["thread_ts"] for one in rest] == [first["ts"]] * 2


def test_another_slot_has_another_thread(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack, Kept())
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_notice(alert=an_alert(slot=a_slot("2026-03-08"))), timeout=SOON)
    assert ["thread_ts" in one for one in slack.taken] == [False, False]


def test_a_fact_without_a_slot_has_a_thread_of_its_own(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack, Kept())
    for alert_id in ("watchdog", "watcher", "watchdog"):
        made.deliver(a_notice(alert=an_alert(alert_id, slot=None)), timeout=SOON)
    assert [one.get("thread_ts") for one in slack.taken] == [None, None, slack.taken[0]["ts"]]


def test_the_thread_survives_a_restart_and_is_shared(client: HttpClient, slack: SlackStub) -> None:
    threads = Kept()
    bot(client, slack, threads).deliver(a_notice(), timeout=SOON)
    bot(client, slack, threads).deliver(a_resolved_notice(), timeout=SOON)
    assert slack.taken[1]["thread_ts"] == slack.taken[0]["ts"]


def test_two_first_notices_at_once_open_one_thread(client: HttpClient, slack: SlackStub) -> None:
    """LAT-38."""
    made, together = bot(client, slack, Kept()), Barrier(8)

    def deliver(number: int) -> None:
        together.wait(10)
        made.deliver(a_notice(f"a-{number}"), timeout=SOON)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, range(8)))
    assert len(slack.taken) == 8
    assert len([one for one in slack.taken if "thread_ts" not in one]) == 1


def test_threads_that_cannot_be_read_or_kept_cost_no_alert(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack, Kept(OSError("the disk is gone")))
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_resolved_notice(), timeout=SOON)
    assert ["thread_ts" in one for one in slack.taken] == [False, False]


def test_without_a_place_for_threads_each_message_stands_alone(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack)
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_resolved_notice(), timeout=SOON)
    assert ["thread_ts" in one for one in slack.taken] == [False, False]


def test_another_refusal_in_a_thread_is_not_taken_for_a_lost_thread(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack, Kept())
    made.deliver(a_notice(), timeout=SOON)
    slack.next_errors = ["is_archived"]
    with pytest.raises(SinkError, match="is_archived"):
        made.deliver(a_resolved_notice(), timeout=SOON)
    assert len(slack.taken) == 1


def test_a_message_without_a_name_begins_no_thread(client: HttpClient) -> None:
    threads = Kept()
    with RawServer(reply("200 OK", b'{"ok": true, "ts": "../x"}')) as server:
        made = sink(client, threads, token="xoxb-1", channel="C1", apiUrl=server.url)
        made.deliver(a_notice(), timeout=SOON)
    assert threads.kept == {}


def test_while_a_first_message_hangs_another_one_of_the_slot_ends_in_time(client: HttpClient) -> None:
    begun = Event()

    def hang(peer: socket.socket, request: bytes) -> None:
        begun.set()
        server.stopping.wait(10)

    with RawServer(hang) as server, ThreadPoolExecutor(1) as pool:
        made = sink(client, Kept(), token="xoxb-1", channel="C1", apiUrl=server.url)
        first = pool.submit(made.deliver, a_notice(), timeout=SOON)
        assert begun.wait(10)
        with pytest.raises(SinkError, match="still under way") as caught:
            made.deliver(a_notice("a-2"), timeout=timedelta(seconds=0.05))
        server.stopping.set()
        assert isinstance(first.exception(10), SinkError)
    assert caught.value.retryable


def test_a_thread_that_turns_out_to_be_gone_too_late_is_not_begun_anew(client: HttpClient) -> None:
    def slowly(peer: socket.socket, request: bytes) -> None:
        server.stopping.wait(0.2)
        reply("200 OK", b'{"ok": false, "error": "thread_not_found"}')(peer, request)

    threads = Kept()
    with RawServer(slowly) as server:
        made = sink(client, threads, token="xoxb-1", channel="C1", apiUrl=server.url)
        threads.kept = {f"slack/C1/{SLOT}": "1.1"}
        with pytest.raises(SinkError, match="in time") as caught:
            made.deliver(a_notice(), timeout=timedelta(seconds=0.3))
    assert caught.value.retryable


@pytest.mark.parametrize("kept", ["1699999999.000001", "not a thread", ""])
def test_a_thread_that_is_gone_is_begun_anew(client: HttpClient, slack: SlackStub, kept: str) -> None:
    threads = Kept()
    made = bot(client, slack, threads)
    made.deliver(a_notice(), timeout=SOON)
    (key,) = threads.kept
    threads.kept[key] = kept
    made.deliver(a_resolved_notice(), timeout=SOON)
    assert "thread_ts" not in slack.taken[1]
    assert threads.kept[key] == slack.taken[1]["ts"]


def test_a_new_error_in_a_thread_is_shown_in_the_channel_too(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack, Kept())
    made.deliver(a_notice(alert=an_alert(level=AlertLevel.WARNING)), timeout=SOON)
    made.deliver(a_notice("a-2"), timeout=SOON)
    made.deliver(a_notice("a-2", kind=NoticeKind.REMINDED, number=2), timeout=SOON)
    made.deliver(a_notice(alert=an_alert("a-3", level=AlertLevel.WARNING)), timeout=SOON)
    assert [one.get("reply_broadcast", False) for one in slack.taken] == [False, True, False, False]


def test_showing_it_in_the_channel_can_be_switched_off(client: HttpClient, slack: SlackStub) -> None:
    made = bot(client, slack, Kept(), broadcast=False)
    made.deliver(a_notice(), timeout=SOON)
    made.deliver(a_notice("a-2"), timeout=SOON)
    assert "reply_broadcast" not in slack.taken[1]


def test_a_message_can_call_nobody_and_open_no_link(client: HttpClient, slack: SlackStub) -> None:
    bot(client, slack).deliver(a_notice(message="<!channel> <https://evil|bank> & co"), timeout=SOON)
    (said,) = slack.taken
    assert "&lt;!channel&gt; &lt;https://evil|bank&gt; &amp; co" in said["text"]
    assert (said["unfurl_links"], said["unfurl_media"]) == (False, False)


def test_a_message_is_never_longer_than_slack_takes_and_no_entity_is_cut(client: HttpClient, slack: SlackStub) -> None:
    followers = tuple(an_alert(f"f-{number}", "&" * 400) for number in range(30))
    bot(client, slack).deliver(a_notice(message="<" * 5000, folded=followers), timeout=SOON)
    assert 3900 < len(slack.taken[0]["text"]) <= 4000
    assert slack.read()[0].endswith("…")


def test_an_incoming_webhook_gets_the_same_words(client: HttpClient, slack: SlackStub) -> None:
    sink(client, Kept(), url=f"{slack.url}{slack.hook}").deliver(a_notice(), timeout=SOON)
    assert "the job failed" in slack.taken[0]["text"]


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        ("ratelimited", True),
        ("rate_limited", True),
        ("internal_error", True),
        ("fatal_error", True),
        ("service_unavailable", True),
        ("team_added_to_org", True),
        ("something_new", True),
        ("", True),
        ("invalid_auth", False),
        ("not_authed", False),
        ("token_revoked", False),
        ("token_expired", False),
        ("account_inactive", False),
        ("missing_scope", False),
        ("channel_not_found", False),
        ("not_in_channel", False),
        ("is_archived", False),
        ("msg_too_long", False),
        ("restricted_action_read_only_channel", False),
    ],
)
def test_what_slack_declines_is_an_error_although_the_status_is_200(
    client: HttpClient, slack: SlackStub, error: str, retryable: bool
) -> None:
    """BUG-179."""
    slack.next_errors = [error or " "]
    with pytest.raises(SinkError, match=f"declined the message: {error}") as caught:
        bot(client, slack, Kept()).deliver(a_notice(), timeout=SOON)
    assert caught.value.retryable is retryable


@pytest.mark.parametrize("body", [b'{"ok": 1}', b"[]", b"ok", b'{"ok": ' + b"[" * 5000, b"", b'{"ts": "1.1"}'])
def test_an_answer_that_is_not_slacks_is_no_success(client: HttpClient, body: bytes) -> None:
    with RawServer(reply("200 OK", body)) as server, pytest.raises(SinkError, match="may be lost") as caught:
        sink(client, None, token="xoxb-1", channel="C1", apiUrl=server.url).deliver(a_notice(), timeout=SOON)
    assert caught.value.retryable


def test_how_long_slack_asks_for_peace_is_handed_on(client: HttpClient) -> None:
    answer = reply("429 Slow", b'{"ok": false, "error": "ratelimited"}', "Retry-After: 30")
    with RawServer(answer) as server, pytest.raises(SinkError, match="30 s") as caught:
        sink(client, None, token="xoxb-1", channel="C1", apiUrl=server.url).deliver(a_notice(), timeout=SOON)
    assert caught.value.retryable
    assert caught.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("status", ["400 Bad", "500 Oops", "200 OK"])
def test_no_token_comes_back_in_an_error(client: HttpClient, status: str) -> None:
    token = "xoxb-12-34-secret"
    echo = reply(status, b'{"ok": false, "error": "bad xoxb-12-34-secret \\u001b[2J"}')
    with RawServer(echo) as server, pytest.raises(SinkError) as caught:
        sink(client, None, token=token, channel="C1", apiUrl=server.url).deliver(a_notice(), timeout=SOON)
    assert "secret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_no_part_of_a_webhooks_address_comes_back_in_an_error(client: HttpClient) -> None:
    echo = reply("404 Not Found", b"no_service: /services/T0001/B0001/hook-secret-token")
    with RawServer(echo) as server, pytest.raises(SinkError) as caught:
        sink(client, None, url=f"{server.url}{SlackStub.hook}").deliver(a_notice(), timeout=SOON)
    assert "secret" not in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"token": ""},
        {"channel": "C1"},
        {"token": "xoxb-1"},
        {"token": "xoxb-1", "channel": "C1", "url": "https://hooks.slack.com/x"},
        {"url": "https://hooks.slack.com/x", "channel": "C1"},
        {"url": "https://hooks.slack.com/x", "timeout": 0},
        {"url": "https://hooks.slack.com/x", "colour": "red"},
    ],
)
def test_what_could_never_be_delivered_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(keys, SlackConfig)


def test_without_a_client_the_message_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"interlock\[http\]"):
        sink(None, None, url="https://hooks.slack.com/x")


def test_the_jobs_own_page_can_be_opened_from_the_message(client: HttpClient, slack: SlackStub) -> None:
    """Slack makes a link of an address; `&` is written as its markup wants it."""
    alert = an_alert(details=document({"jobUrl": "https://jobs.example/17?a=1&b=2"}))
    bot(client, slack).deliver(a_notice(alert=alert), timeout=SOON)
    assert "\njob: https://jobs.example/17?a=1&amp;b=2\n" in slack.taken[0]["text"]
