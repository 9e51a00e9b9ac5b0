"""Names to classes: a table of ours, entry points for everybody else's.

Ours are strings in a table and not entry points, so that they survive bundles stripped of their metadata. Outsiders
register under the entry point groups `interlock.evaluators`, `interlock.triggers` and `interlock.sinks`; they cannot
shadow a name of ours, and two of them claiming one name is an error that names both.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from interlock.errors import MissingExtra, UnknownPlugin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Builtin(NamedTuple):
    """Where a class of ours lives, and which optional dependency it stands on.

    `inner` says why no file may name it, where only Interlock itself does.
    """

    path: str
    extra: str = ""
    module: str = ""
    inner: str = ""


_EVALUATORS: Final = "interlock.evaluators.builtin"

BUILTIN: Final[dict[tuple[str, str], Builtin]] = {
    ("trigger", "command"): Builtin("interlock.triggers.command:CommandTrigger"),
    ("trigger", "external"): Builtin("interlock.triggers.external:ExternalTrigger"),
    ("trigger", "foreground"): Builtin(
        "interlock.triggers.foreground:ForegroundTrigger",
        inner="only `interlock exec PIPELINE -- COMMAND` starts jobs so; a file says `type: command`",
    ),
    ("trigger", "gate"): Builtin(
        "interlock.triggers.gate:GateTrigger",
        inner="only whoever asks for leave runs jobs so: `interlock exec --server`, or a client's `gate`",
    ),
    ("trigger", "http"): Builtin("interlock.triggers.http:HttpTrigger", extra="http", module="httpx2"),
    ("trigger", "python"): Builtin("interlock.triggers.python:PythonTrigger"),
    ("evaluator", "upstream-check"): Builtin(f"{_EVALUATORS}.upstream:UpstreamCheck"),
    ("evaluator", "upstream-job-log"): Builtin(f"{_EVALUATORS}.upstream:UpstreamCheck"),
    ("evaluator", "file-freshness"): Builtin(f"{_EVALUATORS}.files:FileFreshness"),
    ("evaluator", "sql"): Builtin(f"{_EVALUATORS}.sql:SqlCheck"),
    ("evaluator", "http-json"): Builtin(f"{_EVALUATORS}.http_json:HttpJson", extra="http", module="httpx2"),
    ("evaluator", "disk-space"): Builtin(f"{_EVALUATORS}.disk:DiskSpace"),
    ("evaluator", "command-exit"): Builtin(f"{_EVALUATORS}.command:CommandExit"),
    ("evaluator", "rule"): Builtin(f"{_EVALUATORS}.sensor_rules:SensorRule"),
    ("evaluator", "rules"): Builtin(f"{_EVALUATORS}.sensor_rules:SensorRules"),
    ("evaluator", "sensor-freshness"): Builtin(f"{_EVALUATORS}.sensor_checks:SensorFreshness"),
    ("evaluator", "sensor-threshold"): Builtin(f"{_EVALUATORS}.sensor_checks:SensorThreshold"),
    ("evaluator", "window-completeness"): Builtin(f"{_EVALUATORS}.sensor_windows:WindowCompleteness"),
    ("evaluator", "data-quality"): Builtin(f"{_EVALUATORS}.sensor_checks:DataQuality"),
    ("sink", "console"): Builtin("interlock.sinks.console:ConsoleSink"),
    ("sink", "file"): Builtin("interlock.sinks.file:FileSink"),
    ("sink", "webhook"): Builtin("interlock.sinks.webhook:WebhookSink", extra="http", module="httpx2"),
    ("sink", "slack"): Builtin("interlock.sinks.slack:SlackSink", extra="http", module="httpx2"),
    ("sink", "pagerduty"): Builtin("interlock.sinks.pagerduty:PagerDutySink", extra="http", module="httpx2"),
    ("sink", "email"): Builtin("interlock.sinks.email:EmailSink"),
    ("sink", "apprise"): Builtin("interlock.sinks.apprise:AppriseSink", extra="alerts", module="apprise"),
}


def available(kind: str) -> tuple[str, ...]:
    """Return every name of a kind (`trigger`, `evaluator`, `sink`) that a file may use, ours and others', sorted."""
    ours = (name for (found, name), builtin in BUILTIN.items() if found == kind and not builtin.inner)
    return tuple(sorted({*ours, *(entry.name for entry in _entry_points(kind))}))


def inner(kind: str, name: str) -> str:
    """Return why no file may use a name of ours; nothing when one may."""
    builtin = BUILTIN.get((kind, name))
    return "" if builtin is None else builtin.inner


def load(kind: str, name: str) -> Any:
    """Return the class registered under a name. It has a `Config`, a strict msgspec struct.

    Raises:
        UnknownPlugin: nobody registered that name, or two others did.
        MissingExtra: it is ours, and its optional dependency is not installed.
    """
    builtin = BUILTIN.get((kind, name))
    if builtin is None:
        return _outsider(kind, name)
    if builtin.extra and not _installed(builtin.module):
        raise MissingExtra(f"the {kind} {name!r}", builtin.extra)
    module, _, attribute = builtin.path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _installed(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def unknown(kind: str, name: str) -> UnknownPlugin:
    """Describe a name that nobody registered, with the nearest that somebody did."""
    from difflib import get_close_matches

    names = available(kind)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    return UnknownPlugin(f"no {kind} is named {name!r}: {hint}")


def _outsider(kind: str, name: str) -> Any:
    claims = [entry for entry in _entry_points(kind) if entry.name == name]
    if not claims:
        raise unknown(kind, name)
    if len(claims) > 1:
        raise UnknownPlugin(f"the {kind} {name!r} is claimed by {' and by '.join(sorted(map(_owner, claims)))}")
    return claims[0].load()


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


@lru_cache(maxsize=8)
def _entry_points(kind: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    found: Iterable[EntryPoint] = entry_points(group=f"interlock.{kind}s")
    return tuple(found)
