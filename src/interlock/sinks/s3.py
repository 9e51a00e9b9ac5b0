"""Keep alerts and lifecycle events in a bucket of Amazon S3, an object each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta

from interlock.clients.aws import AwsOptions, AwsTrouble
from interlock.clients.names import short_name
from interlock.codec.alerts import lifecycle_json, notice_json
from interlock.core.alerts import LifecycleEvent, Notice
from interlock.errors import MissingExtra, SinkError
from interlock.sinks.aws import AwsReceiver
from interlock.sinks.context import SinkContext

_SYSTEM: Final = "system"
_LONGEST_ID: Final = 200
# Of the 1024 bytes of a key, so much can be had by the names of a pipeline, of a notice and of an instant.
_LONGEST_PREFIX: Final = 500
_ADVICE: Final = {
    "AccessDenied": "it needs s3:PutObject on this bucket and prefix, and kms:GenerateDataKey on the key that encrypts it",
    "NoSuchBucket": "correct bucketName, or make the bucket",
    "PermanentRedirect": "the bucket is in another region: set region",
}


class S3Config(AwsOptions, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where objects are put, and how they are encrypted."""

    bucket_name: Annotated[str, Meta(min_length=1, max_length=255, description="The bucket.")]
    prefix: Annotated[str, Meta(description="What every key begins with.")] = ""
    server_side_encryption: Annotated[
        Literal["", "AES256", "aws:kms", "aws:kms:dsse"],
        Meta(description="How objects are encrypted; as the bucket says when left out."),
    ] = ""
    kms_key_id: Annotated[str, Meta(description="The key of KMS to encrypt with.")] = ""
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one call.")] = 10

    def __post_init__(self) -> None:
        if self.kms_key_id and not self.server_side_encryption.startswith("aws:kms"):
            raise ValueError("kmsKeyId needs serverSideEncryption: aws:kms")
        if len(self.prefix.encode(errors="replace")) > _LONGEST_PREFIX:
            raise ValueError(f"prefix is longer than {_LONGEST_PREFIX} bytes")


class S3Sink:
    """Puts each notice, or each lifecycle event, as JSON under a key of its own.

    The key is the same however often it is delivered, and what is there already stays as it is.
    """

    Config = S3Config

    def __init__(self, config: S3Config, context: SinkContext) -> None:
        if context.aws is None:
            raise MissingExtra("the sink 's3'", "aws")
        self._config = config
        self._receiver = AwsReceiver(f"the S3 bucket {config.bucket_name}", context.aws, config, _ADVICE)

    def deliver(self, notice: Notice, *, timeout: timedelta) -> None:
        """Put the notice once; whoever calls decides about another try.

        Raises:
            SinkError: S3 did not take it, or nobody can know. `retryable` is False where another try cannot help.
        """
        slot = notice.alert.slot
        name = f"{notice.alert.level}-{_name(notice.notice_id)}"
        self._put(notice_json(notice), slot.pipeline if slot else _SYSTEM, notice.at, name, timeout)

    def publish(self, event: LifecycleEvent, *, timeout: timedelta) -> None:
        """Put the event once; whoever calls decides about another try.

        Raises:
            SinkError: as for `deliver`.
        """
        self._put(lifecycle_json(event), event.slot.pipeline, event.at, _name(event.event_id), timeout)

    def _put(self, body: bytes, folder: str, at: datetime, name: str, timeout: timedelta) -> None:
        moment = at.astimezone(UTC)
        parts = (self._config.prefix.strip("/"), f"{moment:%Y-%m-%d}", folder, f"{moment:%H%M%S.%fZ}-{name}.json")
        encryption = {
            "ServerSideEncryption": self._config.server_side_encryption,
            "SSEKMSKeyId": self._config.kms_key_id,
        }
        try:
            answer = self._receiver.ask(
                "s3",
                "put_object",
                within=min(timeout, timedelta(seconds=self._config.timeout)),
                Bucket=self._config.bucket_name,
                Key="/".join(part for part in parts if part),
                Body=body,
                ContentType="application/json",
                IfNoneMatch="*",
                **{key: value for key, value in encryption.items() if value},
            )
        except SinkError as exc:
            if isinstance(exc.__cause__, AwsTrouble) and exc.__cause__.code == "PreconditionFailed":
                return  # an earlier delivery arrived, and its answer did not
            raise
        if not answer.get("ETag"):
            raise SinkError(f"{self._receiver.name}: the answer is not one of S3, so the object may be missing")


def _name(text: str) -> str:
    return short_name(text, _LONGEST_ID, allowed="._-")


if TYPE_CHECKING:
    from interlock.ports.sinks import Sink, Subscriber

    def _is_both(it: S3Sink) -> tuple[Sink, Subscriber]:
        return it, it
