"""`interlock init`: a project that is READY, runs and completes, before anything is edited."""

from __future__ import annotations

from pathlib import Path

import click

from interlock.cli.asking import require_here
from interlock.cli.output import faint, say, strong


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.pass_context
def command(ctx: click.Context, directory: Path) -> None:
    """Make a project in DIRECTORY: a pipeline that runs at once, its archetypes and evaluators, schemas for editors.

    Nothing that exists is overwritten; if anything is in the way, nothing is written at all.

    \b
    Examples:
      interlock init my-project
      interlock init .
    """
    require_here(ctx)
    from interlock.scaffold.writing import write_scaffold

    written = write_scaffold(directory, template="basic", extra=schema_files())
    say(f"{strong(str(directory))} is ready: {len(written)} files")
    for path in written:
        say(faint(f"  {path.relative_to(directory.absolute()) if path.is_absolute() else path.relative_to(directory)}"))
    say("next:")
    if directory.absolute() != Path.cwd():
        say(f"  cd {directory}")
    say("  interlock evaluate example")
    say("  interlock run example")
    say("  interlock status")
    say("  interlock watch")


def schema_files() -> dict[str, bytes]:
    """Return the JSON Schemas that editors find beside a project, by their path in it."""
    import msgspec

    from interlock.config.cache import KINDS
    from interlock.config.jsonschema import json_schema

    texts = {kind: msgspec.json.format(msgspec.json.encode(json_schema(kind)), indent=2) for kind in KINDS}
    return {f".interlock/schema/{kind}.json": text + b"\n" for kind, text in texts.items()}
