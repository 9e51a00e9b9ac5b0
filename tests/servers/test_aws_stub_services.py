"""The services of the scripted AWS that have no jobs: functions, secrets, roles, topics and buckets."""

from __future__ import annotations

import base64
from typing import Any

import boto3
import pytest
from tests.servers.aws_errors import REGION, failure
from tests.servers.aws_lambda import FUNCTION, Function
from tests.servers.aws_s3 import BUCKET
from tests.servers.aws_secrets import SECRET
from tests.servers.aws_sns import FIFO_TOPIC, TOPIC
from tests.servers.aws_stub import AwsStub

pytestmark = pytest.mark.enable_socket


class TestLambda:
    def test_a_function_is_invoked_with_payload_and_context(self, aws_stub: AwsStub) -> None:
        aws_stub.functions.functions[FUNCTION] = Function(payload=lambda it: it.payload + b" ", log=b"loaded")
        client = aws_stub.client("lambda")
        context = base64.b64encode(b'{"custom": {"key": "k"}}').decode()
        heard = client.invoke(FunctionName=f"{FUNCTION}:live", Payload=b"[7]", ClientContext=context, LogType="Tail")
        (done,) = aws_stub.functions.invocations
        assert (done.event, done.context, done.qualifier) == ([7], {"custom": {"key": "k"}}, "live")
        assert (heard["StatusCode"], heard["Payload"].read()) == (200, b"[7] ")
        assert base64.b64decode(heard["LogResult"]) == b"loaded"
        assert aws_stub.starts("lambda") == 1

    def test_an_event_is_accepted_and_a_failing_function_says_so(self, aws_stub: AwsStub) -> None:
        aws_stub.functions.functions[FUNCTION] = Function(payload=b'{"errorMessage": "no"}', error="Unhandled")
        client = aws_stub.client("lambda")
        accepted = client.invoke(FunctionName=FUNCTION, InvocationType="Event", Payload=b"{}")
        assert (accepted["StatusCode"], accepted["Payload"].read()) == (202, b"")
        assert "FunctionError" not in accepted
        assert client.invoke(FunctionName=FUNCTION)["FunctionError"] == "Unhandled"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"FunctionName": "nobody"}, "ResourceNotFoundException"),
            ({"Payload": b"{"}, "InvalidRequestContentException"),
            ({"ClientContext": "e30"}, "InvalidRequestContentException"),
            ({"Payload": b"1" * (1024 * 1024 + 1), "InvocationType": "Event"}, "RequestTooLargeException"),
        ],
    )
    def test_what_cannot_be_invoked_is_refused(self, aws_stub: AwsStub, change: dict[str, Any], code: str) -> None:
        client = aws_stub.client("lambda")
        assert failure(lambda: client.invoke(**{"FunctionName": FUNCTION, **change}))[0] == code
        assert aws_stub.starts("lambda") == 0


class TestSecretsAndTokens:
    def test_secrets_are_text_or_bytes(self, aws_stub: AwsStub) -> None:
        client = aws_stub.client("secretsmanager")
        aws_stub.secrets.values["key"] = b"\x00\xff"
        assert client.get_secret_value(SecretId=SECRET)["SecretString"] == '{"token": "correct horse"}'
        found = client.get_secret_value(SecretId="key")
        assert client.get_secret_value(SecretId=found["ARN"])["SecretBinary"] == b"\x00\xff"

    def test_secrets_can_be_unknown_or_locked(self, aws_stub: AwsStub) -> None:
        client = aws_stub.client("secretsmanager")
        aws_stub.secrets.locked.add(SECRET)
        assert failure(lambda: client.get_secret_value(SecretId="x"))[0] == "ResourceNotFoundException"
        assert failure(lambda: client.get_secret_value(SecretId=SECRET))[0] == "DecryptionFailure"

    def test_a_role_gives_credentials_that_are_recorded_when_used(self, aws_stub: AwsStub) -> None:
        sts = aws_stub.client("sts")
        role = "arn:aws:iam::123456789012:role/reader"
        given = sts.assume_role(RoleArn=role, RoleSessionName="tests", ExternalId="x1")["Credentials"]
        assert aws_stub.sts.sessions == [{"RoleArn": role, "RoleSessionName": "tests", "ExternalId": "x1"}]
        session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], REGION)
        session.client("sts", endpoint_url=aws_stub.url).get_caller_identity()
        assert (aws_stub.calls[-1].access_key, aws_stub.calls[-1].token) == (
            given["AccessKeyId"],
            given["SessionToken"],
        )
        aws_stub.sts.closed.add(role)
        assert failure(lambda: sts.assume_role(RoleArn=role, RoleSessionName="tests")) == ("AccessDenied", 403)


class TestSns:
    def test_a_message_is_kept_as_it_was_published(self, aws_stub: AwsStub) -> None:
        attributes = {
            "level": {"DataType": "String", "StringValue": "high"},
            "n": {"DataType": "Number", "StringValue": "1"},
        }
        aws_stub.client("sns").publish(
            TopicArn=TOPIC, Subject="Late & <odd>", Message="é\n1", MessageAttributes=attributes
        )
        (kept,) = aws_stub.sns.messages
        assert kept == {
            "TopicArn": TOPIC, "Subject": "Late & <odd>", "Message": "é\n1", "MessageAttributes": attributes,
        }  # fmt: skip

    def test_a_fifo_topic_keeps_each_message_once(self, aws_stub: AwsStub) -> None:
        sns = aws_stub.client("sns")
        words = {"TopicArn": FIFO_TOPIC, "Message": "late", "MessageGroupId": "sales"}
        ids = {sns.publish(**words, MessageDeduplicationId="one")["MessageId"] for _ in range(2)}
        assert (len(ids), len(aws_stub.sns.messages)) == (1, 1)
        assert failure(lambda: sns.publish(**words))[0] == "InvalidParameter"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"TopicArn": "data-alerts"}, "InvalidParameter"),
            ({"TopicArn": f"{TOPIC}-of-nobody"}, "NotFound"),
            ({"Subject": "two\nlines"}, "InvalidParameter"),
            ({"Subject": "x" * 101}, "InvalidParameter"),
            ({"Subject": "zu spät"}, "InvalidParameter"),
            ({"Message": "é" * 131073}, "InvalidParameter"),
            ({"Message": ""}, "InvalidParameter"),
            ({"MessageDeduplicationId": "one"}, "InvalidParameter"),
        ],
    )
    def test_what_cannot_be_published_is_refused(self, aws_stub: AwsStub, change: dict[str, str], code: str) -> None:
        sns = aws_stub.client("sns")
        assert failure(lambda: sns.publish(**{"TopicArn": TOPIC, "Message": "late", **change}))[0] == code
        assert aws_stub.sns.messages == []


class TestS3:
    def test_an_object_is_kept_and_given_back(self, aws_stub: AwsStub) -> None:
        s3 = aws_stub.client("s3")
        put = s3.put_object(
            Bucket=BUCKET, Key="a b/ü.json", Body=b"{}", ContentType="application/json", Metadata={"k": "v"}
        )
        got = s3.get_object(Bucket=BUCKET, Key="a b/ü.json")
        assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"{}", "application/json", {"k": "v"})
        assert got["ETag"] == put["ETag"]
        assert aws_stub.s3.objects[BUCKET, "a b/ü.json"].body == b"{}"

    def test_an_object_can_be_put_only_where_none_is(self, aws_stub: AwsStub) -> None:
        s3 = aws_stub.client("s3")
        s3.put_object(Bucket=BUCKET, Key="k", Body=b"1", IfNoneMatch="*")
        again = {"Bucket": BUCKET, "Key": "k", "Body": b"2", "IfNoneMatch": "*"}
        assert failure(lambda: s3.put_object(**again)) == ("PreconditionFailed", 412)
        assert aws_stub.s3.objects[BUCKET, "k"].body == b"1"

    def test_buckets_and_keys_can_be_unknown_or_closed(self, aws_stub: AwsStub) -> None:
        s3 = aws_stub.client("s3")
        assert failure(lambda: s3.get_object(Bucket=BUCKET, Key="k"))[0] == "NoSuchKey"
        assert failure(lambda: s3.put_object(Bucket="nobodys", Key="k"))[0] == "NoSuchBucket"
        aws_stub.s3.closed.add(BUCKET)
        assert failure(lambda: s3.put_object(Bucket=BUCKET, Key="k")) == ("AccessDenied", 403)
