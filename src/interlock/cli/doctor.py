"""`interlock doctor`: is everything here that Interlock needs? Looks at all of it, whatever is found on the way."""

from __future__ import annotations

import os
from contextlib import suppress

import click

from interlock.app.views import View
from interlock.cli.asking import require_here
from interlock.cli.context import json_option, project_root
from interlock.cli.exits import Exit, Leave
from interlock.cli.output import emit_json, plain, say, strong, styled
from interlock.config.settings import Settings
from interlock.errors import ConfigError, StoreError
from interlock.runtime.clock import SystemClock
from interlock.runtime.examination import Finding, Outcome, examine_machine, examine_project


class CheckView(View, frozen=True, kw_only=True, rename="camel"):
    """One thing that was looked at. `outcome` is ok, warn or fail; `advice` says what to do about it."""

    name: str
    outcome: str
    message: str
    advice: str


class Doctor(View, frozen=True, kw_only=True, rename="camel"):
    """All that was looked at; `ok` unless something failed."""

    ok: bool
    checks: tuple[CheckView, ...]


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Look at the installation, the project, its store and everything its pipelines call; say what to do about it.

    Leaves with 0 when nothing failed (warnings do not count), 2 when the configuration did, else 3.

    \b
    Examples:
      interlock doctor
      interlock doctor --json | jq -r '.checks[] | select(.outcome != "ok") | .message'
    """
    require_here(ctx)
    from interlock.config.load import load_project
    from interlock.runtime.outlook import examine_outside
    from interlock.runtime.reading import with_registered_here

    found = list(examine_machine())
    broken = False
    try:
        project, problems = load_project(project_root(ctx), settings=Settings.of(os.environ), tolerant=True)
    except ConfigError as exc:
        broken = True
        found.append(Finding("project", Outcome.FAIL, str(exc), "repair it, or begin with: interlock init NAME"))
    else:
        with suppress(StoreError, ConfigError):  # that it cannot be read is among what is found
            project = with_registered_here(project)
            names = (name for name, one in project.registered.items() if not one.shadowed)
            problems += tuple(problem for name in names for problem in project.broken.get(name, ()))
        broken = bool(problems)
        found += examine_project(project, problems, SystemClock().now(), os.environ)
        found += examine_outside(project, SystemClock().now(), os.environ)
    failed = any(finding.outcome is Outcome.FAIL for finding in found)
    if as_json:
        checks = tuple(CheckView(name=f.name, outcome=f.outcome, message=f.message, advice=f.advice) for f in found)
        emit_json("Doctor", Doctor(ok=not failed, checks=checks))
    else:
        _print(found)
    if failed:
        raise Leave(Exit.USAGE if broken else Exit.UNDECIDED)


def _print(found: list[Finding]) -> None:
    width = max(len(finding.name) for finding in found)
    for finding in found:
        mark = styled(finding.outcome) + " " * (4 - len(finding.outcome))
        say(f"{mark}  {strong(finding.name)}{' ' * (width - len(finding.name))}  {plain(finding.message)}")
        if finding.advice:
            say(f"{' ' * (width + 8)}{plain(finding.advice)}")
