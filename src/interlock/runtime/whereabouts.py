"""Where a job is started, as far as a run's own spec does not say it: the environment and the project's settings do.

It is compared, and never shown: what is kept is a digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from interlock.clients.aws import AwsCaller, AwsOptions

_HEADERS: Final = "headers"


def whereabouts(kind: str, config: Any, ready: object, aws: AwsCaller | None) -> str:
    """Return a text that changes when the same configuration means another place.

    `config` is filled in but for the project's secrets, and `ready` is what a trigger of the type `kind` is made of. Secrets
    may be renewed at any time and lead nowhere, so that nothing that sounds like one counts.
    """
    account = aws.place(ready) if aws is not None and isinstance(ready, AwsOptions) else ""
    told = msgspec.json.encode([kind, account, _leading(config)], order="deterministic")
    return sha256(told).hexdigest()[:16]


def _leading(value: Any) -> Any:
    from interlock.clients.redaction import sounds_secret  # its patterns take milliseconds to make

    if isinstance(value, Mapping):
        return {
            name: _leading(item)
            for name, item in value.items()
            if str(name).lower() != _HEADERS and not sounds_secret(str(name))
        }
    return [_leading(item) for item in value] if isinstance(value, list | tuple) else value
