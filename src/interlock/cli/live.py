"""A page on the terminal that is drawn again and again, in its place."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import click

from interlock.cli.output import faint, moment, tame
from interlock.runtime.clock import SystemClock, SystemPacer

HOME: Final = "\x1b[H"
TO_LINE_END: Final = "\x1b[K"
TO_END: Final = "\x1b[J"
CLEAR: Final = f"\x1b[2J{HOME}"
SHORTEST: Final = timedelta(milliseconds=200)


def require_terminal() -> None:
    """Refuse to draw where nobody sees it.

    Raises:
        click.UsageError: stdout is no terminal.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        raise click.UsageError(
            "--watch draws on a terminal. For a program: interlock status --json, as often as needed"
        )


def live(draw: Callable[[], str], interval: timedelta) -> None:
    """Draw until Ctrl-C, which is how one leaves it."""
    clock = SystemClock()
    pacer = SystemPacer(clock)
    every = max(interval, SHORTEST)
    try:
        click.echo(CLEAR, nl=False)
        while True:
            at = clock.now()
            page = f"{draw()}\n\n{faint(f'{moment(at)}, every {every.total_seconds():g} s; Ctrl-C leaves')}"
            click.echo(framed(page, *shutil.get_terminal_size()), nl=False)
            sys.stdout.flush()
            pacer.until(at + every)
    except KeyboardInterrupt as exc:
        if type(exc) is not KeyboardInterrupt:  # SIGTERM is no wish to leave in peace
            raise
        click.echo()


def framed(page: str, columns: int, lines: int) -> str:
    """Return what draws a page over the last one, cut to what the terminal can show, so that nothing scrolls."""
    rows = tame(page).split("\n")
    if len(rows) > lines:
        # The last line, which says when this was, always stays in sight.
        rows = [*rows[: lines - 2], faint(f"and {len(rows) - lines + 1} lines more"), rows[-1]]
    shown = (_cut(row, columns) + TO_LINE_END for row in rows)
    return HOME + "\n".join(shown) + TO_END


def _cut(row: str, columns: int) -> str:
    plain = click.unstyle(row)
    # A line too long is shown without colours: half an escape would colour the rest of the screen.
    return row if len(plain) < columns else plain[: max(columns - 2, 0)] + "…"
