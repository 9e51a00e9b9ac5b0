"""`interlock schema`: the JSON Schema of a kind of file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from interlock.cli.asking import require_here
from interlock.cli.output import say

KINDS = ("project", "pipeline", "archetype", "calendar")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it there instead, over what is there, making the directory if it is missing.",
)
@click.pass_context
def command(ctx: click.Context, kind: str, output: Path | None) -> None:
    """Print the JSON Schema (2020-12) of a KIND of file: what editors complete and check by.

    \b
    Examples:
      interlock schema pipeline --output .interlock/schema/pipeline.json
      for kind in project pipeline archetype calendar; do
        interlock schema $kind --output .interlock/schema/$kind.json
      done
    """
    require_here(ctx)
    from interlock.config.jsonschema import json_schema

    text = json.dumps(json_schema(kind), indent=2, ensure_ascii=False)
    if output is None:
        say(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", "utf-8")
    except OSError as exc:
        raise click.BadParameter(f"{output} cannot be written: {exc.strerror}", param_hint="--output") from exc
