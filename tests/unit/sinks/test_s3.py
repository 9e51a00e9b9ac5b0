from __future__ import annotations

import io
import json
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.fakeaws import FakeAws, trouble

from interlock.core.alerts import Notice
from interlock.core.ids import PipelineName, RunId, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.context import SinkContext
from interlock.sinks.s3 import S3Config, S3Sink
from interlock.testing.conformance.sinks import AT, a_notice, a_resolved_notice, an_alert, an_event

SOON = timedelta(seconds=10)


def config(**keys: Any) -> S3Config:
    return msgspec.convert({"bucketName": "data-alerts", **keys}, S3Config)


def sink(aws: FakeAws | None, **keys: Any) -> S3Sink:
    return S3Sink(config(**keys), SinkContext(stream=io.StringIO(), root=Path("/"), aws=aws))


def put(notice: Notice, **keys: Any) -> dict[str, Any]:
    """Deliver a notice, and return what S3 was asked."""
    aws = FakeAws(put_object={"ETag": '"e"'})
    sink(aws, **keys).deliver(notice, timeout=SOON)
    (call,) = aws.asked
    assert call.service == "s3"
    return call.parameters


def key(notice: Notice, **keys: Any) -> str:
    return str(put(notice, **keys)["Key"])


def refusal(code: str, category: str = "PERMANENT") -> FakeAws:
    return FakeAws(put_object=trouble(code, category=category))


class TestKey:
    def test_a_key_has_a_day_a_pipeline_a_moment_a_level_and_the_notice(self) -> None:
        prefix, day, pipeline, name = key(a_notice("run_failed"), prefix="alerts").split("/")
        assert (prefix, day, pipeline) == ("alerts", "2026-03-07", "daily-sales")
        assert name.startswith("120000.000000Z-error-run_failed-1-")
        assert name.endswith(".json")

    def test_what_is_about_interlock_itself_is_under_system(self) -> None:
        notice = a_notice(alert=an_alert(slot=None, run_id=RunId("")))
        assert key(notice).split("/")[:2] == ["2026-03-07", "system"]

    @pytest.mark.parametrize("prefix", ["a/b", "/a/b", "a/b/", "//a/b//"])
    def test_slashes_around_the_prefix_change_nothing(self, prefix: str) -> None:
        assert key(a_notice(), prefix=prefix).startswith("a/b/2026-03-07/")

    @pytest.mark.parametrize("prefix", ["", "/"])
    def test_without_a_prefix_a_key_begins_with_its_day(self, prefix: str) -> None:
        assert key(a_notice(), prefix=prefix).startswith("2026-03-07/")

    def test_the_day_is_that_of_utc(self) -> None:
        late = AT.astimezone(timezone(timedelta(hours=13)))
        assert key(a_notice(at=late)) == key(a_notice(at=AT))

    def test_a_repeated_delivery_has_the_same_key_and_another_telling_another(self) -> None:
        assert key(a_notice()) == key(a_notice())
        assert key(a_notice()) != key(a_resolved_notice())

    def test_two_facts_of_one_moment_have_two_keys(self) -> None:
        """What a moment names alone is overwritten by whatever else happens in it."""
        ids = ["a/b", "a:b", "a-b", "a b", "ä", "ö", "x" * 900, "x" * 901, "\ud800"]
        assert len({key(a_notice(one)) for one in ids}) == len(ids)

    def test_a_key_is_one_that_s3_takes_and_that_needs_no_quoting(self) -> None:
        slot = Slot(PipelineName("p" * 255), ScheduleName("s" * 255), Period.parse("2026-03-07"))
        notice = a_notice(alert=an_alert("run_failed/" + "ä/../\n?&" * 200, slot=slot))
        found = key(notice, prefix="x" * 500)
        assert len(found.encode()) <= 1024
        assert found.isascii()
        assert found.isprintable()
        assert ".." not in found.split("/")
        assert not set(found) & set("?&\\ ")


class TestObject:
    def test_an_object_is_the_json_of_the_notice(self) -> None:
        asked = put(a_notice())
        assert json.loads(asked["Body"])["noticeId"] == "a-1#1"
        assert (asked["ContentType"], asked["Bucket"]) == ("application/json", "data-alerts")

    def test_what_is_there_is_never_overwritten(self) -> None:
        assert put(a_notice())["IfNoneMatch"] == "*"

    def test_it_is_encrypted_as_the_bucket_says_unless_another_way_is_named(self) -> None:
        assert not {"ServerSideEncryption", "SSEKMSKeyId"} & set(put(a_notice()))
        asked = put(a_notice(), serverSideEncryption="aws:kms", kmsKeyId="alias/alerts")
        assert (asked["ServerSideEncryption"], asked["SSEKMSKeyId"]) == ("aws:kms", "alias/alerts")

    def test_the_end_of_a_run_is_an_object_of_its_own(self) -> None:
        aws = FakeAws(put_object={"ETag": '"e"'})
        for kind in ("PIPELINE_COMPLETED", "PIPELINE_FAILED"):
            sink(aws, prefix="ends").publish(an_event(kind), timeout=SOON)
        first, second = (call.parameters for call in aws.asked)
        assert json.loads(first["Body"])["eventType"] == "PIPELINE_COMPLETED"
        assert first["Key"].startswith("ends/2026-03-07/daily-sales/120000.000000Z-PIPELINE_COMPLETED-")
        assert first["Key"] != second["Key"]


class TestTrouble:
    def test_what_is_there_already_is_delivered(self) -> None:
        """An answer was lost, and the delivery repeated."""
        aws = refusal("PreconditionFailed")
        sink(aws).deliver(a_notice(), timeout=SOON)
        assert len(aws.asked) == 1

    @pytest.mark.parametrize(
        ("code", "category", "retryable"),
        [
            ("NoSuchBucket", "PERMANENT", False),
            ("AccessDenied", "PERMANENT", False),
            ("ConditionalRequestConflict", "PERMANENT", True),
            ("OperationAborted", "PERMANENT", True),
            ("RequestTimeout", "PERMANENT", True),
            ("SlowDown", "TRANSIENT", True),
            ("InternalError", "TRANSIENT", True),
        ],
    )
    def test_whether_another_try_can_help_is_said(self, code: str, category: str, retryable: bool) -> None:
        with pytest.raises(SinkError, match=f"the S3 bucket data-alerts: {code}: no") as caught:
            sink(refusal(code, category)).deliver(a_notice(), timeout=SOON)
        assert caught.value.retryable is retryable

    @pytest.mark.parametrize(
        ("code", "advice"), [("NoSuchBucket", "correct bucketName"), ("AccessDenied", "s3:PutObject")]
    )
    def test_it_is_said_what_to_do(self, code: str, advice: str) -> None:
        with pytest.raises(SinkError, match=advice):
            sink(refusal(code)).deliver(a_notice(), timeout=SOON)

    def test_an_answer_without_a_tag_is_none_of_s3(self) -> None:
        """A page that some gateway answers with 200 does not count as delivered."""
        with pytest.raises(SinkError, match="not one of S3") as caught:
            sink(FakeAws(put_object={})).deliver(a_notice(), timeout=SOON)
        assert caught.value.retryable

    def test_without_the_door_it_is_said_what_to_install(self) -> None:
        with pytest.raises(MissingExtra, match=r"interlock\[aws\]"):
            sink(None)


class TestConfig:
    @pytest.mark.parametrize("encryption", [{}, {"serverSideEncryption": "AES256"}])
    def test_a_key_of_kms_without_kms_is_refused(self, encryption: dict[str, str]) -> None:
        with pytest.raises(msgspec.ValidationError, match="kmsKeyId needs serverSideEncryption: aws:kms"):
            config(kmsKeyId="alias/alerts", **encryption)

    def test_a_prefix_that_leaves_no_room_is_refused(self) -> None:
        with pytest.raises(msgspec.ValidationError, match="longer than 500 bytes"):
            config(prefix="ä" * 251)

    def test_who_asks_where_and_for_how_long_is_as_configured(self) -> None:
        aws = FakeAws(put_object={"ETag": '"e"'})
        sink(aws, region="eu-west-1", assumeRole="arn:aws:iam::123456789012:role/r", timeout=3).deliver(
            a_notice(), timeout=SOON
        )
        (call,) = aws.asked
        assert (call.options.region, call.options.assume_role) == ("eu-west-1", "arn:aws:iam::123456789012:role/r")
        assert call.timeout == timedelta(seconds=3)
