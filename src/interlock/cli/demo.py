"""`interlock demo`: a story with real data, played with the real commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from interlock.cli.asking import require_here
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import faint, say, strong
from interlock.scaffold.demo_steps import STEPS, DemoStep


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path("interlock-demo"))
@click.pass_context
def command(ctx: click.Context, directory: Path) -> None:
    """Play a story in DIRECTORY (./interlock-demo by default): a late file holds a job back, its arrival lets it go.

    The project stays there to play with. Leaves with 3 if anything comes out otherwise than the story tells.

    \b
    Examples:
      interlock demo
      interlock demo /tmp/weather
    """
    require_here(ctx)
    from interlock.cli.init import schema_files
    from interlock.scaffold.writing import write_scaffold

    write_scaffold(directory, template="demo", extra=schema_files())
    for number, step in enumerate(STEPS, start=1):
        _play(step, number, directory.absolute())
    say()
    say(f"The project is yours to play with: cd {directory}")


def _play(step: DemoStep, number: int, project: Path) -> None:
    say()
    say(strong(f"{number}. {step.title}"))
    say(step.text)
    say(faint(f"$ {' '.join(step.argv)}"))
    sys.stdout.flush()
    code = subprocess.run(_argv(step), cwd=project, env=_environment(), check=False).returncode
    if code != step.exit_code:
        told = f"the story tells {step.exit_code}"
        raise Leave(Exit.UNDECIDED, f"step {number} left with {code}, but {told}. The project is in {project}")
    for path in sorted(project.glob(step.show)) if step.show else ():
        say(faint(f"--- {path.relative_to(project)}"))
        say(path.read_text(encoding="utf-8").rstrip())


def _argv(step: DemoStep) -> list[str]:
    program, *rest = step.argv
    if program == "interlock":
        return [sys.executable, "-m", "interlock", *rest]
    return [sys.executable if program == "python3" else program, *rest]


def _environment() -> dict[str, str]:
    # The story is about its own project, whatever project the reader's shell points to.
    return {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
