"""What sinks on AWS have in common: one call, and what its failure means for another try."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from interlock.clients.aws import AwsOptions, AwsTrouble
from interlock.core.traits import FailureCategory
from interlock.errors import SinkError

if TYPE_CHECKING:
    from interlock.clients.aws import AwsCaller

_AGAIN: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "RequestTimeout"})
"""What S3 calls a fault of the request, although the same request may fare better in a moment."""


class AwsReceiver(NamedTuple):
    """Who is called: `name` as people know it, and, by AWS's names of errors, what people can do about them."""

    name: str
    door: AwsCaller
    options: AwsOptions
    advice: Mapping[str, str]

    def ask(self, service: str, operation: str, *, within: timedelta, **parameters: Any) -> dict[str, Any]:
        """Make one call and return its answer.

        Raises:
            SinkError: there was none. `retryable` is False only where AWS itself has said no: whoever mends the
                configuration of this machine must not find the alert lost.
        """
        try:
            return self.door.call(service, operation, self.options, timeout=within, **parameters)
        except AwsTrouble as exc:
            final = exc.category is FailureCategory.PERMANENT and exc.code and exc.code not in _AGAIN
            advice = self.advice.get(exc.code, "")
            words = f"{self.name}: {exc}; {advice}" if advice else f"{self.name}: {exc}"
            raise SinkError(words, retryable=not final, retry_after=exc.retry_after) from exc
