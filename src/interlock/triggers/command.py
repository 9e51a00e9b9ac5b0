"""Run a program of this machine as the job."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from interlock.core.templates import has_placeholder
from interlock.ports.triggers import Absent, Job, JobHandle, JobReport
from interlock.triggers.context import TriggerContext

LONGEST: Final = 86_400
_SHELL: Final = "/bin/sh"
_QUOTING: Final = re.compile(r"[\"'\\\x1c-\x1f\v\f]")


class CommandConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A program with its arguments, run without a shell unless one is asked for."""

    command: Annotated[
        str | tuple[str, ...],
        Meta(description="The program and its arguments: a list, or a text that is split like a shell would split it."),
    ]
    shell: Annotated[bool, Meta(description="Hand the text to /bin/sh -c. The text may then hold no placeholder.")] = (
        False
    )
    timeout: Annotated[
        float, Meta(gt=0, le=30 * LONGEST, description="Seconds after which the job is stopped; a day by default.")
    ] = LONGEST
    grace: Annotated[float, Meta(ge=0, le=3600, description="Seconds between asking a job to stop and killing it.")] = (
        10
    )
    cwd: Annotated[str, Meta(description="Where it runs, relative to the project; the project by default.")] = ""
    env: Annotated[dict[str, str], Meta(description="Variables added to the small environment of the job.")] = {}

    def __post_init__(self) -> None:
        if self.shell and not isinstance(self.command, str):
            raise ValueError("`shell: true` needs the command as one text; a list is run without a shell")
        for name, value in self.env.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"not an environment variable: {name!r}")
        self.argv()

    def argv(self) -> tuple[str, ...]:
        """Return the argument list.

        Raises:
            ValueError: there is no program in it, or a quotation is left open.
        """
        if self.shell:
            found: tuple[str, ...] = (_SHELL, "-c", str(self.command))
        else:
            found = words(self.command) if isinstance(self.command, str) else self.command
        if not found or not found[-1 if self.shell else 0].strip():
            raise ValueError("the command is empty")
        if any("\0" in part for part in found):
            raise ValueError("the command holds a NUL character")
        return found


def words(text: str) -> tuple[str, ...]:
    """Split a command as a shell would, without one.

    Raises:
        ValueError: a quotation is left open.
    """
    # The shell's rules differ from plain splitting only where these appear, and plain splitting is 30 times as fast.
    if text.isascii() and not _QUOTING.search(text):
        return tuple(text.split())
    return tuple(shlex.split(text))


class CommandTrigger:
    """Starts a process under a supervisor of its own, so that its outcome survives the death of Interlock.

    The same key never starts a second process: `start` may be repeated at will.
    """

    Config = CommandConfig
    local = True
    repeatable = True
    watchable = True

    def __init__(self, config: CommandConfig, context: TriggerContext) -> None:
        self._config = config
        self._context = context
        # Imported when a job is at hand: checking a configuration must stay quick.
        from interlock.clients.processes import SupervisedJobs

        self._jobs = SupervisedJobs(context.state_dir / "jobs", root=context.root)

    @staticmethod
    def normal_form(config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration as placeholders may be put into it: the text split before anything is filled in.

        Otherwise a value with a space or a quotation mark would become several arguments, or an error.

        Raises:
            ValueError: the text cannot be split, or is a shell's and holds a placeholder.
        """
        command = config.get("command")
        if not isinstance(command, str):
            return dict(config)
        if config.get("shell") is not True:
            return {**config, "command": list(words(command))}
        if has_placeholder(command):
            raise ValueError(
                "a shell's text takes no placeholders, because what is put in could be read as shell: "
                "use $INTERLOCK_DATE, $INTERLOCK_RUN_ID and so on, in double quotes"
            )
        # `$$` is the shell's own number, and what is filled in next would halve it.
        return {**config, "command": command.replace("$$", "$$$$")}

    def start(self, job: Job, *, timeout: timedelta) -> JobHandle:
        """Start the process, or return the one already started under this key."""
        from interlock.clients.environment import small_environment
        from interlock.clients.processes import Launch

        environment = small_environment(
            os.environ, self._context.env_allow, {**self._config.env, **self._context.described(job)}
        )
        launch = Launch(
            argv=self._config.argv(),
            env=environment,
            cwd=str(self._context.root / self._config.cwd),
            timeout=timedelta(seconds=self._config.timeout),
            grace=timedelta(seconds=self._config.grace),
        )
        return self._jobs.start(job.key, launch, timeout=timeout)

    def find(self, job: Job, *, timeout: timedelta) -> JobHandle | Absent:
        """Look for the process; the answer that there is none also ends every start still on its way."""
        return self._jobs.find(job.key, timeout=timeout)

    def poll(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> JobReport:  # noqa: ARG002  (the port's shape)
        """Look at the process. Files are read, so that no timeout is needed."""
        return self._jobs.poll(handle, secrets=self._context.secrets())

    def cancel(self, job: Job, handle: JobHandle, *, timeout: timedelta) -> None:  # noqa: ARG002  (the port's shape)
        """Ask the process group to end, and kill it when the grace is over."""
        self._jobs.cancel(handle)


if TYPE_CHECKING:
    from interlock.ports.triggers import Trigger

    def _is_a_trigger(it: CommandTrigger) -> Trigger:
        return it
