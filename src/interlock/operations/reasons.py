"""What people give as their reason for a thing that is recorded for good."""

from __future__ import annotations

from interlock.errors import Invalid


def given_reason(reason: str) -> str:
    """Return a reason that says something.

    Raises:
        Invalid: it does not.
    """
    if not reason.strip():
        raise Invalid("reason: say something; it is the record of why it was done")
    return reason.strip()
