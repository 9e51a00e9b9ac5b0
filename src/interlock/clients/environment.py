"""What a child process sees of the environment: the same for evaluators and for jobs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_INHERITED: Final = ("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "USER", "LOGNAME")
_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


def small_environment(own: Mapping[str, str], allow: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child: what a program cannot do without, what the project allows, what was given.

    Never the whole environment of Interlock: it holds the credentials of the store. `PATH` ends with the directory of the
    running Python, so that `python` is found where no other is.
    """
    chosen = {
        name: value for name, value in own.items() if name in _INHERITED or name.startswith("LC_") or name in allow
    }
    path = chosen.get("PATH", _DEFAULT_PATH)
    chosen["PATH"] = f"{path}:{Path(sys.executable).parent}"
    return {**chosen, **given}
