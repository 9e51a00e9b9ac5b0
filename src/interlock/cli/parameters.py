"""What commands read off the command line in the same way: lengths of time, and who is there."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import click

from interlock.core.times import parse_duration

F = TypeVar("F", bound=Callable[..., Any])


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


def schedule_option(function: F) -> F:
    """Add the option that names a schedule."""
    text = "The schedule, where the pipeline has several; the one whose window opened last by default."
    return click.option("--schedule", help=text)(function)
