"""What commands read off the command line in the same way: lengths of time, and who is there."""

from __future__ import annotations

import getpass
from datetime import timedelta

import click

from interlock.core.times import parse_duration


def actor() -> str:
    """Return who is at the keyboard, for the record."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:  # noqa: ARG001
    """Read a duration from the command line."""
    if value is None:
        return None
    try:
        found = parse_duration(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc
    if found < timedelta():
        raise click.BadParameter(f"a length of time is not negative: {value!r}")
    return found
