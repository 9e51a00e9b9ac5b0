"""The ways in which an exchange over HTTP, or a call of AWS, can fail to give an answer."""

from __future__ import annotations

from datetime import timedelta

from interlock.core.traits import FailureCategory


class HttpTrouble(Exception):
    """No complete answer was had.

    `sent` is False when it is certain that not one byte of the request left this machine. `status` is set when the
    answer had begun, so that its status is known.
    """

    def __init__(self, message: str, *, sent: bool = False, status: int | None = None) -> None:
        self.sent = sent
        self.status = status
        super().__init__(message)


class HttpTimeout(HttpTrouble):
    """The time was up; `sent` tells whether the request may have been read."""


class HttpUnreachable(HttpTrouble):
    """Nothing was sent: the name is unknown, the connection was refused or TLS could not be agreed."""


class HttpBroken(HttpTrouble):
    """The request was sent, wholly or in part, and no complete answer came back."""


class HttpForbidden(HttpTrouble):
    """Nothing was sent: the address is not permitted, or the URL or a header is not usable."""


class HttpTooLarge(HttpTrouble):
    """The answer is longer than `max_body`."""


class AwsTrouble(Exception):
    """A call did not give its answer.

    `code` is AWS's name of the error, or empty. `done` is False when it is certain that nothing was done, None when that
    cannot be known. `category` says whether another try can help, `retry_after` how long AWS asks to be left alone.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        done: bool | None,
        category: FailureCategory,
        retry_after: timedelta | None = None,
    ) -> None:
        self.code = code
        self.done = done
        self.category = category
        self.retry_after = retry_after
        super().__init__(message)
