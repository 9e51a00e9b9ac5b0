"""Answers of AWS, looked at before they are believed.

What botocore cannot read it takes for an answer in which nothing stands. From the page of a proxy it learns that there is no
such row, that nothing runs under a name, or that something was sent. Where answers are JSON, that is found out here; XML is
found out by botocore itself, and what streams by whoever reads it.
"""

from __future__ import annotations

import json
from typing import Any, Final
from zlib import crc32

from botocore.parsers import ResponseParserError

_JSON: Final = frozenset({"json", "rest-json"})
_CHECKSUM: Final = "x-amz-crc32"  # DynamoDB sends it


def look_at_answers(client: Any) -> None:
    """Let calls of a client of botocore end with a ResponseParserError when something else than AWS has answered."""
    client.meta.events.register("before-parse", _look)


def _look(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    body, output = response_dict["body"], operation_model.output_shape
    if operation_model.service_model.resolved_protocol not in _JSON or not isinstance(body, bytes):
        return
    checksum = response_dict["headers"].get(_CHECKSUM)
    if checksum is not None and checksum != str(crc32(body)):
        raise ResponseParserError("the answer is not the one that was sent")
    if response_dict["status_code"] >= 300:
        _require_readable(body)
    elif not (output and output.serialization.get("payload")):
        _require_answer(body, _names(output))


def _require_readable(body: bytes) -> None:
    # The status has said no, whatever else there is; botocore is only kept from stumbling over it.
    try:
        found = json.loads(body.decode())
    except (UnicodeDecodeError, RecursionError) as exc:
        raise ResponseParserError("the error is no text") from exc
    except ValueError:
        return
    if not isinstance(found, dict):
        raise ResponseParserError("the error is no JSON object")


def _require_answer(body: bytes, names: frozenset[str]) -> None:
    if not body and not names:
        return
    try:
        found = json.loads(body.decode())
    except (ValueError, RecursionError) as exc:
        raise ResponseParserError("the answer is no JSON") from exc
    if not isinstance(found, dict):
        raise ResponseParserError("the answer is no JSON object")
    if found and names and names.isdisjoint(found):
        raise ResponseParserError("the answer is one to another question")


def _names(output: Any) -> frozenset[str]:
    """Return what may stand in the body of an answer."""
    members = output.members.items() if output else ()
    return frozenset(
        member.serialization.get("name", name) for name, member in members if "location" not in member.serialization
    )
