"""`interlock store`: look after the store as a whole: verify it, export it, import it, move it to another provider."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from interlock.app.views import View
from interlock.cli.asking import require_here
from interlock.cli.context import json_option, project_root
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, plain, say, strong, tell
from interlock.cli.progress import patience
from interlock.config.settings import Settings
from interlock.errors import StoreEmpty
from interlock.plugins import PROVIDERS, available

if TYPE_CHECKING:
    from interlock.config.project import Project
    from interlock.runtime.checking import Checked
    from interlock.stores.kernel import Kernel

_CAUGHT_UP: Final = 3.0
"""Seconds after which an index that lags behind has what was written before."""

_SETTLED: Final = 3
"""How many times as long as a look lasts everybody is waited for who may not have seen yet that the store is closed."""


class _Provider(click.Choice[str]):
    """Ours, or any that is installed, which is looked for only when it is none of ours: that takes a while."""

    def __init__(self) -> None:
        super().__init__(PROVIDERS)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name of a provider."""
        installed = value not in PROVIDERS and value in available("store")
        return value if installed else super().convert(value, param, ctx)


class StoreFault(View, frozen=True, kw_only=True, rename="camel"):
    """One thing that is wrong: with which row, what it means, what to do. `repairable` says that `--repair` can do it."""

    kind: str
    pk: str
    sk: str
    meaning: str
    advice: str
    repairable: bool


class StoreCheck(View, frozen=True, kw_only=True, rename="camel"):
    """A look at a whole store. `faults` are the first of `wrong` in all.

    `closed` says why nobody may work on it; `untold` counts journals that cannot be folded because it is not known how they
    began; `repaired` is how much was made again before.
    """

    ok: bool
    provider: str
    closed: str
    live: bool
    rows: int
    runs: int
    journal_lines: int
    wishes: int
    specs: int
    dispatches: int
    untold: int
    advice: tuple[str, ...]
    repaired: int
    wrong: int
    faults: tuple[StoreFault, ...]


@click.group()
def command() -> None:
    """Verify the store, export it, import it, move it to another provider."""


@command.command()
@click.option("--repair", is_flag=True, help="Make again what follows from other rows, such as places in listings.")
@json_option
@click.pass_context
def check(ctx: click.Context, *, repair: bool, as_json: bool) -> None:
    """Verify every row of the store, and what must hold between them. Nothing is changed without --repair.

    Every row can be read; every journal folds to its run, and no step of it was unsafe; what is due, listed, wished and
    claimed belongs to something; the server is set up as it must be. Leaves with 1 when something is wrong.

    \b
    Examples:
      interlock store check
      interlock store check --json | jq -r '.faults[] | [.kind, .pk, .sk] | @tsv'
    """
    require_here(ctx)
    project = _project(ctx)
    with patience("verifying every row of the store", quiet=as_json):
        repaired = _repaired(project) if repair else 0
        view = _checked(project, repaired)
    if as_json:
        emit_json("StoreCheck", view)
    else:
        _print(view)
    if not view.ok:
        raise Leave(Exit.NOT_READY)


@command.command()
@click.option(
    "--to", "place", default="-", metavar="FILE", help="Where; stdout by default. .gz at its end compresses it."
)
@click.option("--live", is_flag=True, help="Although somebody is at work: good to look at, and never to be imported.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out rows that cannot be read, and name them at the end.")
@click.pass_context
def export(ctx: click.Context, place: str, *, live: bool, skip_unreadable: bool) -> None:
    """Write every row of the store as lines of JSON. Nobody may be at work meanwhile, except with --live.

    \b
    Examples:
      interlock store export --to orders.jsonl.gz
      interlock store export | jq -r 'select(.line == "record") | .pk' | sort -u
    """
    require_here(ctx)
    from interlock.runtime.clock import SystemClock
    from interlock.runtime.export_files import to_write
    from interlock.runtime.moving import export_to, refuse_at_work
    from interlock.stores.export import Header
    from interlock.version import __version__

    project, now = _project(ctx), SystemClock().now().replace(microsecond=0)
    with closing(_opened(project, read_only=True)) as kernel:
        if not live:
            refuse_at_work(kernel, now, socket.gethostname(), "cannot export the store")
        header = Header(
            interlock=__version__,
            project=project.root.name,
            provider=project.settings.provider,
            exported_at=now.isoformat(timespec="seconds"),
            live=live,
        )
        with to_write(place) as sink, patience("exporting every row of the store"):
            trailer = export_to(kernel, sink, header, now, skip_unreadable=skip_unreadable)
    tell(f"exported {trailer.count} rows of {project.settings.provider}: {trailer.digest}")
    if trailer.unreadable:
        tell(f"interlock: {len(trailer.unreadable)} rows could not be read and are missing; the last line names them")


@command.command("import")
@click.argument("file")
@click.option("--from-project", "origin", default="", metavar="NAME", help="It may be an export of this project.")
@click.option("--accept-missing", is_flag=True, help="Although rows were left out that could not be read.")
@click.pass_context
def import_command(ctx: click.Context, file: str, origin: str, *, accept_missing: bool) -> None:
    """Fill the store of the configured provider, which must be empty, with an export: FILE, or `-` for stdin.

    The export is verified wholly before anything is written, and the store afterwards. One that is broken off leaves the
    store closed to everybody, and is gone on with by doing it again.

    \b
    Examples:
      interlock store import orders.jsonl.gz
    """
    require_here(ctx)
    from interlock.runtime.clock import SystemClock
    from interlock.runtime.export_files import STREAM, to_read
    from interlock.runtime.moving import Terms, import_from

    project = _project(ctx)
    terms = Terms(project.root.name, origin, accept_missing, SystemClock().now().replace(microsecond=0))
    words = "importing: the export is verified, then written, and then the store is verified"
    with to_read(file) as source, closing(_opened(project)) as kernel, patience(words):
        done = import_from(kernel, source, "stdin" if file == STREAM else file, terms)
    tell(f"imported {done.count} rows into {project.settings.provider} and verified them: {done}")


@command.command()
@click.option("--to", "target", type=_Provider(), help="The provider to move to, set up in the same file.")
@click.option("--abandon", is_flag=True, help="Open the store again that a move was broken off from.")
@click.pass_context
def migrate(ctx: click.Context, target: str | None, *, abandon: bool) -> None:
    """Move everything to another provider with --to; without, bring the store up to date with this version of Interlock.

    A move needs everybody to stop, and the other store to be empty. Everything is verified there; the old store is kept, and
    closed for good, so that no job can be started from both.

    \b
    Examples:
      interlock store migrate
      interlock store migrate --to postgres
    """
    require_here(ctx)
    project = _project(ctx)
    if abandon:
        _abandon(project)
    elif target is None:
        _bring_up_to_date(project)
    else:
        _move(project, target)


def _project(ctx: click.Context) -> Project:
    from interlock.config.load import load_project

    return load_project(project_root(ctx), settings=Settings.of(os.environ), tolerant=True)[0]


def _opened(project: Project, *, read_only: bool = False) -> Kernel:
    """Open the store whether or not it is closed to those who work; one that is not there yet reads as empty."""
    from interlock.runtime.stores import open_even_closed

    try:
        return open_even_closed(project, read_only=read_only)
    except StoreEmpty:
        from interlock.stores.memory import MemoryKernel

        return MemoryKernel()


def _move(project: Project, target: str) -> None:
    from interlock.runtime.clock import SystemClock
    from interlock.runtime.closing import LOOK
    from interlock.runtime.moving import Plan, move, refuse_at_work
    from interlock.runtime.stores import moved_to

    there = moved_to(project, target)
    now, here = SystemClock().now().replace(microsecond=0), project.settings.provider
    settle = threading.Event()
    plan = Plan(here, target, now, partial(settle.wait, _SETTLED * LOOK.total_seconds()))
    with closing(_opened(project)) as source:
        refuse_at_work(source, now, socket.gethostname(), f"cannot move the store to {target}")
        with closing(_opened(there)) as into, patience(f"moving every row from {here} to {target}, and verifying them"):
            done = move(source, into, plan)
    tell(f"moved {done.count} rows from {here} to {target} and verified them: {done}")
    tell(f"The store of {here} is kept as it was, and closed. Now put this line into {project.file}:")
    say(f"provider: {target}")


def _abandon(project: Project) -> None:
    from interlock.runtime.moving import abandon

    with closing(_opened(project)) as kernel:
        state = abandon(kernel)
    tell(
        f"the store of {project.settings.provider} is open again. What was copied to {state.other} stays there, closed: "
        "empty it before you move there again"
    )


def _bring_up_to_date(project: Project) -> None:
    from interlock.stores.kernel import Migratable
    from interlock.stores.passing import behind

    with closing(_opened(project)) as kernel:
        found = behind(kernel, Migratable)  # type: ignore[type-abstract]  # a protocol, asked for at run time
        with patience("bringing the store up to date"):
            done = () if found is None else found.migrate()
    for name in done:
        say(f"done  {name}")
    if not done:
        say(f"the store of {project.settings.provider} is up to date: there is nothing to do")


def _repaired(project: Project) -> int:
    from interlock.runtime.checking import Checking, repair
    from interlock.runtime.stores import open_kernel
    from interlock.stores.walking import walkable

    with closing(open_kernel(project)) as kernel:
        done, left = repair(kernel, Checking(kernel, walkable(kernel), live=True).faults())
    if left:
        tell(f"interlock: {left} rows were written by somebody else meanwhile, and were left alone")
    return done


def _checked(project: Project, repaired: int) -> StoreCheck:
    from interlock.runtime.checking import Checking
    from interlock.runtime.clock import SystemClock
    from interlock.runtime.moving import at_work
    from interlock.stores.passing import advice_of
    from interlock.stores.state import closed, state_of
    from interlock.stores.walking import walkable

    with closing(_opened(project, read_only=True)) as kernel:
        state = state_of(kernel)
        live = bool(at_work(kernel, SystemClock().now(), socket.gethostname()))
        settled = partial(threading.Event().wait, _CAUGHT_UP)
        found = Checking(kernel, walkable(kernel), live=live, settle=settled)()
        advice = advice_of(kernel)
    return _view(found, project.settings.provider, "" if state is None else closed(state), advice, repaired, live=live)


def _view(
    found: Checked, provider: str, closed: str, advice: tuple[str, ...], repaired: int, *, live: bool
) -> StoreCheck:
    return StoreCheck(
        ok=not found.wrong,
        provider=provider,
        closed=closed,
        live=live,
        rows=found.rows,
        runs=found.counts["runs"],
        journal_lines=found.counts["journalLines"],
        wishes=found.counts["wishes"],
        specs=found.counts["specs"],
        dispatches=found.counts["dispatches"],
        untold=found.untold,
        advice=advice,
        repaired=repaired,
        wrong=found.wrong,
        faults=tuple(
            StoreFault(
                kind=fault.kind,
                pk=fault.pk,
                sk=fault.sk,
                meaning=fault.meaning,
                advice=fault.advice,
                repairable=bool(fault.repair),
            )
            for fault in found.faults
        ),
    )


def _print(view: StoreCheck) -> None:
    if view.closed:
        tell(f"interlock: {view.closed}")
    if view.repaired:
        say(f"{view.repaired} made again")
    for fault in view.faults:
        say(f"{strong(fault.kind)}  {plain(fault.pk)}  {plain(fault.sk)}")
        say(f"  {plain(fault.meaning)}")
        say(f"  {plain(fault.advice)}")
    if view.wrong > len(view.faults):
        say(f"and {view.wrong - len(view.faults)} more")
    for words in view.advice:
        say(f"{strong('advice')}  {plain(words)}")
    counted = f"{view.rows} rows, {view.runs} runs, {view.journal_lines} lines of journals, {view.specs} specs"
    say(f"{view.provider}: {counted}: {f'{view.wrong} faults' if view.wrong else 'nothing is wrong'}")
    if view.untold:
        tell(f"{view.untold} journals cannot be folded: their runs were pinned to another spec while they waited")
    if view.live:
        tell("somebody is at work: what indexes list was not held against the rows")
