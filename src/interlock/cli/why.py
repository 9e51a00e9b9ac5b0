"""`interlock why`: the reasons behind the latest decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interlock.app.explain import Why, explain, explain_run
from interlock.cli.context import json_option, known_name, pipeline_argument, reading, sound_project_of
from interlock.cli.output import emit_json, say
from interlock.cli.render_why import tree
from interlock.core.ids import RunKey, parse_run_id
from interlock.core.runs import Run
from interlock.errors import NotFound
from interlock.runtime.clock import SystemClock

if TYPE_CHECKING:
    from interlock.stores.repository import Repository


@click.command()
@pipeline_argument
@click.option("--run", "run_id", help="Explain this run instead of what was decided last.")
@json_option
@click.pass_context
def command(ctx: click.Context, pipeline: str, run_id: str | None, *, as_json: bool) -> None:
    """Show why PIPELINE was let through or held back: each trait with its evidence, and what would change the answer.

    \b
    Examples:
      interlock why example
      interlock why example --run example:daily:2026-03-07:1
      interlock why example --json | jq '.traits[] | select(.status != "PASS")'
    """
    project = sound_project_of(ctx)
    store = reading(ctx, project)
    at = SystemClock().now()
    name = known_name(project, store, pipeline)
    if run_id is not None:
        why: Why | None = explain_run(_run(store, name, run_id), store, at)
    else:
        why = explain(name, store, at)
    if as_json:
        emit_json("Why", why or nothing_decided(name))
    else:
        say(tree(why or nothing_decided(name)))


def run_key(pipeline: str, text: str, option: str) -> RunKey:
    """Read a run id from the command line.

    Raises:
        click.BadParameter: it is none, or another pipeline's.
    """
    try:
        key = parse_run_id(text)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint=option) from exc
    if key.slot.pipeline != pipeline:
        raise click.BadParameter(f"{text} is a run of {key.slot.pipeline}, not of {pipeline}", param_hint=option)
    return key


def _run(store: Repository, pipeline: str, text: str) -> Run:
    key = run_key(pipeline, text, "--run")
    run = store.run(key)
    if run is None:
        raise NotFound(f"there is no run {key} (see: interlock history {pipeline})")
    return run


def nothing_decided(pipeline: str) -> Why:
    """Return the explanation of a pipeline about which nothing was ever decided."""
    return Why(
        pipeline_id=pipeline,
        schedule_id="",
        date="",
        run_id="",
        status="UNKNOWN",
        headline="nothing was decided yet",
        decided_at=None,
        rule="",
        traits=(),
        decision=None,
        override=None,
        overridden=(),
        permit_until=None,
        attempts=(),
        next=f"ask its traits with: interlock evaluate {pipeline}",
    )
