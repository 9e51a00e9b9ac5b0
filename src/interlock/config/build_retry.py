"""The `retry` block, of a job and of its start: what is not said keeps its default."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from interlock.config import values
from interlock.config.schema import RetryEntry
from interlock.config.shape import Path as Steps
from interlock.config.source import Source
from interlock.config.spans import span_of
from interlock.config.values import Refused
from interlock.core.retries import RetrySpec

_DEFAULT: Final = RetrySpec()
_NOT_SAID: Final = RetryEntry()


def build_retry(entry: RetryEntry, source: Source, path: Steps) -> RetrySpec:
    """Resolve the block that stands at a path; problems are noted."""
    if entry == _NOT_SAID:
        return _DEFAULT
    backoff = span_of(entry.backoff_seconds, values.BACKOFF, (*path, "backoffSeconds"), source)
    retryable = _DEFAULT.retryable
    if entry.retryable_failures is not UNSET:
        found = set()
        for index, text in enumerate(entry.retryable_failures):
            try:
                found.add(values.failure(text))
            except Refused as exc:
                source.refuse((*path, "retryableFailures", index), exc)
        retryable = tuple(sorted(found))
    return RetrySpec(
        max_attempts=_DEFAULT.max_attempts if entry.max_attempts is UNSET else entry.max_attempts,
        backoff=_DEFAULT.backoff if backoff is None else backoff,
        multiplier=_DEFAULT.multiplier if entry.backoff_multiplier is UNSET else entry.backoff_multiplier,
        retryable=retryable,
    )
