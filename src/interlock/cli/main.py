"""The command group: verbs are imported when they are used, and every error becomes one message and one exit code."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import click

from interlock.cli.exits import Exit, Leave, exit_of, parse_exit_map
from interlock.cli.output import finish, speak_through, tell
from interlock.errors import ConfigError, InterlockError, Unauthorized
from interlock.version import __version__

VERBS: Final[dict[str, str]] = {
    "init": "make a project that runs at once",
    "validate": "check every file of the project",
    "evaluate": "ask a pipeline's traits; start nothing",
    "run": "evaluate, and start the job if it is ready",
    "rerun": "run a slot again after its run has ended",
    "replay": "run a past slot",
    "backfill": "run every slot of a range that has not succeeded",
    "exec": "put a command behind the interlock, where it stands",
    "ping": "tell of a job that runs elsewhere",
    "wait": "wait until a slot is ready or completed",
    "cancel": "end a run and stop its job",
    "pause": "let nothing of a pipeline start for a while",
    "resume": "end a pause",
    "marker": "tell that something about a slot has arrived",
    "watch": "open slots by the calendar and start jobs, unattended",
    "serve": "watch, and answer requests over HTTP, in one process",
    "status": "how pipelines stand",
    "why": "the reasons behind the latest decision",
    "history": "the runs of a pipeline",
    "events": "what happened to a pipeline",
    "shadow": "what would have happened in shadow mode",
    "alerts": "what people are told, and why",
    "silence": "keep alerts quiet for a time",
    "expectations": "what should happen, and what came of it",
    "watchdog": "notice what did not happen",
    "pipelines": "list the pipelines",
    "schedule": "show the slots to come",
    "calendar": "make and show calendars",
    "add-pipeline": "write a new pipeline file",
    "traits": "push a trait's result",
    "sensor": "tell what was measured",
    "complete": "report how a job ended",
    "accept": "take a job's work as done, unverified",
    "keys": "make API keys for the server",
    "schema": "print the JSON Schema of a kind of file",
    "store": "check, export, import and move the store",
    "compile": "turn the project into one bundle for AWS",
    "deploy": "bring a bundle to functions on AWS",
    "archive": "copy history to PostgreSQL",
    "doctor": "check the installation, the store and the evaluators",
    "demo": "play a story with real data",
    "completion": "print the shell completion script",
}

COMPLETE_VARIABLE: Final = "_INTERLOCK_COMPLETE"


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Return the verbs in the order of a first day."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"interlock.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one may have been meant."""
        if args[0] not in VERBS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, n=1)
            if near:
                ctx.fail(f"there is no command {args[0]!r}: did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="interlock", message="%(prog)s %(version)s")
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    help="The project's directory or file, instead of the nearest interlock.yaml upwards.",
)
@click.option(
    "--server",
    metavar="URL",
    help="Ask the server at this address instead of the project here; INTERLOCK_SERVER names one for all commands.",
)
@click.option("--color/--no-color", default=None, help="Colours: on terminals by default, never with NO_COLOR set.")
@click.option(
    "--exit-map",
    metavar="NAME=CODE,…",
    default="",
    help="Leave with codes of your own, such as not_ready=99.",
)
@click.pass_context
def group(
    ctx: click.Context,
    project: Path | None,  # noqa: ARG001  (see context)
    server: str | None,  # noqa: ARG001  (see asking)
    color: bool | None,
    exit_map: str,
) -> None:
    """Hold the start button of data jobs, and let it be pressed only while the preconditions hold.

    \b
    Examples:
      interlock init my-project && cd my-project
      interlock evaluate example
      interlock run example
      interlock status
    """
    ctx.color = False if color is None and os.environ.get("NO_COLOR") else color
    try:
        ctx.meta["interlock.exits"] = parse_exit_map(exit_map)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--exit-map") from exc


def run_cli(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code. Every error is one message on stderr."""
    signal.signal(signal.SIGTERM, _terminated)
    speak_through(None)
    completing = os.environ.get(COMPLETE_VARIABLE)
    if completing:
        from click.shell_completion import shell_complete

        return shell_complete(group, {}, "interlock", COMPLETE_VARIABLE, completing)
    exits: dict[int, int] = {}
    code = _invoke(argv, exits)
    if not finish() and code == Exit.DONE:
        code = _left(Exit.UNDECIDED, "the answer could not be written to stdout")
    return exits.get(code, code)


def _invoke(argv: Sequence[str], exits: dict[int, int]) -> int:
    try:
        with group.make_context("interlock", list(argv)) as ctx:
            try:
                group.invoke(ctx)
            finally:
                exits.update(ctx.meta.get("interlock.exits", {}))
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return int(Exit.USAGE)
    except Leave as exc:
        return _left(exc.code, str(exc))
    except Terminated:
        return _left(Exit.TERMINATED, "terminated; whatever was acknowledged is kept, and a started job goes on")
    except (KeyboardInterrupt, click.Abort):
        return _left(Exit.INTERRUPTED, "interrupted; whatever was acknowledged is kept, and a started job goes on")
    except (InterlockError, OSError) as exc:
        return _left(exit_of(exc), _worded(exc))
    except Exception as exc:  # noqa: BLE001  (the last door: a fault in Interlock must not look like an answer)
        return _internal(exc)
    return int(Exit.DONE)


def _worded(error: Exception) -> str:
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        return f"{error}\n{len(error.problems)} problems; nothing was started"
    if isinstance(error, Unauthorized):
        return f"{error}. Commands read the key from INTERLOCK_API_KEY"
    return str(error)


def _left(code: Exit, message: str) -> int:
    if message:
        tell(f"interlock: {message}")
    return int(code)


def _internal(error: Exception) -> int:
    if os.environ.get("INTERLOCK_DEBUG"):
        import traceback

        traceback.print_exception(error)
    message = f"internal fault: {type(error).__name__}: {error}. This is a bug in Interlock; nothing more was started."
    return _left(Exit.UNDECIDED, f"{message} Run again with INTERLOCK_DEBUG=1 for the details to report")


def _terminated(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  (the shape of a signal handler)
    raise Terminated
