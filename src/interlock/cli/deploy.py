"""`interlock deploy`: bring a bundle into the table that functions on AWS go by, and see what is there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from interlock.app.views import View
from interlock.cli.asking import require_here
from interlock.cli.compile import compiled, counted, read_file
from interlock.cli.context import json_option, project_root
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, moment, plain, say, strong, tell
from interlock.cli.parameters import actor
from interlock.cli.tables import in_words_of_options, table_of, table_options
from interlock.errors import Conflict, StoreEmpty, StoreError

if TYPE_CHECKING:
    from interlock.config.bundle import Bundle
    from interlock.config.project import Project
    from interlock.config.stores import DynamoSpec
    from interlock.operations.deploying import Difference, Synced
    from interlock.stores.kernel import Kernel


class DeployDifference(View, frozen=True, kw_only=True, rename="camel"):
    """How a bundle differs from what is deployed. `gone` are deployed pipelines that it lacks."""

    bundle: str
    same: bool
    new: tuple[str, ...]
    changed: tuple[str, ...]
    unfinished: tuple[str, ...]
    unchanged: int
    gone: tuple[str, ...]
    settings: bool


class DeployTrouble(View, frozen=True, kw_only=True, rename="camel"):
    """A pipeline that could not be planned, and why."""

    pipeline_id: str
    reason: str


class DeploySync(View, frozen=True, kw_only=True, rename="camel"):
    """What deploying came to, or would come to with `dryRun`; `generation` is null then."""

    table: str
    dry_run: bool
    difference: DeployDifference
    removed: tuple[str, ...]
    overtaken: tuple[str, ...]
    troubles: tuple[DeployTrouble, ...]
    generation: int | None


class Deployment(View, frozen=True, kw_only=True, rename="camel"):
    """What is deployed. `difference` is null without `--diff`."""

    table: str
    bundle: str
    pipelines: int
    at: datetime
    actor: str
    interlock: str
    generation: int
    difference: DeployDifference | None


@click.group()
def command() -> None:
    """Bring a project to functions on AWS, and see what they go by."""


@command.command("sync")
@click.argument("bundle", default=".")
@table_options
@click.option("--dry-run", is_flag=True, help="Write nothing, and say what would be done.")
@click.option("--prune", is_flag=True, help="Retire the deployed pipelines that the bundle lacks.")
@json_option
@click.pass_context
def sync_command(
    ctx: click.Context, /, bundle: str, *, dry_run: bool, prune: bool, as_json: bool, **where: str
) -> None:
    """Write a BUNDLE into the table: a file that `interlock compile` made, or a directory, which is compiled first.
    `-` is stdin.

    Doing it again changes nothing, and finishes what was cut short. Pipelines that the bundle lacks stay, unless --prune is
    given. Schedules begin at once. Leaves with 75 when some of it is left to do: deploy again.

    \b
    Examples:
      interlock deploy sync bundle.json --table interlock --dry-run
      interlock deploy sync . --table interlock --prune
    """
    require_here(ctx)
    from interlock.operations.deploying import sync

    wanted = _bundle(ctx, bundle)
    project = _project_of(wanted, table_of(where))
    if dry_run:
        view = _view(where["table"], _compared(wanted, project, prune=prune), None, prune=prune)
    else:
        with _working(project) as site:
            done = sync(wanted, site, prune=prune)
        view = _view(where["table"], done.difference, done, prune=prune)
    if as_json:
        emit_json("DeploySync", view)
    else:
        _print_sync(view)
    if view.troubles or view.overtaken:
        raise Leave(Exit.TRY_LATER, "some of it is left to do: deploy again")


@command.command()
@table_options
@click.option(
    "--diff", metavar="BUNDLE", help="Compare with this bundle or directory, and leave with 1 if they differ."
)
@json_option
@click.pass_context
def status(ctx: click.Context, /, diff: str | None, *, as_json: bool, **where: str) -> None:
    """Show what is deployed, since when and by whom. Leaves with 8 when nothing is.

    \b
    Examples:
      interlock deploy status --table interlock
      interlock deploy status --table interlock --diff .
    """
    require_here(ctx)
    from interlock.operations.deploying import difference
    from interlock.stores.deployments import DeploymentRows

    wanted = None if diff is None else _bundle(ctx, diff)
    with _reading(_project_of(wanted, table_of(where))) as kernel:
        rows = DeploymentRows(kernel)
        head = rows.head()
        found = None if wanted is None or head is None else difference(wanted, rows)
    if head is None:
        table = where["table"]
        raise Leave(
            Exit.NOT_FOUND, f"nothing is deployed in the table {table!r}: interlock deploy sync --table {table}"
        )
    view = Deployment(
        table=where["table"],
        bundle=head.digest,
        pipelines=head.pipelines,
        at=head.at,
        actor=head.actor,
        interlock=head.interlock,
        generation=head.generation,
        difference=None if found is None else _difference(found),
    )
    if as_json:
        emit_json("Deployment", view)
    else:
        _print_status(view)
    if view.difference is not None and not (view.difference.same and not view.difference.gone):
        raise Leave(Exit.NOT_READY)


# ---------------------------------------------------------------- where from, where to


def _bundle(ctx: click.Context, text: str) -> Bundle:
    """Read a bundle, or compile a directory; what functions cannot do is refused in both."""
    from interlock.config.bundle import read_bundle
    from interlock.config.discover import find_project
    from interlock.config.portable import refuse_unportable

    if not text:
        raise click.BadParameter("it names no file and no directory. Is a variable empty?", param_hint="BUNDLE")
    place = Path(text)
    if place.is_dir():
        return compiled(project_root(ctx) if text == "." else find_project(place, place))
    found = read_bundle(read_file(place, "BUNDLE"), text)
    refuse_unportable(found, text)
    return found


def _project_of(bundle: Bundle | None, table: DynamoSpec) -> Project:
    """Return a project that is good for opening the table, and for planning what a bundle says."""
    from dataclasses import replace as with_fields

    from interlock.config.project import ProjectSettings
    from interlock.operations.deploying import planning_project

    if bundle is None:
        from interlock.config.project import Project

        settings = ProjectSettings(provider="dynamodb", sqlite_path=Path(), dynamodb=table)
        return Project(root=Path.cwd(), file="", settings=settings, pipelines={}, archetypes={}, calendars={})
    project = planning_project(bundle, Path.cwd())
    return with_fields(project, settings=replace(project.settings, dynamodb=table))


def _opened(project: Project, *, read_only: bool) -> Kernel:
    """Open the table.

    Raises:
        StoreError: it cannot be; where it is missing, the words are those for functions.
    """
    from interlock.runtime.stores import open_kernel

    try:
        return open_kernel(project, read_only=read_only)
    except StoreEmpty:
        from interlock.stores.memory import MemoryKernel

        return MemoryKernel()
    except StoreError as exc:
        if "there is no such table" not in str(exc):
            raise
        raise StoreError(
            f"there is no DynamoDB table {project.settings.dynamodb.table_name!r} there. Terraform makes it with the "
            "functions: apply deploy/terraform first, or correct --table, --region and --profile. Nothing was deployed"
        ) from exc


@contextmanager
def _reading(project: Project) -> Iterator[Kernel]:
    with in_words_of_options(), closing(_opened(project, read_only=True)) as kernel:
        yield kernel


def _compared(bundle: Bundle, project: Project, *, prune: bool) -> Difference:
    from interlock.operations.deploying import difference, refuse_to_retire_all
    from interlock.stores.deployments import DeploymentRows

    with _reading(project) as kernel:
        found = difference(bundle, DeploymentRows(kernel))
    if prune:
        refuse_to_retire_all(found)
    return found


@contextmanager
def _working(project: Project) -> Iterator[Any]:
    """Open the table to deploy into it, unless a watcher works on it: two engines would each start the jobs."""
    from interlock.operations.deploying import Site
    from interlock.runtime.deployed import DeployedCatalog
    from interlock.runtime.wiring import Interlock
    from interlock.stores.deployments import DeploymentRows
    from interlock.stores.passing import advice_of

    with in_words_of_options(), closing(_opened(project, read_only=False)) as kernel:
        _refuse_watched(kernel, project)
        catalog = DeployedCatalog(project, DeploymentRows(kernel))
        with Interlock(project, kernel=kernel, catalog=catalog) as work:
            yield Site(DeploymentRows(work.kernel), work.hands, actor())
        for words in advice_of(kernel):
            tell(f"interlock: {words}")


def _refuse_watched(kernel: Kernel, project: Project) -> None:
    from interlock.app.watch_views import WATCHER
    from interlock.runtime.clock import SystemClock
    from interlock.runtime.deployed import is_of_functions
    from interlock.runtime.moving import at_work

    members = at_work(kernel, SystemClock().now(), socket.gethostname())
    there = [each.name for each in members if each.role == WATCHER and not is_of_functions(each)]
    if there:
        raise Conflict(
            f"a watcher works on the table {project.settings.dynamodb.table_name!r} ({', '.join(there)}), and functions "
            "would start the same jobs. Stop every `interlock watch` and `serve` on it, or deploy into another table"
        )


# ---------------------------------------------------------------- shown


def _difference(found: Difference) -> DeployDifference:
    return DeployDifference(
        bundle=found.bundle,
        same=found.same,
        new=found.new,
        changed=found.changed,
        unfinished=(*found.unfinished, *found.retiring),
        unchanged=len(found.unchanged),
        gone=found.gone,
        settings=found.settings,
    )


def _view(table: str, found: Difference, done: Synced | None, *, prune: bool) -> DeploySync:
    would = (*found.retiring, *(found.gone if prune else ()))
    return DeploySync(
        table=table,
        dry_run=done is None,
        difference=_difference(found),
        removed=would if done is None else done.removed,
        overtaken=() if done is None else done.overtaken,
        troubles=() if done is None else tuple(DeployTrouble(pipeline_id=n, reason=why) for n, why in done.troubles),
        generation=None if done is None else done.generation,
    )


def _print_difference(found: DeployDifference) -> None:
    for word in ("new", "changed", "unfinished"):
        for name in getattr(found, word):
            say(f"{strong(word):12}  {plain(name)}")
    if found.settings:
        say(f"{strong('changed'):12}  (settings)")


def _print_sync(view: DeploySync) -> None:
    found = view.difference
    _print_difference(found)
    for name in view.removed:
        say(f"{strong('removed'):12}  {plain(name)}")
    for name in found.gone:
        if name not in view.removed:
            say(f"{strong('kept'):12}  {plain(name)}  (not in the bundle; --prune retires it)")
    for name in view.overtaken:
        tell(f"interlock: {plain(name)} was changed by somebody else meanwhile, and is left to them")
    for trouble in view.troubles:
        tell(f"interlock: {plain(trouble.pipeline_id)} could not be planned: {plain(trouble.reason)}")
    say(f"{found.unchanged} unchanged")
    if view.dry_run:
        say(f"nothing was written; the bundle is {found.bundle}")
    else:
        say(f"{view.table} goes by the bundle {found.bundle}, deployment {view.generation}")


def _print_status(view: Deployment) -> None:
    say(f"{view.table} goes by the bundle {view.bundle}")
    say(f"{counted(view.pipelines)}, deployment {view.generation}, by {plain(view.actor)} at {moment(view.at)}")
    say(f"with Interlock {plain(view.interlock)}")
    if view.difference is None:
        return
    _print_difference(view.difference)
    for name in view.difference.gone:
        say(f"{strong('not in it'):12}  {plain(name)}")
    same = view.difference.same and not view.difference.gone
    say("the same" if same else f"it differs from the bundle {view.difference.bundle}")
