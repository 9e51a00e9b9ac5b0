"""Run every measurement, print one table, and fail if a limit is broken: `python -m bench.run [NAME…]`.

A measurement is a module beside this one with a `main()` that returns figures by name. Figures named in its `LIMITS` may
be at most, those named in its `FLOORS` must be at least, what stands there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Final, NamedTuple

MODULES: Final = (
    "store_commit",
    "advance",
    "evaluations",
    "config_load",
    "cli_start",
    "fleet",
    "serving",
    "connections",
    "stores",
    "archive",
    "triggers",
    "aws_package",
    "aws_runs",
)


class Row(NamedTuple):
    """One line of the table."""

    module: str
    figure: str
    value: float
    limit: str
    kept: bool


def rows(name: str) -> Iterator[Row]:
    """Run one measurement and judge its figures."""
    module = import_module(f"bench.{name}")
    limits: Mapping[str, float] = getattr(module, "LIMITS", {})
    floors: Mapping[str, float] = getattr(module, "FLOORS", {})
    for figure, value in module.main().items():
        if figure in limits:
            yield Row(name, figure, value, f"≤ {limits[figure]:g}", value <= limits[figure])
        elif figure in floors:
            yield Row(name, figure, value, f"≥ {floors[figure]:g}", value >= floors[figure])
        else:
            yield Row(name, figure, value, "", kept=True)


def table(measured: Sequence[Row]) -> str:
    """Lay the rows out in columns."""
    cells = [("measurement", "figure", "value", "limit", "")]
    cells += [(r.module, r.figure, f"{r.value:,.2f}", r.limit, "" if r.kept else "BROKEN") for r in measured]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:4], widths[2:4], strict=True)]
        lines.append("  ".join((*left, *right, row[4])).rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    unknown = sorted(set(arguments) - set(MODULES))
    if unknown:
        print(f"no measurement is named {', '.join(unknown)}: there are {', '.join(MODULES)}", file=sys.stderr)
        return 2
    measured = [row for name in (arguments or MODULES) for row in rows(name)]
    print(f"\n{table(measured)}")
    return 0 if all(row.kept for row in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
