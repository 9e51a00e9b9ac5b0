"""`interlock compile`: a project as one document, for functions on AWS."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from interlock.app.views import View
from interlock.cli.asking import require_here
from interlock.cli.context import json_option, project_root
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, say, tell
from interlock.config.settings import Settings
from interlock.errors import ConfigError

if TYPE_CHECKING:
    from interlock.config.bundle import Bundle


class BundleView(View, frozen=True, kw_only=True, rename="camel"):
    """A bundle without its content. `same` is what `--check` found; null without it. `file` is empty for stdout."""

    digest: str
    pipelines: int
    file: str
    same: bool | None


STANDARD: Final = Path("-")
"""What stands for stdin or stdout in the place of a file."""


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write it there, over what is there; stdout by default.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write nothing; compare with this file, and leave with 1 if it differs.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, out: Path | None, check: Path | None, *, as_json: bool) -> None:
    """Turn the project into one bundle for functions on AWS, or say everything in it that functions cannot do.

    The same files give the same bundle on every machine. It holds no secret, no path of this machine and nothing of its
    environment: EVALUATOR_BASE_URL is left to the functions.

    \b
    Examples:
      interlock compile --out bundle.json
      interlock compile --check bundle.json
    """
    require_here(ctx)
    if out is not None and check is not None:
        raise click.UsageError("--out and --check do not go together")
    out = None if out == STANDARD else out
    from interlock.config.bundle import bundle_text

    bundle = compiled(project_root(ctx))
    same = None if check is None else _same(bundle, check)
    if out is not None:
        _write(bundle_text(bundle), out)
    elif check is None and not as_json:
        say(bundle_text(bundle).decode().rstrip("\n"))
    if as_json:
        place = str(out or check or "")
        emit_json("Bundle", BundleView(digest=bundle.digest, pipelines=len(bundle.pipelines), file=place, same=same))
    elif out is not None:
        tell(f"{out}: {counted(len(bundle.pipelines))}, digest {bundle.digest}")
    elif same is not None:
        say(
            f"{check} is {'what the project says' if same else 'not what the project says: interlock compile --out FILE'}"
        )
    if same is False:
        raise Leave(Exit.NOT_READY)


def compiled(root: Path) -> Bundle:
    """Compile the project in a directory.

    Raises:
        ConfigError: its files have errors, or ask for what functions cannot do: all of it, at once.
    """
    from interlock.config.bundle import bundle_of
    from interlock.config.load import load_project
    from interlock.config.portable import refusals

    # Nothing of this process's environment, and nothing that was remembered of a file, is to be in it.
    project, problems = load_project(root, settings=Settings(no_cache=True), tolerant=True)
    told = {problem for problem in problems if problem.rule != "blocked"}  # that follows from another, which is told
    if found := sorted({*told, *refusals(project)}):
        raise ConfigError(found)
    return bundle_of(project)


def counted(pipelines: int) -> str:
    """Say how many pipelines there are."""
    return f"{pipelines} pipeline{'' if pipelines == 1 else 's'}"


def _same(bundle: Bundle, place: Path) -> bool:
    from interlock.config.bundle import read_bundle

    return read_bundle(read_file(place, "--check"), str(place)).digest == bundle.digest


def read_file(place: Path, option: str) -> bytes:
    """Return what a file holds; `-` is stdin.

    Raises:
        click.BadParameter: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if place == STANDARD else place.read_bytes()
    except OSError as exc:
        raise click.BadParameter(f"{place} cannot be read: {exc.strerror}", param_hint=option) from exc


def _write(text: bytes, place: Path) -> None:
    """Write a file as a whole. A link stays one, and what is there and no file (a pipe, a device) is written to."""
    there = Path(os.path.realpath(place))
    half = there.with_name(f".{there.name}.{os.getpid()}")
    try:
        if there.exists() and not there.is_file():
            there.write_bytes(text)
            return
        half.write_bytes(text)
        half.replace(there)
    except OSError as exc:
        half.unlink(missing_ok=True)
        raise click.BadParameter(f"{place} cannot be written: {exc.strerror}", param_hint="--out") from exc
