from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.fakeaws import FakeAws

from interlock.clients.aws import AwsTrouble
from interlock.core.alerts import Notice, NoticeKind
from interlock.core.documents import Document
from interlock.core.ids import PipelineName, RunId, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.sns import SnsConfig, SnsSink
from interlock.testing.conformance.sinks import a_notice, a_resolved_notice, an_alert, an_event

TOPIC = "arn:aws:sns:eu-central-1:123456789012:data-alerts"
SOON = timedelta(seconds=10)


def config(**keys: Any) -> SnsConfig:
    return msgspec.convert({"topicArn": TOPIC, **keys}, SnsConfig)


def published(notice: Notice, **keys: Any) -> dict[str, Any]:
    """Deliver a notice, and return what SNS was asked."""
    aws = FakeAws(publish={"MessageId": "m-1"})
    SnsSink(config(**keys), SinkContext(stream=io.StringIO(), root=Path("/"), aws=aws)).deliver(notice, timeout=SOON)
    (call,) = aws.asked
    assert call.service == "sns"
    return call.parameters


def failed(exc: AwsTrouble) -> SinkError:
    sink = SnsSink(config(), SinkContext(stream=io.StringIO(), root=Path("/"), aws=FakeAws(publish=exc)))
    with pytest.raises(SinkError) as caught:
        sink.deliver(a_notice(), timeout=SOON)
    return caught.value


def values(asked: dict[str, Any]) -> dict[str, str]:
    return {name: one["StringValue"] for name, one in asked["MessageAttributes"].items()}


class TestMessage:
    def test_programs_get_what_a_webhook_gets(self) -> None:
        asked = published(a_notice())
        said = json.loads(asked["Message"])
        assert (said["alertId"], said["noticeId"], said["pipelineId"]) == ("a-1", "a-1#1", "daily-sales")
        assert asked["TopicArn"] == TOPIC

    def test_people_get_text(self) -> None:
        asked = published(a_notice(), messageFormat="text")
        assert asked["Message"].splitlines()[:3] == ["the job failed", "", "slot: daily-sales:daily:2026-03-07"]

    @pytest.mark.parametrize(
        ("notice", "subject"),
        [
            (a_notice(), "[ERROR] daily-sales: the job failed"),
            (a_notice(kind=NoticeKind.REMINDED, number=2), "[ERROR] daily-sales: REMINDER: the job failed"),
            (a_resolved_notice(), "[RESOLVED] daily-sales: the job failed (the rerun completed)"),
            (a_notice(alert=an_alert(slot=None, run_id=RunId(""))), "[ERROR] interlock: the job failed"),
        ],
    )
    def test_the_subject_says_what_it_is_about(self, notice: Notice, subject: str) -> None:
        assert published(notice)["Subject"] == subject

    @pytest.mark.parametrize(
        "message", ["läuft nicht 😀", "one\ntwo\r\n\x1b[2J\x00", "x" * 5000, "ä" * 5000, "\ud800", ""]
    )
    def test_the_subject_is_one_that_sns_takes(self, message: str) -> None:
        """AWS-47: SNS refuses the whole message for a subject that is long, not ASCII, or of two lines."""
        subject = published(a_notice(message=message))["Subject"]
        assert len(subject) < 100
        assert subject.isascii()
        assert subject.isprintable()
        assert subject.startswith("[ERROR] daily-sales:")

    def test_subscriptions_can_filter_by_attributes(self) -> None:
        asked = published(a_notice(alert=an_alert(owner="sales", tier=1)))
        assert values(asked) == {
            "alertType": "run_failed",
            "level": "error",
            "notice": "opened",
            "pipelineId": "daily-sales",
            "owner": "sales",
            "tier": "1",
        }
        assert {one["DataType"] for one in asked["MessageAttributes"].values()} == {"String"}

    def test_what_is_not_known_is_no_attribute(self) -> None:
        """SNS refuses an attribute without a value."""
        asked = published(a_notice(alert=an_alert(slot=None, run_id=RunId(""))))
        assert set(values(asked)) == {"alertType", "level", "notice"}

    def test_an_odd_owner_costs_no_alert(self) -> None:
        assert values(published(a_notice(alert=an_alert(owner="\n\x00"))))["owner"] == "-"
        assert len(values(published(a_notice(alert=an_alert(owner="ä" * 5000))))["owner"].encode()) <= 256

    def test_a_message_that_is_too_long_is_cut_says_so_and_stays_json(self) -> None:
        """What is cut by its bytes is read by nobody."""
        quotes = '"\\' * 100_000
        alert = an_alert(message="the job failed " + quotes, owner=quotes)
        details = Document(tuple((f"detail-{number}", json.dumps("d" * 5000)) for number in range(100)))
        others = tuple(an_alert(f"f-{number}", quotes) for number in range(200))
        alert = msgspec.structs.replace(alert, details=details)
        asked = published(a_notice(alert=alert, folded=others, grouped=others, resolution=quotes))
        said = json.loads(asked["Message"])
        size = len(asked["Message"].encode()) + sum(map(len, values(asked).values()))
        assert size < 256 * 1024
        assert said["shortened"] is True
        assert said["message"].startswith("the job failed")
        assert said["alertId"] == "a-1"
        assert said["folded"][0]["alertId"] == "f-0"

    def test_a_message_that_is_not_too_long_is_whole(self) -> None:
        said = json.loads(published(a_notice(message="x" * 200_000))["Message"])
        assert len(said["message"]) == 200_000
        assert "shortened" not in said


class TestFifo:
    ARN = TOPIC + ".fifo"

    def test_what_is_about_one_slot_stays_in_its_order_and_repeats_are_known(self) -> None:
        opened, again = published(a_notice(), topicArn=self.ARN), published(a_notice(), topicArn=self.ARN)
        over = published(a_resolved_notice(), topicArn=self.ARN)
        assert opened["MessageGroupId"] == over["MessageGroupId"] == "daily-sales:daily:2026-03-07"
        assert opened["MessageDeduplicationId"] == again["MessageDeduplicationId"]
        assert opened["MessageDeduplicationId"] != over["MessageDeduplicationId"]

    def test_other_topics_get_neither(self) -> None:
        assert not {"MessageGroupId", "MessageDeduplicationId"} & set(published(a_notice()))

    def test_long_and_odd_names_give_ids_that_sns_takes_and_that_differ(self) -> None:
        slot = Slot(PipelineName("p" * 255), ScheduleName("s" * 255), Period.parse("2026-03-07"))
        ids = ["a" * 500, "a" * 501, "ä b", "ö b", "a\ud800"]
        asked = [published(a_notice(alert=an_alert(one, slot=slot)), topicArn=self.ARN) for one in ids]
        found = [one["MessageDeduplicationId"] for one in asked]
        assert len(set(found)) == len(ids)
        for text in (*found, asked[0]["MessageGroupId"]):
            assert len(text) <= 128
            assert text.isascii()
            assert text.isprintable()
            assert " " not in text


class TestLifecycle:
    @pytest.mark.parametrize("kind", ["PIPELINE_COMPLETED", "PIPELINE_FAILED"])
    def test_the_end_of_a_run_is_published_with_attributes(self, kind: str) -> None:
        aws = FakeAws(publish={"MessageId": "m-1"})
        context = SinkContext(stream=io.StringIO(), root=Path("/"), aws=aws)
        SnsSink(config(topicArn=TOPIC + ".fifo"), context).publish(an_event(kind), timeout=SOON)
        asked = aws.asked[0].parameters
        said = json.loads(asked["Message"])
        assert (said["eventType"], said["runId"]) == (kind, "daily-sales:daily:2026-03-07:1")
        assert values(asked) == {
            "eventType": kind,
            "status": "COMPLETED",
            "pipelineId": "daily-sales",
            "scheduleId": "daily",
        }
        assert asked["Subject"] == f"{kind}: daily-sales:daily:2026-03-07:1"
        assert asked["MessageDeduplicationId"] == said["eventId"]

    def test_people_get_a_line(self) -> None:
        aws = FakeAws(publish={"MessageId": "m-1"})
        context = SinkContext(stream=io.StringIO(), root=Path("/"), aws=aws)
        SnsSink(config(messageFormat="text"), context).publish(an_event(), timeout=SOON)
        assert aws.asked[0].parameters["Message"] == "PIPELINE_COMPLETED: daily-sales:daily:2026-03-07:1"


class TestTrouble:
    @pytest.mark.parametrize(
        ("code", "category", "retryable"),
        [
            ("NotFound", FailureCategory.PERMANENT, False),
            ("AuthorizationError", FailureCategory.PERMANENT, False),
            ("InvalidParameter", FailureCategory.PERMANENT, False),
            ("Throttling", FailureCategory.TRANSIENT, True),
            ("ExpiredToken", FailureCategory.TRANSIENT, True),
            ("InternalError", FailureCategory.TRANSIENT, True),
            ("", FailureCategory.TIMEOUT, True),
        ],
    )
    def test_whether_another_try_can_help_is_said(self, code: str, category: FailureCategory, retryable: bool) -> None:
        wait = timedelta(seconds=7)
        found = failed(AwsTrouble("no", code=code, done=False, category=category, retry_after=wait))
        assert (found.retryable, found.retry_after) == (retryable, wait)

    def test_whoever_mends_this_machine_does_not_find_the_alert_lost(self) -> None:
        """Without credentials AWS never heard of the alert, let alone refused it."""
        assert failed(AwsTrouble("no credentials", done=False, category=FailureCategory.PERMANENT)).retryable

    @pytest.mark.parametrize(
        ("code", "advice"), [("NotFound", "correct topicArn"), ("AuthorizationError", "sns:Publish")]
    )
    def test_it_is_said_what_to_do(self, code: str, advice: str) -> None:
        words = str(failed(AwsTrouble("no", code=code, done=False, category=FailureCategory.PERMANENT)))
        assert words.startswith("the SNS topic data-alerts: no; ")
        assert advice in words

    def test_an_answer_without_the_id_of_a_message_is_none_of_sns(self) -> None:
        """A page that some gateway answers with 200 does not count as delivered."""
        sink = SnsSink(config(), SinkContext(stream=io.StringIO(), root=Path("/"), aws=FakeAws(publish={})))
        with pytest.raises(SinkError, match="not one of SNS") as caught:
            sink.deliver(a_notice(), timeout=SOON)
        assert caught.value.retryable

    def test_without_the_door_it_is_said_what_to_install(self) -> None:
        with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
            SnsSink(config(), SinkContext(stream=io.StringIO(), root=Path("/")))


class TestConfig:
    @pytest.mark.parametrize(
        "arn",
        [
            "data-alerts",
            "arn:aws:sqs:eu-central-1:123456789012:data-alerts",
            TOPIC + ":4f1a2b3c-0000-4000-8000-000000000000",
            "arn:aws:sns:eu-central-1:1234:data-alerts",
            TOPIC + "\n",
        ],
    )
    def test_what_is_no_topic_is_refused_in_words(self, arn: str) -> None:
        with pytest.raises(msgspec.ValidationError, match="is not the ARN of a topic, expected such as arn:aws:sns:"):
            config(topicArn=arn)

    @pytest.mark.parametrize(
        "arn", ["arn:aws-cn:sns:cn-north-1:123456789012:a", TOPIC + ".fifo", "${env:TOPIC}", "arn:aws:sns:${env:R}:1:a"]
    )
    def test_other_partitions_fifo_topics_and_references_are_taken(self, arn: str) -> None:
        assert config(topicArn=arn).topic_arn == arn

    def test_a_region_that_is_not_the_topics_is_refused(self) -> None:
        with pytest.raises(msgspec.ValidationError, match="the topic is in eu-central-1"):
            config(region="us-east-1")

    def test_the_region_asked_is_that_of_the_topic_and_who_asks_is_as_configured(self) -> None:
        aws = FakeAws(publish={"MessageId": "m-1"})
        context = SinkContext(stream=io.StringIO(), root=Path("/"), aws=aws)
        SnsSink(config(profile="alerts", timeout=3), context).deliver(a_notice(), timeout=SOON)
        (call,) = aws.asked
        assert (call.options.region, call.options.profile) == ("eu-central-1", "alerts")
        assert call.timeout == timedelta(seconds=3)
