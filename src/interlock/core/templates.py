"""Placeholders in the strings of a trigger: `{{date}}`, `${date}` and `${env:NAME}`.

A placeholder is a name of `NAMES` in either spelling, or an environment variable that the project allows by name. `$$`
is a literal `$`. Everything else that looks similar (`$HOME`, `$1`, `{x}`, `${}`) stays as it is: it may mean something
to whoever receives the string. What a placeholder stands for is never looked at again, so no value can smuggle in another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from interlock.core.ids import RunKey

NAMES: Final = ("attempt", "date", "hour", "pipeline", "run_id", "schedule")

_PLACEHOLDER: Final = re.compile(
    r"(?P<dollar>\$\$)"
    r"|\{\{[ \t]*(?P<curly>[A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}"
    r"|\$\{[ \t]*(?:env:(?P<env>[A-Za-z_][A-Za-z0-9_]*)|(?P<shell>[A-Za-z_][A-Za-z0-9_]*))[ \t]*\}",
    re.ASCII,
)
_ALIASES: Final = {
    "scheduleid": "schedule",
    "pipelineid": "pipeline",
    "period": "date",
    "executiondate": "date",
    "ds": "date",
    "run": "run_id",
}


def values_for(run: RunKey, attempt: int) -> dict[str, str]:
    """Return what each name stands for in one attempt of a run. `hour` is empty for a whole day."""
    slot = run.slot
    return {
        "attempt": str(attempt),
        "date": slot.period.day.isoformat(),
        "hour": slot.period.hour,
        "pipeline": slot.pipeline,
        "run_id": run.run_id,
        "schedule": slot.schedule,
    }


def check(text: str, *, env_allow: Sequence[str]) -> None:
    """Check that every placeholder of a text can be expanded.

    Raises:
        ValueError: a name is unknown, or an environment variable is not in `env_allow`.
    """
    for match in _PLACEHOLDER.finditer(text):
        if match["dollar"]:
            continue
        if match["env"]:
            _check_env(match["env"], env_allow)
        else:
            _check_name(match)


def has_placeholder(text: str) -> bool:
    """Say whether a text holds a placeholder, known or not."""
    return any(not match["dollar"] for match in _PLACEHOLDER.finditer(text))


def expand(text: str, values: Mapping[str, str], env: Mapping[str, str]) -> str:
    """Put values in the place of placeholders. `env` holds the allowed variables only.

    Raises:
        ValueError: a name is unknown, or an environment variable is not allowed or not set.
    """
    return _PLACEHOLDER.sub(_replacer(values, env), text)


def _replacer(values: Mapping[str, str], env: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if match["env"]:
            if match["env"] not in env:
                raise ValueError(f"{match[0]}: the variable is not set, or not listed under `env.allow`")
            return env[match["env"]]
        return values[_check_name(match)]

    return replace


def _check_name(match: re.Match[str]) -> str:
    name = match["curly"] or match["shell"]
    if name in NAMES:
        return name
    right = _nearest(name)
    if right is None and name.isupper():
        raise ValueError(
            f"{match[0]}: no such placeholder (for an environment variable write ${{env:{name}}} and list it "
            f"under `env.allow`; for a literal text write ${match[0]})"
        )
    hint = f"did you mean {match[0].replace(name, right)}?" if right else f"there are {', '.join(NAMES)}"
    raise ValueError(f"{match[0]}: no such placeholder ({hint})")


def _nearest(name: str) -> str | None:
    from difflib import get_close_matches

    plain = name.lower()
    folded = plain.replace("_", "")
    if folded in _ALIASES:
        return _ALIASES[folded]
    near = get_close_matches(plain, NAMES, n=1, cutoff=0.7)
    return near[0] if near else next((right for right in NAMES if right.replace("_", "") == folded), None)


def _check_env(name: str, env_allow: Sequence[str]) -> None:
    from difflib import get_close_matches

    if name not in env_allow:
        near = get_close_matches(name, env_allow, n=1)
        hint = f"did you mean {near[0]}?" if near else f"add {name} to `env.allow` in the project file"
        raise ValueError(f"${{env:{name}}}: this variable is not allowed in triggers ({hint})")
