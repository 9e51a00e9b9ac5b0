"""The ways in which an HTTP exchange can fail to give an answer."""

from __future__ import annotations


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
