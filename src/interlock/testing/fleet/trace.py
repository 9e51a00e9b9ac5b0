"""The story of a simulated fleet as text: everything that was told, in the order in which it happened.

`python -m interlock.testing.fleet.trace SEED…` prints the stories of some seeds; with `--write FOLDER` it keeps them there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from interlock.testing.fleet.stories import story_of
from interlock.testing.fleet.world import Fleet, played

GOLDEN: Final = (5, 7, 42)
"""The seeds whose stories are kept."""


def trace_of(fleet: Fleet) -> str:
    """Return the timelines of all pipelines, and what people and programs were told."""
    lines: list[tuple[str, str]] = []
    for name in sorted(fleet.specs):
        for each in fleet.store.timeline(name, limit=100_000):
            record = each.record
            about = each.run_id or f"{name}:{each.schedule}:{each.period}"
            words = f"{record.kind} {record.status} {record.trait or ''} {record.message}"
            lines.append((record.at.isoformat(), f"{about}  {' '.join(words.split())}"))
    for sink in fleet.sinks:
        for at, notice in sink.told:
            lines.append((at.isoformat(), f"{sink.name}  {notice.kind} {notice.notice_id}"))
    lines += ((at.isoformat(), f"target  starts {key}") for at, key in fleet.laws.starts)
    lines += ((event.at.isoformat(), f"events  {event.event_id}") for event in fleet.sinks[0].published)
    lines.sort(key=lambda line: line[0])
    return "".join(f"{at} {words}\n" for at, words in lines)


def golden(seed: int) -> str:
    """Return the story of a seed."""
    return trace_of(played(seed, story_of(seed)))


def main(arguments: list[str]) -> None:
    """Print the stories of some seeds, or keep the golden ones."""
    if arguments[:1] == ["--write"]:
        for seed in GOLDEN:
            (Path(arguments[1]) / f"fleet-{seed}.txt").write_text(golden(seed), encoding="utf-8")
        return
    for seed in map(int, arguments):
        sys.stdout.write(golden(seed))


if __name__ == "__main__":
    main(sys.argv[1:])
