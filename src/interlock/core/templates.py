"""Placeholders in the strings of a trigger: `{{date}}`, `${date}`, `${env:NAME}` and `${secret:NAME}`.

A placeholder is a name of `NAMES` in either spelling, an environment variable that the project allows by name, or a secret
that the project names. `$$` is a literal `$`. Everything else that looks similar (`$HOME`, `$1`, `{x}`, `${}`) stays as it
is: it may mean something to whoever receives the string. What a placeholder stands for is never looked at again, so no value
can smuggle in another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from interlock.core.ids import RunKey

CALLBACK: Final = "callback_url"
"""Where a job reports its end; it stands for nothing in a project whose server has no public address."""

NAMES: Final = ("attempt", CALLBACK, "date", "hour", "pipeline", "run_id", "schedule")

_PLACEHOLDER: Final = re.compile(
    r"(?P<dollar>\$\$)"
    r"|\{\{[ \t]*(?P<curly>[A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}"
    r"|\$\{[ \t]*(?:env:(?P<env>[A-Za-z_][A-Za-z0-9_]*)"
    r"|secret:(?P<secret>[A-Za-z0-9][A-Za-z0-9._-]*)"
    r"|(?P<shell>[A-Za-z_][A-Za-z0-9_]*))[ \t]*\}",
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
    """Return what each name but `callback_url` stands for in one attempt of a run. `hour` is empty for a whole day."""
    slot = run.slot
    return {
        "attempt": str(attempt),
        "date": slot.period.day.isoformat(),
        "hour": slot.period.hour,
        "pipeline": slot.pipeline,
        "run_id": run.run_id,
        "schedule": slot.schedule,
    }


def check(text: str, *, env_allow: Sequence[str], secrets: Sequence[str] = (), without: Sequence[str] = ()) -> None:
    """Check that every placeholder of a text can be expanded. `without` are names that stand for nothing here.

    Raises:
        ValueError: a name is unknown, an environment variable is not in `env_allow`, or a secret is not in `secrets`.
    """
    for match in _PLACEHOLDER.finditer(text):
        if match["dollar"]:
            continue
        if match["env"]:
            _check_env(match["env"], env_allow)
        elif match["secret"]:
            _check_secret(match["secret"], secrets)
        elif (name := _check_name(match)) in without:
            raise ValueError(f"{match[0]}: {name} stands for nothing here")


def has_placeholder(text: str) -> bool:
    """Say whether a text holds a placeholder, known or not."""
    return any(not match["dollar"] for match in _PLACEHOLDER.finditer(text))


def secrets_in(text: str) -> tuple[str, ...]:
    """Return the names of the secrets that a text refers to, known or not."""
    return tuple(match["secret"] for match in _PLACEHOLDER.finditer(text) if match["secret"])


def is_reference(text: str) -> bool:
    """Say whether a text holds a reference to a secret or to the environment, so that it need not hold the secret itself."""
    return any(match["env"] or match["secret"] for match in _PLACEHOLDER.finditer(text))


def expand(
    text: str, values: Mapping[str, str], env: Mapping[str, str], secrets: Mapping[str, str] | None = None
) -> str:
    """Put values in the place of placeholders. `env` holds the allowed variables only, `secrets` the project's.

    Raises:
        ValueError: a name is unknown, an environment variable is not allowed or not set, or there is no such secret.
        KeyError: a name that is known stands for nothing here.
    """
    return _PLACEHOLDER.sub(_replacer(values, env, secrets or {}), text)


def _replacer(
    values: Mapping[str, str], env: Mapping[str, str], secrets: Mapping[str, str]
) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if match["env"]:
            if match["env"] not in env:
                raise ValueError(f"{match[0]}: the variable is not set, or not listed under `env.allow`")
            return env[match["env"]]
        if match["secret"]:
            _check_secret(match["secret"], tuple(secrets))
            return secrets[match["secret"]]
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


def _check_secret(name: str, secrets: Sequence[str]) -> None:
    from difflib import get_close_matches

    if name not in secrets:
        near = get_close_matches(name, secrets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"say under `secrets` in the project file where {name} is kept"
        raise ValueError(f"${{secret:{name}}}: the project has no such secret ({hint})")
