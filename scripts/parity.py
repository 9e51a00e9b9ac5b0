"""Play many seeded worlds under a watcher and on AWS, and say where they differ: `scripts/parity.py 1000`."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor

from interlock.testing.fleet.parity import difference


def told(seed: int) -> str:
    """Say how the two differ in a world; nothing where they do not."""
    found = difference(seed)
    if found is None:
        return ""
    parts = [name for name, local, cloud in zip(found[0]._fields, found[0], found[1], strict=True) if local != cloud]
    return f"world {seed}: its {', '.join(parts)} differ"


def main(argv: list[str]) -> int:
    """Play them all, on all processors."""
    count = int(argv[0]) if argv else 1000
    with ProcessPoolExecutor() as pool:
        differing = [words for words in pool.map(told, range(count), chunksize=8) if words]
    print("\n".join([*differing, f"{len(differing)} of {count} worlds differ"]))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
