"""The form of the lines that a long-running command writes on stderr: text for people, or JSON for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeVar

import click

from interlock.cli.output import plain, speak_through, tell

if TYPE_CHECKING:
    from interlock.config.project import Project
    from interlock.ports.telemetry import Telemetry
    from interlock.runtime.wiring import Interlock

F = TypeVar("F", bound=Callable[..., Any])


def log_format_option(function: F) -> F:
    """Add the option for the form of log lines."""
    return click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        envvar="INTERLOCK_LOG_FORMAT",
        show_envvar=True,
        help="How lines are written on stderr: for people, or one JSON object a line.",
    )(function)


class Lines(NamedTuple):
    """What writes a line of news, who must be told of steps so that lines can name their runs, and where alerts go."""

    news: Callable[[str], None]
    telemetry: Sequence[Telemetry] = ()
    stream: TextIO | None = None


def log_lines(form: str, project: Project, name: str) -> Lines:
    """Write everything on stderr in a form from now on."""
    if form != "json":
        return Lines(lambda line: tell(plain(line)))
    import logging

    from interlock.runtime.logs import LineStream, configure_logging, news_of, secrets_of
    from interlock.telemetry.about import Naming

    configure_logging("json", secrets=secrets_of(os.environ, project.settings.env_allow))
    news = news_of(logging.getLogger(name))
    speak_through(lambda text: news(plain(text).removeprefix("interlock: ")))
    return Lines(lambda line: news(plain(line)), (Naming(),), LineStream(logging.getLogger("interlock.alerts")))


def tell_advice(work: Interlock, news: Callable[[str], None]) -> None:
    """Say loudly what should be set up otherwise at the store's server, before anything relies on it."""
    from interlock.stores.passing import advice_of

    for words in advice_of(work.kernel):
        news(f"warning: {words}")
