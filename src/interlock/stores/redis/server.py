"""What a server says of itself: whether it can keep our rows, and whether it is set up to keep them safe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from redis import exceptions as said

from interlock.errors import StoreError
from interlock.stores.redis.errors import translated
from interlock.stores.redis.lines import Line, Lines
from interlock.stores.redis.options import RedisOptions

_FLOOR: Final = (6, 2)
_SETTINGS: Final = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync")


class _Report(NamedTuple):
    """What one server says. `set_up` lacks what it does not tell."""

    label: str
    set_up: Mapping[str, str]
    replication: Mapping[str, str]


def refuse_unfit(lines: Lines, *, cluster: bool) -> None:
    """Look whether a server is new enough, and alone or in a cluster as it was said to be.

    Raises:
        StoreError: it is not.
    """
    with lines.line() as line:
        about = _info(line, lines, "server")
    found = about.get("redis_version", "")
    version = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    if version and version < _FLOOR:
        raise StoreError(
            f"cannot use the store {lines.label}: it is Redis {found}, and Redis {_FLOOR[0]}.{_FLOOR[1]} or any Valkey "
            "is needed. Nothing was read or written. Upgrade the server, or use another store"
        )
    if about.get("redis_mode") == "cluster" and not cluster:
        raise StoreError(
            f"cannot use the store {lines.label}: it is a member of a cluster. Nothing was read or written. "
            "Set redis.cluster to true"
        )


def advice_of(servers: Sequence[Lines], options: RedisOptions) -> tuple[str, ...]:
    """Return what should be set up otherwise at the servers of a store.

    Raises:
        StoreError: one of them cannot be asked.
    """
    found: dict[str, None] = {}
    for lines in servers:
        report = _report(lines)
        found |= dict.fromkeys(_advices(report, options))
    return tuple(found)


def _report(lines: Lines) -> _Report:
    with lines.line() as line:
        set_up: dict[str, str] = {}
        for name in _SETTINGS:
            try:
                answer = [_text(part) for part in line.ask("CONFIG", "GET", name)]
            except said.ResponseError:  # managed services keep CONFIG to themselves
                break
            except said.RedisError as exc:
                raise translated(exc, lines.label, "look at") from exc
            set_up |= dict(zip(answer[::2], answer[1::2], strict=False))
        if len(set_up) < len(_SETTINGS):
            memory, disk = _info(line, lines, "memory"), _info(line, lines, "persistence")
            told = {
                "maxmemory": memory.get("maxmemory"),
                "maxmemory-policy": memory.get("maxmemory_policy"),
                "appendonly": {"0": "no", "1": "yes"}.get(disk.get("aof_enabled", "")),
            }
            set_up = {name: value for name, value in told.items() if value is not None} | set_up
        return _Report(lines.label, set_up, _info(line, lines, "replication"))


def _advices(report: _Report, options: RedisOptions) -> Iterator[str]:
    told, server = report.set_up, report.label
    policy = told.get("maxmemory-policy", "")
    # Our keys never expire, so policies that only take those that do (volatile-…) leave them alone.
    if policy.startswith("allkeys") and told.get("maxmemory") != "0":
        yield (
            f"{server} may throw away what Interlock has stored: its maxmemory-policy is {policy}, and when its memory is "
            "full it forgets runs, which then start again. That is unsafe: set maxmemory-policy to noeviction"
        )
    if told.get("appendonly") == "no":
        yield (
            f"{server} keeps no log of its writes (appendonly is no): a restart loses everything since the last snapshot, "
            "and runs start again. Set appendonly to yes and appendfsync to always"
        )
    elif told.get("appendfsync", "always") != "always":
        yield (
            f"{server} writes its log to the disk later (appendfsync is {told['appendfsync']}): a crash of its machine "
            "loses what was acknowledged last, usually up to a second. Set appendfsync to always"
        )
    missing = [name for name in ("maxmemory-policy", "appendonly", "appendfsync") if name not in told]
    if missing:
        yield (
            f"{server} does not tell all its settings (CONFIG is not allowed), so {', '.join(missing)} could not be "
            "checked. Look in the console of the service: noeviction, yes and always are what is safe"
        )
    yield from _about_replicas(report, options.wait_replicas)


def _about_replicas(report: _Report, wanted: int) -> Iterator[str]:
    replicas = int(report.replication.get("connected_slaves", "0"))
    if report.replication.get("role") == "slave":
        yield f"{report.label} is a replica: it can be read and not written. Give the address of its primary"
    elif replicas < wanted:
        yield (
            f"{report.label} has {replicas} replicas, and waitReplicas asks for {wanted}: every commit fails. Bring the "
            "replicas back, or set waitReplicas lower"
        )
    elif replicas and not wanted:
        yield (
            f"{report.label} has replicas, and commits do not wait for them (waitReplicas is 0): a failover loses what "
            "was acknowledged in the moment before it. Set waitReplicas to 1"
        )


def _info(line: Line, lines: Lines, section: str) -> dict[str, str]:
    """Return a section of INFO; nothing when the user may not ask for it."""
    try:
        text = _text(line.ask("INFO", section))
    except said.ResponseError:
        return {}
    except said.RedisError as exc:
        raise translated(exc, lines.label, "look at") from exc
    pairs = (entry.partition(":") for entry in text.splitlines() if ":" in entry)
    return {name: value for name, _, value in pairs}


def _text(part: bytes | str) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else part
