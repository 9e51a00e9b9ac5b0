"""`interlock add-pipeline`: write a pipeline file that is sound before anybody can see it, or register one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from interlock.api.registering import Archetype, RegisterPipeline
from interlock.cli.asking import ask, server_of
from interlock.cli.context import project_of
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import say, tell
from interlock.codec.documents import mapping
from interlock.core.ids import NAME_RULE, is_name
from interlock.errors import ConfigError

if TYPE_CHECKING:
    from interlock.cli.drafting import Draft
    from interlock.config.project import Project

TRIGGERS = ("command", "http", "python")


def _name(ctx: click.Context, param: click.Parameter, value: str) -> str:  # noqa: ARG001
    if not is_name(value):
        raise click.BadParameter(f"{value!r} cannot be a name, expected {NAME_RULE}")
    return value


def _evaluators(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:  # noqa: ARG001
    chosen: dict[str, str] = {}
    for text in values:
        trait, equals, evaluator = text.partition("=")
        if not (trait and equals and evaluator):
            raise click.BadParameter(f"{text!r} is not TRAIT=EVALUATOR, such as source-freshness=./evaluators/check")
        if trait in chosen:
            raise click.BadParameter(f"the trait {trait!r} is given twice")
        chosen[trait] = evaluator
    return chosen


@click.command()
@click.option("--name", required=True, callback=_name, help="The pipeline's name, and its file's.")
@click.option("--archetype", default="batch-ingestion", show_default=True, help="Which archetype says what to check.")
@click.option("--tier", type=click.IntRange(0, 9), default=3, show_default=True, help="How much it matters.")
@click.option("--trigger-type", type=click.Choice(TRIGGERS), help="How the job is started; told by what follows.")
@click.option("--trigger-command", help="The program to start, with its arguments.")
@click.option("--trigger-url", help="The address to send a POST to.")
@click.option("--trigger-callable", metavar="MODULE:FUNCTION", help="The Python function to call.")
@click.option(
    "--evaluator",
    "evaluators",
    multiple=True,
    metavar="TRAIT=EVALUATOR",
    callback=_evaluators,
    help="How a trait is checked: a file, builtin:NAME, an address. May be repeated.",
)
@click.option("--push", is_flag=True, help="Take the results of all other required traits as they are pushed.")
@click.pass_context
def command(  # noqa: PLR0913  (one parameter an option)
    ctx: click.Context,
    name: str,
    archetype: str,
    tier: int,
    *,
    trigger_type: str | None,
    trigger_command: str | None,
    trigger_url: str | None,
    trigger_callable: str | None,
    evaluators: dict[str, str],
    push: bool,
) -> None:
    """Write a new pipeline file into the project's first pipeline directory; with a server, register it there.

    It is checked together with the whole project before it is put in its place, and nothing is ever overwritten. Leaves
    with 2 when it would not be valid, 7 when the name is taken; nothing is written then.

    \b
    Examples:
      interlock add-pipeline --name daily-sales --push --trigger-command "python3 scripts/sales.py --date {{date}}"
      interlock add-pipeline --name orders --archetype batch-ingestion --tier 1 \\
        --evaluator source-freshness=./evaluators/check-source-freshness \\
        --evaluator upstream-dependency=./evaluators/check-upstream \\
        --evaluator resource-availability=builtin:disk-space
    """
    from interlock.cli.drafting import Draft

    trigger = _trigger(trigger_type, {"command": trigger_command, "http": trigger_url, "python": trigger_callable})
    draft = Draft(name=name, archetype=archetype, tier=tier, evaluators=evaluators, trigger=trigger)
    if server_of(ctx):
        view = ask(ctx, RegisterPipeline(document=_pushed(ctx, draft).document if push else draft.document))
        say(f"registered {view.name}")
    else:
        project = project_of(ctx)
        found = project.archetypes.get(archetype)
        required = [definition.type for definition in found.required] if found else []
        say(f"wrote {_put(project, draft.with_pushes(required) if push else draft)}")
    say(f"next: interlock evaluate {name}")


def _trigger(chosen: str | None, given: dict[str, str | None]) -> tuple[str, str] | None:
    """Return the type of the trigger and the one thing it needs.

    Raises:
        click.UsageError: they contradict each other, or something is missing.
    """
    options = {"command": "--trigger-command", "http": "--trigger-url", "python": "--trigger-callable"}
    said = {kind: text for kind, text in given.items() if text is not None}
    if len(said) > 1:
        raise click.UsageError(f"a pipeline has one trigger: give one of {', '.join(options[kind] for kind in said)}")
    if chosen is None and not said:
        return None
    kind = chosen or next(iter(said))
    if kind not in said:
        raise click.UsageError(f"a trigger of type {kind} needs {options[kind]}")
    return kind, said[kind]


def _pushed(ctx: click.Context, draft: Draft) -> Draft:
    shown = ask(ctx, Archetype(archetype_name=draft.archetype))
    return draft.with_pushes(str(mapping(definition)["type"]) for definition in shown.required_traits)


def _put(project: Project, draft: Draft) -> str:
    taken = project.pipelines.get(draft.name)
    if taken is not None:
        raise Leave(Exit.CONFLICT, f"a pipeline named {draft.name} is in {taken.source} already; nothing was written")
    if not project.settings.pipeline_dirs:
        raise ConfigError(
            f"the project has no directory for pipelines: make {project.root / 'pipelines'}, "
            "or list one under pipelineDirs"
        )
    path = project.settings.pipeline_dirs[0] / f"{draft.name}.yaml"
    problems = draft.problems(project, path)
    if problems:
        if any(problem.rule == "evaluator" for problem in problems):
            tell("traits get their evaluators with --evaluator TRAIT=EVALUATOR, all that are left with --push")
        raise ConfigError((*problems,))
    try:
        draft.write(path)
    except FileExistsError:
        raise Leave(Exit.CONFLICT, f"{path} exists already; nothing was written") from None
    return str(path.relative_to(project.root)) if path.is_relative_to(project.root) else str(path)
