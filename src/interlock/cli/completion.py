"""`interlock completion`: the script that lets a shell complete commands, options and the names of pipelines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from interlock.cli.asking import require_here
from interlock.cli.output import say

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL, to be read by that shell when it starts.

    \b
    Examples:
      eval "$(interlock completion bash)"                                       # in ~/.bashrc
      eval "$(interlock completion zsh)"                                        # in ~/.zshrc
      interlock completion fish > ~/.config/fish/completions/interlock.fish
    """
    require_here(ctx)
    from interlock.cli.main import COMPLETE_VARIABLE, group

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  (click brings along all three)
    say(kind(group, {}, "interlock", COMPLETE_VARIABLE).source())
