"""`interlock validate`: everything wrong with the files, at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interlock.cli.asking import require_here
from interlock.cli.context import project_root
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, say, tell
from interlock.cli.progress import patience
from interlock.config.settings import Settings
from interlock.errors import ConfigError, Problem
from interlock.plugins import shadowing

if TYPE_CHECKING:
    from interlock.config.project import Project

FORMS = ("text", "github", "json", "sarif")


@click.command()
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True, help="For whom.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_context
def command(ctx: click.Context, form: str, *, as_json: bool) -> None:
    """Check every file of the project and report all problems at once. No evaluator is asked, no store opened.

    Leaves with 0 when there is no problem, else with 2. Problems for people go to stderr; all other forms to stdout.

    \b
    Examples:
      interlock validate
      interlock validate --format github
      interlock validate --format sarif > interlock.sarif
    """
    require_here(ctx)
    from msgspec.structs import replace

    from interlock.config.load import load_project

    form = "json" if as_json else form
    problems: tuple[Problem, ...] = ()
    root = project_root(ctx)
    try:
        with patience("reading every file of the project", quiet=form != "text"):
            # Afresh: what was remembered of a file is for commands in a hurry.
            project = load_project(root, settings=replace(Settings.of(os.environ), no_cache=True))
    except ConfigError as exc:
        if not exc.problems:
            raise
        problems = exc.problems
        _report(_seen_from_here(problems, root) if form in ("github", "sarif") else problems, form)
    else:
        if form == "text":
            files = count_files(project)
            say(f"{files} file{'' if files == 1 else 's'}, no problems")
        else:
            _report(problems, form)
    if form == "text":
        for words in shadowing():
            tell(f"interlock: {words}")
    if problems:
        raise Leave(Exit.USAGE)


def _seen_from_here(problems: Sequence[Problem], root: Path) -> tuple[Problem, ...]:
    # Code hosts look for files from where the job stands, which need not be the project's directory.
    return tuple(problem._replace(file=os.path.relpath(root / problem.file)) for problem in problems)


def count_files(project: Project) -> int:
    """Return how many files a project is made of, its own included."""
    from interlock.config.discover import PROJECT_FILES, yaml_files

    places = project.settings
    found = {
        path
        for directory in (*places.archetype_dirs, *places.calendar_dirs, *places.pipeline_dirs)
        for path, _ in yaml_files(str(directory))
    }
    own = {str(project.root / name) for name in PROJECT_FILES}
    return len(found - own) + 1


def _report(problems: Sequence[Problem], form: str) -> None:
    from interlock.config.report import render

    text = render(problems, form).rstrip("\n")
    if form == "json":
        import msgspec

        emit_json("Validation", msgspec.json.decode(text))
    elif form == "text":
        tell(text)
    elif text:
        say(text)
