"""How long it takes to load 3,000 pipeline files, beside PyYAML's C `compose` over the same files.

`python bench/config_load.py [COUNT]` prints seconds and ratios: `cold` reads every file, `warm` has the cache.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from interlock.config.cache import PLACE
from interlock.config.load import load_project
from interlock.config.settings import Settings

LIMITS = {"cold_ratio": 1.5, "warm_ratio": 1.0}
COUNT = 3000
ROUNDS = 5

ARCHETYPE = """\
name: batch-ingestion
requiredTraits:
  - type: source-freshness
    defaultConfig: {maxLagSeconds: 300}
    defaultTtl: 300
    defaultTimeout: 30
  - type: upstream-dependency
    defaultTtl: 600
  - type: resource-availability
    defaultTtl: 120
readinessRule:
  type: all-required-pass
"""

PIPELINE = """\
name: daily-sales-{n}
archetype: batch-ingestion
tier: {tier}
traits:
  source-freshness:
    evaluator: ./evaluators/check-{check}
    config:
      source: sales_events_{n}
      maxLagSeconds: {lag}
    ttl: 120
    timeout: 15
  upstream-dependency:
    evaluator: ./evaluators/check-{check}
    config: {{pipeline: upstream-{n}}}
  resource-availability:
    evaluator: ./evaluators/check-0
trigger:
  type: command
  command: "python scripts/run_pipeline.py --table sales_{n}"
retry:
  maxAttempts: 3
  backoffSeconds: 30
schedules:
  - name: morning
    after: "{hour:02}:00"
    deadline: "{hour:02}:45"
    timezone: America/New_York
exclusions:
  days: [Saturday, Sunday]
"""


def make_project(root: Path, count: int) -> list[Path]:
    for name in ("archetypes", "evaluators", "pipelines"):
        (root / name).mkdir(parents=True)
    (root / "interlock.yaml").write_text("provider: sqlite\n")
    (root / "archetypes" / "batch-ingestion.yaml").write_text(ARCHETYPE)
    for number in range(20):
        path = root / "evaluators" / f"check-{number}"
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    files = []
    for n in range(count):
        path = root / "pipelines" / f"p{n:05}.yaml"
        path.write_text(PIPELINE.format(n=n, tier=n % 4, check=n % 20, lag=60 + n % 600, hour=n % 24))
        files.append(path)
    return files


def compose_all(files: list[Path]) -> None:
    for path in files:
        yaml.compose(path.read_bytes(), yaml.CSafeLoader)


def timed(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def main(count: int = COUNT) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "project"
        files = make_project(root, count)
        fresh = Settings(no_cache=True)
        load_project(root)
        found = (root / PLACE).stat()
        os.utime(root / PLACE, (found.st_mtime + 60, found.st_mtime + 60))
        rounds = [
            (
                timed(lambda: compose_all(files)),
                timed(lambda: load_project(root, settings=fresh)),
                timed(lambda: load_project(root)),
            )
            for _ in range(ROUNDS)
        ]
    compose, cold, warm = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "pipelines": count,
        "compose_seconds": round(compose, 4),
        "cold_seconds": round(cold, 4),
        "warm_seconds": round(warm, 4),
        "cold_ratio": round(statistics.median(row[1] / row[0] for row in rounds), 3),
        "warm_ratio": round(statistics.median(row[2] / row[0] for row in rounds), 3),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT), indent=2))
