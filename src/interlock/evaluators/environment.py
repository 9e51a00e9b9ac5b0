"""What a child process sees of the environment, and what of it may be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from interlock.ports.evaluators import Question

_PLAIN: Final = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
_SHORTEST_SECRET: Final = 4


def child_environment(own: Mapping[str, str], allow: Sequence[str], question: Question) -> dict[str, str]:
    """Return a small environment: what every program needs, what the project allows, and what the question is about."""
    env = {name: own[name] for name in (*_PLAIN, *allow) if name in own}
    env.update((name, text) for name, text in own.items() if name.startswith("LC_"))
    env["INTERLOCK_PIPELINE"] = question.slot.pipeline
    env["INTERLOCK_SCHEDULE"] = question.slot.schedule
    env["INTERLOCK_DATE"] = question.slot.period
    env["INTERLOCK_RUN_ID"] = question.run_id
    env["INTERLOCK_TRAIT"] = question.trait.name
    return env


class Redactor:
    """Replaces the values of allowed variables by their names, `${NAME}`, in a text that others will read.

    Values of fewer than four characters stay: they are no secrets, and blotting out every `1` would leave no text.
    """

    def __init__(self, own: Mapping[str, str], allow: Sequence[str]) -> None:
        found = {own[name]: name for name in allow if len(own.get(name, "")) >= _SHORTEST_SECRET}
        for value, name in tuple(found.items()):
            found.setdefault(quote(value, safe=""), name)
        # Longest first: one secret may begin with another.
        self._secrets = sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))

    def __call__(self, text: str) -> str:
        """Return the text without any of the values."""
        for value, name in self._secrets:
            text = text.replace(value, f"${{{name}}}")
        return text
