#!/usr/bin/env python3
"""Stand in for the weather station: hand over its readings as one file a day, and load each into the warehouse.

    land.py --until 2015-12-30 --age-hours 26    the days up to one, the newest of them 26 hours ago
    land.py                                      every day that has not landed yet, now
"""

import argparse
import csv
import os
import sqlite3
import sys
import time
from pathlib import Path

STATION = Path("station/seattle-2015-q4.csv")
INCOMING = Path("incoming")
WAREHOUSE = Path("warehouse.db")
TABLE = """
CREATE TABLE IF NOT EXISTS readings (
    date TEXT PRIMARY KEY, precipitation REAL, temp_max REAL, temp_min REAL, wind REAL, weather TEXT
)
"""
DAY = 86_400


def land(row: dict[str, str], landed_at: float) -> None:
    """Hand one day over: a file that is either there or not, with the time at which it landed."""
    path = INCOMING / f"{row['date']}.csv"
    beside = INCOMING / f".{row['date']}.part"
    beside.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n", encoding="utf-8")
    os.utime(beside, (landed_at, landed_at))
    beside.rename(path)


def main() -> int:
    """Land what has not landed yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--until", default="9999-12-31", help="the last day to hand over")
    parser.add_argument("--age-hours", type=float, default=0.0, help="how long ago the newest of them landed")
    arguments = parser.parse_args()

    INCOMING.mkdir(exist_ok=True)
    with STATION.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["date"] <= arguments.until]
    late = [row for row in rows if not (INCOMING / f"{row['date']}.csv").exists()]
    newest = time.time() - arguments.age_hours * 3600
    for back, row in enumerate(reversed(late)):
        land(row, newest - back * DAY)

    with sqlite3.connect(WAREHOUSE) as warehouse:
        warehouse.execute(TABLE)
        warehouse.executemany(
            "INSERT OR REPLACE INTO readings VALUES (:date, :precipitation, :temp_max, :temp_min, :wind, :weather)", rows
        )
    warehouse.close()
    print(f"landed in {INCOMING}/: {len(late)}, the newest {late[-1]['date']}.csv" if late else "nothing new to land")
    return 0


if __name__ == "__main__":
    sys.exit(main())
