"""Projects as files: what people write, compile and deploy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml
from tests.acceptance.cli import interlock
from tests.aws.e2e.outside import Outside
from tests.servers.dynamodb import REGION

NEVER: Final = "3h"
"""Nothing is asked again by itself within a test: whatever happens sooner was woken."""

SOON: Final = 10
TIMED: Final = ("breaching", "given-up")


def archetype(*traits: str) -> dict[str, Any]:
    """Return the archetype that requires these traits."""
    return {"name": "-and-".join(traits), "requiredTraits": [{"type": each} for each in traits]}


def pipeline(name: str, *traits: str, **more: Any) -> dict[str, Any]:
    """Return a pipeline whose traits are asked over HTTP. Its slot of the day is opened by a marker, not by the calendar."""
    traits = traits or ("data",)
    return {
        "name": name,
        "archetype": "-and-".join(traits),
        "traits": {each: {"evaluator": each, "ttl": 600} for each in traits} | more.pop("checks", {}),
        "watch": {"interval": NEVER} | more.pop("watch", {}),
        "schedules": more.pop("schedules", [{"name": "daily", "missed": "skip"}]),
        **more,
    }


def over_http(outside: Outside, name: str, **more: Any) -> dict[str, Any]:
    """Return the trigger for a job of this pipeline in the job system outside. It reports its end, and is not looked at."""
    address = f"{outside.url}/jobs/{name}"
    return {
        "type": "http",
        "url": address,
        "idempotent": True,
        "runIdPath": "id",
        "statusUrl": f"{address}/{{id}}",
        "status": {"reasonPath": "reason"},
        "cancelUrl": f"{address}/{{id}}/stop",
        "body": {"day": "{{date}}", "schedule": "{{schedule}}", "run": "{{run_id}}", "attempt": "{{attempt}}"},
        "pollInterval": NEVER,
        **more,
    }


def timed(timezone: str, outside: Outside) -> tuple[dict[str, Any], ...]:
    """Return pipelines whose slots have opened this minute, and for which a limit is over soon."""
    now = datetime.now(ZoneInfo(timezone))
    opened = {"schedules": [{"name": "daily", "after": f"{now:%H:%M}", "missed": "skip"}]}
    soon = f"{now.second + SOON}s"
    limits = ({"evaluationDeadline": soon, "validationTimeout": "3h"}, {"validationTimeout": soon})
    return tuple(
        pipeline(name, sla=limit, trigger=over_http(outside, name), **opened)
        for name, limit in zip(TIMED, limits, strict=True)
    )


def write(root: Path, pipelines: Iterable[Mapping[str, Any]], outside: Outside, *, timezone: str) -> Path:
    """Write a project with these pipelines."""
    settings = {
        "provider": "dynamodb",
        "dynamodb": {"tableName": "not-used"},
        "timezone": timezone,
        "evaluatorBaseUrl": f"{outside.url}/checks",
        "network": {"allow": ["127.0.0.0/8"]},
    }
    files: dict[str, Mapping[str, Any]] = {"interlock.yaml": settings}
    for each in pipelines:
        files[f"pipelines/{each['name']}.yaml"] = each
        files[f"archetypes/{each['archetype']}.yaml"] = archetype(*each["archetype"].split("-and-"))
    for place, content in files.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
    return root


def deploy(root: Path, table: str, endpoint: str, *, prune: bool = False) -> None:
    """Compile a project and bring it into a table, as people do."""
    there = ("--table", table, "--endpoint", endpoint, "--region", REGION)
    for argv in (
        ("compile", "--out", "bundle.json"),
        ("deploy", "sync", "bundle.json", *there, *(["--prune"] if prune else [])),
    ):
        said = interlock(*argv, cwd=root)
        assert said.code == 0, f"interlock {' '.join(argv)} left with {said.code}:\n{said.out}{said.err}"
