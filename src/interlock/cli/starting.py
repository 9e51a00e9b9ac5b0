"""What `run`, `rerun` and `replay` have in common: their options, and opening a run here or on the server to follow it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import click

from interlock.app.views import RunView
from interlock.cli.asking import LocalDesk, client_of, desk_of, server_of
from interlock.cli.context import json_option
from interlock.cli.following import Followed, driven_by, followed_there, show
from interlock.cli.parameters import duration
from interlock.cli.progress import patience
from interlock.errors import Declined, NotReady, Refused
from interlock.runtime.driver import Stop

if TYPE_CHECKING:
    from interlock.api.contract import Request
    from interlock.core.ids import RunKey

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class Manner(NamedTuple):
    """Whether a run is followed and for how long, and for whom it is shown."""

    wait: bool
    timeout: timedelta | None
    as_json: bool


def starting_options(function: F) -> F:
    """Add what every verb that starts something takes: `force`, and a `manner`."""

    @functools.wraps(function)
    def called(*args: Any, wait: bool, timeout: timedelta | None, as_json: bool, **options: Any) -> Any:
        return function(*args, manner=Manner(wait, timeout, as_json), **options)

    wait = "Follow the job to its end (the default), or only start it."
    for option in (
        json_option,
        click.option("--timeout", callback=duration, help="How long to follow it, such as 10m; then leave with 6."),
        click.option("--wait/--no-wait", default=True, help=wait),
        click.option("--force", is_flag=True, help="Go on although a constraint says no; the override is recorded."),
    ):
        option(called)
    return called  # type: ignore[return-value]  # the same command, with one parameter for three options


def begin(
    ctx: click.Context,
    request: Request[T],
    manner: Manner,
    *,
    here: Callable[[LocalDesk], RunKey],
    run_of: Callable[[T], RunView],
) -> NoReturn:
    """Open a run, follow it, show it, and leave with the code that says how it stands.

    `here` opens it on a desk of this project; `run_of` finds it in the server's answer.

    Raises:
        Leave: it was opened.
        InterlockError: it was refused, or nobody knows.
    """
    wait, timeout, quiet = manner
    if server_of(ctx):
        followed = _opened_there(ctx, request, run_of, quiet=quiet)
        if isinstance(followed, RunView):
            followed = followed_there(ctx, followed, wait=wait, timeout=timeout, quiet=quiet)
    else:
        desk = desk_of(ctx)
        key = here(desk)
        followed = driven_by(desk.work, key, wait=wait, timeout=timeout, quiet=quiet)
    show(followed, as_json=quiet)


def _opened_there(
    ctx: click.Context, request: Request[T], run_of: Callable[[T], RunView], *, quiet: bool
) -> RunView | Followed:
    """Ask the server, and return the run that it started, or the one that it did not let through."""
    pipeline = getattr(request, "pipeline_id", "")
    try:
        with patience(f"asking the server about {pipeline}", quiet=quiet):
            return run_of(client_of(ctx).ask(request))
    except NotReady as exc:
        return Followed(_run_in(exc), Stop.NOT_READY)
    except Refused as exc:
        if not exc.details.get("held"):
            raise
        return Followed(_run_in(exc), Stop.HELD)


def _run_in(error: Declined) -> RunView:
    from interlock.codec import wire

    try:
        return wire.from_builtins(error.details.get("run"), RunView)
    except ValueError:
        raise error from None
