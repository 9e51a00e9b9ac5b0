"""Terraform, run beside a copy of the module: nothing is left in the tree, and no registry is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MODULE: Final = ROOT / "deploy/terraform"

_PROVIDER: Final = "registry.terraform.io/hashicorp/aws"
_LEFTOVERS: Final = shutil.ignore_patterns(".terraform*", "*.tfstate*")


class TerraformMissing(Exception):
    """What is missing, and what to do."""


def plugin_directory() -> Path:
    """Return the directory that has the provider: `INTERLOCK_TF_PLUGIN_DIR`, or a usual place.

    Raises:
        TerraformMissing: no place has it.
    """
    for place in _places():
        if (place / _PROVIDER).is_dir():
            return place
    raise TerraformMissing(
        f"the AWS provider is not here: let INTERLOCK_TF_PLUGIN_DIR name a directory that has {_PROVIDER}"
    )


class Terraform:
    """A copy of the module in a directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        binary = shutil.which("terraform")
        if binary is None:
            raise TerraformMissing("there is no terraform: install it, or put it on the PATH")
        self._binary = binary
        self._plugins = plugin_directory()
        self.directory = directory / "module"
        shutil.copytree(MODULE, self.directory, ignore=_LEFTOVERS)

    def run(self, *argv: str, place: str = ".", timeout: float = 60) -> str:
        """Run a command in a place of the copy, and return what it says.

        Raises:
            AssertionError: it failed.
        """
        done = subprocess.run(
            [self._binary, *argv],
            cwd=self.directory / place,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"terraform {' '.join(argv)} left with {done.returncode}:\n{said}"
        return said

    def prepare(self, place: str = ".") -> None:
        """Make a place ready for other commands."""
        self.run("init", "-input=false", "-no-color", f"-plugin-dir={self._plugins}", place=place)


def _places() -> Iterator[Path]:
    named = os.environ.get("INTERLOCK_TF_PLUGIN_DIR")
    if named:
        yield Path(named)
        return
    yield Path.home() / ".terraform.d/plugins"
    yield Path("/usr/local/share/terraform/plugins")
    yield Path("/usr/share/terraform/plugins")
    yield from sorted(Path("/opt").glob("*"))


def _environment() -> dict[str, str]:
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    return {**theirs, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
