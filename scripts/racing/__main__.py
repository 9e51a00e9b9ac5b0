"""Many processes race for the same slots of one store, with clocks that differ: each slot's job is to start exactly once.

    python -m scripts.racing PROJECT [--slots 1000] [--racers 16]

PROJECT is a folder with an `interlock.yaml` that names the store, which must be empty.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from interlock.runtime.clock import SystemClock

ROOT: Final = Path(__file__).parents[2]


class Outcome(NamedTuple):
    """How often each slot's job was started, how the racers ended, and how long it took."""

    starts: Counter[str]
    codes: list[int]
    seconds: float

    def faults(self, slots: int) -> list[str]:
        """Say everything that is not as it must be."""
        wrong = [f"{key} was started {count} times" for key, count in self.starts.items() if count != 1]
        if len(self.starts) != slots:
            wrong.append(f"{len(self.starts)} slots of {slots} were started")
        return wrong + [f"a racer left with {code}" for code in self.codes if code]


def race(project: Path, *, slots: int, racers: int) -> Outcome:
    """Let them race, and count."""
    with tempfile.TemporaryDirectory() as folder:
        starts = Path(folder) / "starts"
        argv = [sys.executable, "-m", "scripts.racing.racer", str(project), str(slots)]
        running = [
            subprocess.Popen(
                [*argv, str(seed), str(starts)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for seed in range(racers)
        ]
        for racer in running:
            if racer.stdout is None or racer.stdout.readline() != "ready\n":
                raise RuntimeError("a racer did not get ready")
        today = SystemClock().now().date().isoformat()
        begun = perf_counter()
        for racer in running:
            if racer.stdin is not None:
                racer.stdin.write(f"{today}\n")
                racer.stdin.flush()
        for racer in running:
            racer.communicate()
        taken = perf_counter() - begun
        lines = starts.read_text().split() if starts.exists() else []
        return Outcome(Counter(lines), [racer.returncode for racer in running], taken)


def main() -> int:
    """Race, print what came out, fail if any slot was not started exactly once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--racers", type=int, default=16)
    given = parser.parse_args()
    outcome = race(given.project, slots=given.slots, racers=given.racers)
    print(f"{given.racers} racers, {given.slots} slots: {outcome.starts.total()} starts in {outcome.seconds:.1f} s")
    for fault in outcome.faults(given.slots):
        print(fault)
    return 1 if outcome.faults(given.slots) else 0


if __name__ == "__main__":
    sys.exit(main())
