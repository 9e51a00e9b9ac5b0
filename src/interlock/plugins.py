"""Names to classes: a table of ours, entry points for everybody else's.

Ours are strings in a table and not entry points, so that they survive bundles stripped of their metadata. Outsiders
register under the entry point groups `interlock.evaluators`, `interlock.triggers`, `interlock.sinks` and
`interlock.stores`; they cannot shadow a name of ours, and two of them claiming one name is an error that names both.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from interlock.errors import ConfigError, MissingExtra, UnknownPlugin

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


class Outsider(NamedTuple):
    """What a distribution of somebody else's registers: `kind` is `trigger`, `evaluator`, `sink` or `store`."""

    kind: str
    name: str
    distribution: str


KINDS: Final = ("trigger", "evaluator", "sink", "store")

PROVIDERS: Final = ("sqlite", "redis", "postgres", "dynamodb")
"""The stores of ours. They are opened by `runtime.stores`, and not by any name here."""

_VERBS: Final = {
    "trigger": ("start", "find", "poll", "cancel"),
    "evaluator": ("evaluate",),
    "sink": (),  # `deliver`, `publish`, or both: where it is named decides which it needs
    "store": ("open", "named"),
}

_EVALUATORS: Final = "interlock.evaluators.builtin"

BUILTIN: Final[dict[tuple[str, str], Builtin]] = {
    ("trigger", "airflow"): Builtin("interlock.triggers.airflow:AirflowTrigger", extra="http", module="httpx2"),
    ("trigger", "command"): Builtin("interlock.triggers.command:CommandTrigger"),
    ("trigger", "databricks"): Builtin(
        "interlock.triggers.databricks:DatabricksTrigger", extra="http", module="httpx2"
    ),
    ("trigger", "emr"): Builtin("interlock.triggers.emr:EmrTrigger", extra="aws", module="botocore"),
    ("trigger", "emr-serverless"): Builtin(
        "interlock.triggers.emr_serverless:EmrServerlessTrigger", extra="aws", module="botocore"
    ),
    ("trigger", "external"): Builtin("interlock.triggers.external:ExternalTrigger"),
    ("trigger", "foreground"): Builtin(
        "interlock.triggers.foreground:ForegroundTrigger",
        inner="only `interlock exec PIPELINE -- COMMAND` starts jobs so; a file says `type: command`",
    ),
    ("trigger", "gate"): Builtin(
        "interlock.triggers.gate:GateTrigger",
        inner="only whoever asks for leave runs jobs so: `interlock exec --server`, or a client's `gate`",
    ),
    ("trigger", "glue"): Builtin("interlock.triggers.glue:GlueTrigger", extra="aws", module="botocore"),
    ("trigger", "http"): Builtin("interlock.triggers.http:HttpTrigger", extra="http", module="httpx2"),
    ("trigger", "lambda"): Builtin("interlock.triggers.lambda_function:LambdaTrigger", extra="aws", module="botocore"),
    ("trigger", "python"): Builtin("interlock.triggers.python:PythonTrigger"),
    ("trigger", "step-function"): Builtin(
        "interlock.triggers.step_function:StepFunctionTrigger", extra="aws", module="botocore"
    ),
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
    ("sink", "s3"): Builtin("interlock.sinks.s3:S3Sink", extra="aws", module="botocore"),
    ("sink", "sns"): Builtin("interlock.sinks.sns:SnsSink", extra="aws", module="botocore"),
    ("sink", "apprise"): Builtin("interlock.sinks.apprise:AppriseSink", extra="alerts", module="apprise"),
}


def available(kind: str) -> tuple[str, ...]:
    """Return every name of a kind that a file may use, ours and others', sorted."""
    ours = (name for (found, name), builtin in BUILTIN.items() if found == kind and not builtin.inner)
    stores = PROVIDERS if kind == "store" else ()
    return tuple(sorted({*ours, *stores, *(entry.name for entry in _entry_points(kind))}))


def is_ours(kind: str, name: str) -> bool:
    """Say whether a name is Interlock's own, whoever else claims it."""
    return (kind, name) in BUILTIN or (kind == "store" and name in PROVIDERS)


def inner(kind: str, name: str) -> str:
    """Return why no file may use a name of ours; nothing when one may."""
    builtin = BUILTIN.get((kind, name))
    return "" if builtin is None else builtin.inner


def load(kind: str, name: str) -> Any:
    """Return the class registered under a name. It has a `Config`, a strict msgspec struct.

    Raises:
        UnknownPlugin: nobody registered that name, or two others did.
        MissingExtra: it is ours, and its optional dependency is not installed.
        ConfigError: it is somebody else's, and cannot be imported, or is not what it is registered as.
    """
    builtin = BUILTIN.get((kind, name))
    if builtin is None:
        return _outsider(kind, name)
    if builtin.extra and not _installed(builtin.module):
        raise MissingExtra(f"the {kind} {name!r}", builtin.extra)
    module, _, attribute = builtin.path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def outsiders() -> tuple[Outsider, ...]:
    """Return everything that other distributions register and that can be used by its name, sorted."""
    return tuple(one for one in _claimed() if not is_ours(one.kind, one.name))


def shadowing() -> tuple[str, ...]:
    """Say of everything that other distributions register under a name of ours that it is never used, and what to do."""
    return tuple(
        f"the {kind} {name!r} is Interlock's own, so that of the distribution {owner} is never used: "
        f"rename it there, or remove {owner}"
        for kind, name, owner in _claimed()
        if is_ours(kind, name)
    )


def owner_of(kind: str, name: str) -> str:
    """Return the distributions that claim a name; nothing when none does."""
    return " and ".join(one.distribution for one in _claimed() if (one.kind, one.name) == (kind, name))


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
    what, owner = f"the {kind} {name!r} of the distribution {_owner(claims[0])}", _owner(claims[0])
    try:
        found = claims[0].load()
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"{what} needs the module {exc.name!r}, which is not installed: install what {owner} asks for"
        ) from exc
    except Exception as exc:
        said = f"{type(exc).__name__}: {exc}"
        raise ConfigError(f"{what} cannot be loaded: {said}. Mend or remove {owner}") from exc
    lack = _lack(kind, found)
    if lack:
        raise ConfigError(f"{what} cannot be used: {lack}. Tell whoever makes {owner}, or remove it")
    return found


def _lack(kind: str, found: Any) -> str:
    """Say what a class lacks to be of a kind; nothing when it lacks nothing that can be seen."""
    from msgspec import Struct

    if not isinstance(found, type):
        return f"{found!r} is no class"
    config = getattr(found, "Config", None)
    if not (isinstance(config, type) and issubclass(config, Struct)):
        return f"{found.__name__} has no `Config` that is a msgspec Struct"
    if not config.__struct_config__.forbid_unknown_fields:
        return f"its {config.__name__} takes keys that it does not know, and needs forbid_unknown_fields=True"
    absent = [verb for verb in _VERBS[kind] if not callable(getattr(found, verb, None))]
    if kind == "sink" and not (hasattr(found, "deliver") or hasattr(found, "publish")):
        absent = ["deliver"]
    return f"{found.__name__} has no method {' and no '.join(map(repr, absent))}" if absent else ""


def _claimed() -> tuple[Outsider, ...]:
    return tuple(sorted(Outsider(kind, entry.name, _owner(entry)) for kind in KINDS for entry in _entry_points(kind)))


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


@lru_cache(maxsize=8)
def _entry_points(kind: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=f"interlock.{kind}s"))
