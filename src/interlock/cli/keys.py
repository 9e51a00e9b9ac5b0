"""`interlock keys`: make API keys, and see which the server would know."""

from __future__ import annotations

import os
from typing import Final

import click
from msgspec import Struct

from interlock.api.contract import Role
from interlock.cli.asking import require_here
from interlock.cli.context import json_option, sound_project_of
from interlock.cli.output import emit_json, faint, say, strong, table, tell

_ROLES: Final = [role.value for role in Role]


class NewKeyView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A key just made. The token is shown this once; nothing keeps it."""

    name: str
    token: str
    hash: str
    roles: tuple[str, ...]
    pipelines: tuple[str, ...]


class KeyView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A key that the server knows, without anything that would open it."""

    name: str
    roles: tuple[str, ...]
    pipelines: tuple[str, ...]


class KeyList(Struct, frozen=True, kw_only=True, rename="camel"):
    """The keys that the server knows."""

    items: tuple[KeyView, ...]


@click.group()
def command() -> None:
    """Make API keys for `interlock serve`, and see which there are."""


@command.command()
@click.option("--name", required=True, help="Who will hold it: shown in events and logs.")
@click.option("--role", "roles", type=click.Choice(_ROLES), multiple=True, help="What it may do; `read` by default.")
@click.option("--pipeline", "pipelines", multiple=True, help="A pipeline it is good for; * and ? may be used.")
@json_option
@click.pass_context
def new(ctx: click.Context, name: str, roles: tuple[str, ...], pipelines: tuple[str, ...], *, as_json: bool) -> None:
    """Make a key: its token for who will hold it, and the lines for `server.keys` or the file of keys.

    Nothing is written anywhere: the token is shown once, and only its hash goes into a file.

    \b
    Examples:
      interlock keys new --name airflow --role operate
      interlock keys new --name orders-job --role push --pipeline 'orders-*'
    """
    require_here(ctx)
    from interlock.config.build_server import check_key
    from interlock.server.keys import new_key

    made = new_key()
    chosen = tuple(dict.fromkeys(roles)) or (Role.READ.value,)
    for problem in check_key(name, pipelines):
        raise click.BadParameter(problem)
    view = NewKeyView(name=name, token=made.token, hash=made.hash, roles=chosen, pipelines=pipelines)
    if as_json:
        emit_json("NewKey", view)
        return
    say(f"token  {strong(made.token)}  {faint('(shown this once)')}")
    say("")
    say(f"  - name: {name}")
    say(f"    hash: {made.hash}")
    say(f"    roles: [{', '.join(chosen)}]")
    if pipelines:
        say(f"    pipelines: [{', '.join(repr(glob) for glob in pipelines)}]")
    tell("Put these lines under server.keys of interlock.yaml, or under keys of the file that server.keysFile names.")


@command.command("list")
@json_option
@click.pass_context
def listed(ctx: click.Context, *, as_json: bool) -> None:
    """List the keys that the server of this project would know, by name.

    \b
    Examples:
      interlock keys list
      interlock keys list --json
    """
    require_here(ctx)
    from interlock.server.keys import ring_of

    ring = ring_of(sound_project_of(ctx).settings.server, os.environ)
    views = tuple(
        KeyView(name=caller.name, roles=tuple(sorted(caller.roles)), pipelines=caller.pipelines)
        for caller in ring.callers
    )
    if as_json:
        emit_json("KeyList", KeyList(items=views))
        return
    if not ring.needed:
        say("no keys: the server lets everybody in who can reach it, and listens on this machine alone")
        return
    rows = [(each.name, " ".join(each.roles), " ".join(each.pipelines) or "all") for each in views]
    say(table(("NAME", "MAY", "PIPELINES"), rows))
