#!/usr/bin/env python3
"""The job: what Interlock starts once every trait has passed. Put yours here.

Exit 0 says that it is done. Exit 2 says that trying again cannot help; any other code lets the retry policy decide.
"""

import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--date", required=True, help="the period that this run is for, not the day on which it runs")
parser.add_argument("--run-id", required=True)
arguments = parser.parse_args()

output = Path("output") / f"{arguments.date}.txt"
output.parent.mkdir(exist_ok=True)
output.write_text(f"{arguments.run_id}\n")
print(f"wrote {output}")
