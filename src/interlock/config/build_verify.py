"""The `verify` list: what is asked about a job's work after the job has said that it is done."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from msgspec import UNSET

from interlock.codec.documents import document
from interlock.config import values
from interlock.config.checks import BUILTIN, Checks
from interlock.config.schema import VerifyEntry
from interlock.config.source import Source
from interlock.config.spans import span_of
from interlock.config.values import Refused
from interlock.core.documents import EMPTY
from interlock.core.ids import NAME_RULE, TraitName, is_name
from interlock.core.traits import TraitSpec

PUSH: Final = "push"
_LAST_PART: Final = re.compile(r"([A-Za-z0-9._-]+?)(?:\.(?:py|sh|rb|js))?/*$")


def build_verify(
    entries: Iterable[VerifyEntry | str], source: Source, checks: Checks, taken: Iterable[str], usual: timedelta
) -> tuple[TraitSpec, ...]:
    """Resolve the checks after the job; problems are noted. `taken` are the names of the traits, `usual` their timeout."""
    names = set(taken)
    found: list[TraitSpec] = []
    for index, entry in enumerate(entries):
        given = VerifyEntry(evaluator=entry) if isinstance(entry, str) else entry
        one = _check(given, index, source, checks, usual)
        if one is None:
            continue
        if one.name in names:
            hint = "give each check a `name` of its own; no trait may have it either"
            source.fail(("verify", index), f"verify: the name {str(one.name)!r} is taken", hint, "name")
        names.add(one.name)
        found.append(one)
    return tuple(found)


def _check(entry: VerifyEntry, index: int, source: Source, checks: Checks, usual: timedelta) -> TraitSpec | None:
    evaluator = (entry.evaluator,) if isinstance(entry.evaluator, str) else entry.evaluator
    name = entry.name or _named_after(evaluator)
    if not is_name(name):
        message = (
            f"verify: {name!r} cannot be a name, expected {NAME_RULE}" if name else "verify: this check has no name"
        )
        source.fail(("verify", index), message, "give it a `name`", "name")
        return None
    try:
        checks.evaluator(evaluator)
    except Refused as exc:
        source.refuse(("verify", index, "evaluator"), exc)
        return None
    if evaluator[0] == PUSH:
        hint = "name an evaluator that can be asked; a job tells its own failure with a callback"
        source.fail(("verify", index, "evaluator"), "verify: nobody waits for a push after a job", hint, "evaluator")
    _check_builtin(evaluator[0], entry, index, source, checks)
    timeout = None
    if entry.timeout is not UNSET:
        timeout = span_of(entry.timeout, values.TIMEOUT, ("verify", index, "timeout"), source)
    try:
        config = document(entry.config) if entry.config else EMPTY
    except ValueError as exc:
        source.fail(("verify", index, "config"), f"config of {name}: {exc}")
        return None
    return TraitSpec(name=TraitName(name), evaluator=evaluator, config=config, timeout=timeout or usual)


def _check_builtin(evaluator: str, entry: VerifyEntry, index: int, source: Source, checks: Checks) -> None:
    if not evaluator.startswith(BUILTIN):
        return
    for one in checks.config("evaluator", evaluator.removeprefix(BUILTIN), entry.config):
        path = ("verify", index, "config", *one.path)
        source.fail(path, f"{evaluator}: {one.message}", one.hint, one.rule, on_key=one.on_key)
    for one in checks.placeholders(entry.config, of_evaluator=True):
        path = ("verify", index, "config", *one.path)
        source.fail(path, f"{evaluator}: {one.message}", one.hint, one.rule)


def _named_after(evaluator: tuple[str, ...]) -> str:
    """Return a name for a check that has none: the last part of what is asked, as `rows` of `./evaluators/rows.py`."""
    found = _LAST_PART.search(evaluator[0]) if evaluator else None
    return found[1].lower().replace("_", "-") if found else ""
