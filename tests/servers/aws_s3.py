"""S3, as far as putting and getting one object goes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from tests.servers.aws_errors import AwsError
from tests.servers.aws_jobs import instant
from tests.servers.aws_wire import Params

BUCKET: Final = "sales-data"


class StoredObject(NamedTuple):
    """What was put, and how."""

    body: bytes
    params: Params
    at: datetime

    @property
    def etag(self) -> str:
        """Its tag, with the quotes that belong to it."""
        return f'"{hashlib.md5(self.body).hexdigest()}"'


class S3:
    """Known buckets and their objects by (bucket, key); buckets in `closed` deny everything."""

    def __init__(self) -> None:
        self.buckets = {BUCKET}
        self.closed: set[str] = set()
        self.objects: dict[tuple[str, str], StoredObject] = {}

    @property
    def operations(self) -> Mapping[str, Callable[[Params], Params]]:
        """What it can do."""
        return {"PutObject": self._put, "GetObject": self._get}

    def _place(self, params: Params) -> tuple[str, str]:
        bucket = params["Bucket"]
        if bucket in self.closed:
            raise AwsError("AccessDenied", "Access Denied", 403)
        if bucket not in self.buckets:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        return bucket, params["Key"]

    def _put(self, params: Params) -> Params:
        place = self._place(params)
        there = self.objects.get(place)
        missed = "At least one of the pre-conditions you specified did not hold"
        if params.get("IfNoneMatch") == "*" and there is not None:
            raise AwsError("PreconditionFailed", missed, 412)
        if "IfMatch" in params and (there is None or params["IfMatch"] != there.etag):
            raise AwsError(
                "NoSuchKey" if there is None else "PreconditionFailed", missed, 404 if there is None else 412
            )
        stored = StoredObject(params.get("Body", b""), params, instant())
        self.objects[place] = stored
        return {"ETag": stored.etag}

    def _get(self, params: Params) -> Params:
        stored = self.objects.get(self._place(params))
        if stored is None:
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        return {
            "Body": stored.body,
            "ContentLength": len(stored.body),
            "ContentType": stored.params.get("ContentType", "binary/octet-stream"),
            "ETag": stored.etag,
            "LastModified": stored.at,
            "Metadata": stored.params.get("Metadata", {}),
        }
