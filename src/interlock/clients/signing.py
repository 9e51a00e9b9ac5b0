"""How requests of ours are signed: by a secret that both sides know, over the instant of sending and the body."""

from __future__ import annotations

import hmac
from datetime import datetime


def signed(secret: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that sign a request.

    The timestamp is in seconds since 1970: a receiver that refuses old ones is safe from replays.
    """
    stamp = str(int(at.timestamp()))
    return {"x-interlock-timestamp": stamp, "x-interlock-signature": signature(secret, stamp, body)}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC-SHA256, in hex, of the timestamp, a full stop and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()
