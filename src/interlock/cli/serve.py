"""`interlock serve`: everything in one process: the watcher, the watchdog, the telling, and the HTTP API."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from interlock.cli.asking import require_here
from interlock.cli.context import project_root, tell_broken
from interlock.cli.exits import Exit, Leave
from interlock.cli.loglines import Lines, log_format_option, log_lines, tell_advice
from interlock.cli.output import tell
from interlock.cli.parameters import duration
from interlock.config.settings import Settings
from interlock.core.times import format_duration
from interlock.errors import MissingExtra

if TYPE_CHECKING:
    from interlock.config.project import Project, ServerSpec
    from interlock.server.serving import Ended, Serving, Wanted

LAST: Final = 5.0
"""After so many seconds what does not end is left: a process that cannot stop cannot be started anew either."""


@click.command()
@click.option("--addr", metavar="HOST:PORT", help="Where to listen, instead of server.addr.")
@click.option("--allow-public", is_flag=True, help="Listen beyond this machine without any key.")
@click.option("--no-watcher", is_flag=True, help="Leave opening slots and starting jobs to others.")
@click.option("--no-watchdog", is_flag=True, help="Leave noticing what did not happen to others.")
@click.option(
    "--grace",
    callback=duration,
    default="30s",
    show_default=True,
    help="How long what is under way may take to end when the server is told to stop.",
)
@log_format_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    addr: str | None,
    allow_public: bool,
    no_watcher: bool,
    no_watchdog: bool,
    grace: timedelta,
    log_format: str,
) -> None:
    """Serve the project: watch it, watch the watching, tell people, and answer requests over HTTP.

    The address is taken before anything starts. SIGTERM and Ctrl-C let what is under way end, and leave with 0; a second
    one does not wait. SIGHUP reads the files again at once.

    \b
    Examples:
      interlock serve
      interlock serve --addr 127.0.0.1:8080 --no-watcher
    """
    require_here(ctx)
    from interlock.config.load import load_project

    settings = Settings.of(os.environ)
    project, problems = load_project(project_root(ctx), settings=settings, tolerant=True)
    lines = _lines(log_format, project)
    tell_broken(project)
    if any(find_spec(name) is None for name in ("litestar", "uvicorn")):
        raise MissingExtra("interlock serve", "server")
    from interlock.runtime.wiring import Interlock
    from interlock.server.keys import require_guarded, ring_of
    from interlock.server.listening import Address, close, listen, url_of
    from interlock.server.serving import Serving, Wanted

    spec = _spec(project, addr, allow_public=allow_public)
    require_guarded(spec, ring_of(spec, os.environ))
    sockets = listen(Address(spec.host, spec.port))
    ctx.call_on_close(lambda: close(sockets))
    wanted = Wanted(
        watcher=project.settings.watcher_enabled and not no_watcher,
        watchdog=project.settings.watchdog.enabled and not no_watchdog,
        grace=grace,
    )
    work = ctx.with_resource(Interlock(project, measured=True, telemetry=lines.telemetry, stream=lines.stream))
    tell_advice(work, lines.news)
    serving = Serving(work, sockets, spec, wanted, settings, problems=problems, news=lines.news)
    signals = _Signals(serving)
    tell(_greeting(project, url_of(sockets, tls=spec.tls is not None), wanted))
    _leave(ctx, serving.run(), signals, grace)


def _greeting(project: Project, url: str, wanted: Wanted) -> str:
    also = [name for name, there in (("watcher", wanted.watcher), ("watchdog", wanted.watchdog)) if there]
    return f"serving {project.root} at {url}: {len(project.pipelines)} pipelines, {', '.join(also) or 'the API alone'}"


def _lines(log_format: str, project: Project) -> Lines:
    if log_format == "text":
        import logging

        from interlock.runtime.logs import configure_logging, secrets_of

        # For people the news are enough; what is wrong inside is told besides, without what must not be seen.
        configure_logging("text", level=logging.WARNING, secrets=secrets_of(os.environ, project.settings.env_allow))
    return log_lines(log_format, project, "interlock.serve")


def _spec(project: Project, addr: str | None, *, allow_public: bool) -> ServerSpec:
    from msgspec.structs import replace

    from interlock.server.listening import address_of

    spec = project.settings.server
    if addr is not None:
        host, port = address_of(addr)
        spec = replace(spec, host=host, port=port)
    return replace(spec, allow_public=True) if allow_public else spec


def _leave(ctx: click.Context, ended: Ended, signals: _Signals, grace: timedelta) -> None:
    if ended.drained and not ended.died:
        tell("stopped; nothing is left half done")
        return
    if ended.died:
        code, words = Exit.UNDECIDED, f"the {ended.died} died, and the process with it: start it again"
    else:
        code = Exit.INTERRUPTED if signals.last == signal.SIGINT else Exit.TERMINATED
        why = "told twice to stop" if signals.hurried else f"not everything ended within {format_duration(grace)}"
        words = f"{why}; what was acknowledged is kept, and the rest is done again"
    # What hangs may hang in a thread that Python itself would wait for.
    mapped = ctx.find_root().meta.get("interlock.exits", {}).get(int(code), int(code))
    last = threading.Timer(1.0 if signals.hurried else LAST, os._exit, (mapped,))
    last.daemon = True
    last.start()
    raise Leave(code, words)


class _Signals:
    """Turns signals into words to the server."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self.last = 0
        self.hurried = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the shape of a signal's handler)
        if self.last:
            self.hurried = True
            self._serving.hurry()
        self.last = number
        self._serving.stop()

    def _reload(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._serving.reload()
