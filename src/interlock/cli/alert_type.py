"""The option that names a type of alert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from interlock.core.alerts import AlertType

F = TypeVar("F", bound=Callable[..., Any])


def type_option(function: F) -> F:
    """Add the option that narrows a command to alerts of one type."""
    kinds = click.Choice([each.value for each in AlertType])
    text = "Only alerts of this type."
    return click.option("--type", "alert_type", type=kinds, callback=_alert_type, help=text)(function)


def _alert_type(ctx: click.Context, param: click.Parameter, value: str | None) -> AlertType | None:  # noqa: ARG001
    return None if value is None else AlertType(value)
