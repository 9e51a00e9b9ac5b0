"""The kinds of requests that have routes, and which of them an address means. No framework is needed to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib import import_module
from inspect import isclass
from typing import Any, Final, NamedTuple, TypeAlias

from interlock.api.contract import Request
from interlock.server.answers import HttpProblem

Kind: TypeAlias = type[Request[Any]]

MODULES: Final = (
    "judging",
    "running",
    "rerunning",
    "gating",
    "planning",
    "registering",
    "looking",
    "alerting",
    "controlling",
    "sensing",
)
"""The modules of `interlock.api` whose requests have routes, in the order in which people should read them."""

_LONGEST: Final = 200


def kinds() -> tuple[Kind, ...]:
    """Return every kind of request that the contract knows, in the order of its modules and their lines."""
    found: list[Kind] = []
    for name in MODULES:
        module = import_module(f"interlock.api.{name}")
        found += (each for each in vars(module).values() if _is_request(each) and each.__module__ == module.__name__)
    return tuple(found)


def _is_request(found: object) -> bool:
    return isclass(found) and issubclass(found, Request) and hasattr(found, "endpoint")


class Place(NamedTuple):
    """What an address means: the kind of request for each method, and what its steps hold."""

    kinds: Mapping[str, Kind]
    holds: Mapping[str, str]


class Routes:
    """Finds what an address means. `others` are paths of the shell's own, for those who come near one."""

    def __init__(self, served: Iterable[Kind], others: Iterable[str] = ()) -> None:
        self._by_path: dict[str, dict[str, Kind]] = {}
        for kind in served:
            self._by_path.setdefault(kind.endpoint.path, {})[kind.endpoint.method] = kind
        self._steps = [(path, path.split("/")) for path in self._by_path]
        self._known = [*self._by_path, *others]

    def find(self, path: str) -> Place:
        """Return what a decoded path means.

        Raises:
            HttpProblem: nothing.
        """
        asked = path.rstrip("/").split("/")
        for known, steps in self._steps:
            if len(steps) == len(asked) and all(map(_fits, steps, asked)):
                holds = {step[1:-1]: given for step, given in zip(steps, asked, strict=True) if step.startswith("{")}
                return Place(self._by_path[known], holds)
        raise self.nowhere(path)

    def nowhere(self, path: str) -> HttpProblem:
        """Say that there is no such route, and which may have been meant."""
        near = self._nearest(path)
        hint = f"did you mean {near}? " if near else ""
        return HttpProblem(HTTPStatus.NOT_FOUND, f"there is no such route; {hint}/openapi.json lists all there are")

    def _nearest(self, path: str) -> str:
        from difflib import get_close_matches

        asked = path[:_LONGEST].rstrip("/").split("/")
        # What a step may hold is as it was asked: only the words of the route are compared.
        meant = {"/".join(map(_filled, known.split("/"), _padded(asked, known))): known for known in self._known}
        near = get_close_matches("/".join(asked), meant, n=1, cutoff=0.75)
        return meant[near[0]] if near else ""


def wrong_method(allowed: Iterable[str]) -> HttpProblem:
    """Say which methods a route takes, instead of the one that was asked."""
    listed = ", ".join(sorted(allowed))
    message = f"this route does not take the method; it takes {listed}"
    return HttpProblem(HTTPStatus.METHOD_NOT_ALLOWED, message, headers=((b"allow", listed.encode()),))


def _fits(step: str, given: str) -> bool:
    return bool(given) if step.startswith("{") else step == given


def _filled(step: str, given: str) -> str:
    return given if step.startswith("{") and given else step


def _padded(asked: list[str], known: str) -> list[str]:
    missing = known.count("/") + 1 - len(asked)
    return asked + [""] * missing
