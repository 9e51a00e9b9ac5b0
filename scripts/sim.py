"""Play many simulated fleets, on all cores, and say which of them broke a promise.

    python scripts/sim.py --worlds 50000 [--first 0] [--jobs 8] [--steps 100]

Each world is one seed; one in four begins with a scripted story. A world that fails is played again, by itself, with:
    python scripts/sim.py --only SEED
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice

from interlock.core.alerts import NoticeKind
from interlock.testing.fleet.stories import story_of
from interlock.testing.fleet.world import played

CHUNK = 25
SHOWN = 20


def play(first: int, count: int, steps: int) -> tuple[Counter[str], list[str]]:
    """Play some worlds; return what happened in them, and what was broken."""
    told: Counter[str] = Counter()
    broken: list[str] = []
    for seed in range(first, first + count):
        told["worlds"] += 1
        try:
            fleet = played(seed, story_of(seed), steps=steps)
        except AssertionError as exc:
            broken.append(str(exc))
            continue
        told["steps"] += fleet.steps
        told["runs"] += len(fleet.runs())
        told["starts"] += len(fleet.laws.starts)
        told["deaths"] += sum(node.deaths for node in fleet.nodes)
        told["alerts"] += sum(notice.kind is NoticeKind.OPENED for sink in fleet.sinks[:1] for _, notice in sink.told)
    return told, broken


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and return 1 if anything was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", type=int, help="play this one seed")
    parser.add_argument("--steps", type=int, default=100, help="how long each is rough")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    asked = parser.parse_args(arguments)
    if asked.only is not None:
        told, broken = play(asked.only, 1, asked.steps)
    else:
        told, broken = _play_all(asked.first, asked.worlds, asked.steps, asked.jobs)
    summary = ", ".join(f"{told[name]} {name}" for name in ("worlds", "steps", "runs", "starts", "deaths", "alerts"))
    print(f"{summary}; {len(broken)} broken promises")
    for words in sorted(broken, key=_seed_of)[:SHOWN]:
        print(words)
    return 1 if broken else 0


def _play_all(first: int, worlds: int, steps: int, jobs: int) -> tuple[Counter[str], list[str]]:
    told: Counter[str] = Counter()
    broken: list[str] = []
    began = time.monotonic()
    chunks = ((start, min(CHUNK, first + worlds - start)) for start in range(first, first + worlds, CHUNK))
    with ProcessPoolExecutor(jobs) as pool:
        waiting: set[Future[tuple[Counter[str], list[str]]]] = {
            pool.submit(play, *chunk, steps) for chunk in islice(chunks, 2 * jobs)
        }
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for each in done:
                news, wrong = each.result()
                told += news
                broken += wrong
                sys.stderr.writelines(f"\r{words}\n" for words in wrong)
            waiting |= {pool.submit(play, *chunk, steps) for chunk in islice(chunks, len(done))}
            pace = told["worlds"] / (time.monotonic() - began)
            sys.stderr.write(f"\r{told['worlds']} of {worlds} worlds, {pace:.0f} a second, {len(broken)} broken ")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return told, broken


def _seed_of(words: str) -> int:
    return int(words.split()[1].rstrip(":"))


if __name__ == "__main__":
    raise SystemExit(main())
