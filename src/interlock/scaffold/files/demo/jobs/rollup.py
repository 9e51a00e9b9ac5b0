#!/usr/bin/env python3
"""The job: roll the landed daily files up into one row per month, and write a short report beside it."""

import argparse
import csv
import os
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean

COLUMNS = ("month", "days", "mean_temp_max", "mean_temp_min", "total_precipitation", "wettest_day", "max_precipitation")


def read(folder: Path) -> list[dict[str, str]]:
    """Read every landed file, in the order of the days."""
    rows: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            rows.extend(csv.DictReader(file))
    return rows


def roll_up(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return one row per month."""
    months: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        months[row["date"][:7]].append(row)
    return [summary(month, days) for month, days in sorted(months.items())]


def summary(month: str, days: list[dict[str, str]]) -> dict[str, str]:
    """Roll the days of one month up."""
    wettest = max(days, key=lambda day: float(day["precipitation"]))
    values = (
        month,
        str(len(days)),
        f"{fmean(float(day['temp_max']) for day in days):.1f}",
        f"{fmean(float(day['temp_min']) for day in days):.1f}",
        f"{sum(float(day['precipitation']) for day in days):.1f}",
        wettest["date"],
        wettest["precipitation"],
    )
    return dict(zip(COLUMNS, values, strict=True))


def report(table: list[dict[str, str]]) -> str:
    """Say what the table says, for people."""
    wettest = max(table, key=lambda row: float(row["max_precipitation"]))
    lines = [
        f"{row['month']}: {row['days']} days, mean maximum {row['mean_temp_max']} °C, "
        f"mean minimum {row['mean_temp_min']} °C, {row['total_precipitation']} mm of rain"
        for row in table
    ]
    lines.append(f"The wettest day was {wettest['wettest_day']} with {wettest['max_precipitation']} mm.")
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def main() -> int:
    """Read, roll up, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output

    rows = read(Path("incoming"))
    if not rows:
        print("nothing has landed: there is nothing to roll up", file=sys.stderr)
        return 1
    table = roll_up(rows)
    lines = [",".join(COLUMNS), *(",".join(row.values()) for row in table)]
    write(output, "\n".join(lines) + "\n")
    write(output.with_suffix(".txt"), report(table))
    print(f"rolled {len(rows)} days up into {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
