"""`interlock init`: a project that is READY, runs and completes, before anything is edited."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from interlock.cli.asking import require_here
from interlock.cli.output import faint, say, strong, tell


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--redis", is_flag=True, help="Keep the state in Redis or Valkey; start one where Docker is present.")
@click.pass_context
def command(ctx: click.Context, directory: Path, *, redis: bool) -> None:
    """Make a project in DIRECTORY: a pipeline that runs at once, its archetypes and evaluators, schemas for editors.

    Nothing that exists is overwritten; if anything is in the way, nothing is written at all.

    \b
    Examples:
      interlock init my-project
      interlock init .
      interlock init my-project --redis
    """
    require_here(ctx)
    from interlock.scaffold.writing import write_scaffold

    extra = schema_files() | (redis_file() if redis else {})
    written = write_scaffold(directory, template="basic", extra=extra)
    say(f"{strong(str(directory))} is ready: {len(written)} files")
    for path in written:
        say(faint(f"  {path.relative_to(directory.absolute()) if path.is_absolute() else path.relative_to(directory)}"))
    if redis:
        from interlock.scaffold.valkey import ensure_server

        tell(ensure_server())
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


def redis_file() -> dict[str, bytes]:
    """Return the project file that keeps its state in Redis or Valkey.

    Raises:
        MissingExtra: the driver is not installed: nothing is written, since nothing in the project would work.
    """
    from interlock.errors import MissingExtra
    from interlock.scaffold.valkey import with_redis
    from interlock.scaffold.writing import scaffold_files

    if find_spec("redis") is None:
        raise MissingExtra("the provider redis", "redis")
    (file,) = (each for each in scaffold_files("basic") if str(each.path) == "interlock.yaml")
    return {"interlock.yaml": with_redis(file.content.decode()).encode()}
