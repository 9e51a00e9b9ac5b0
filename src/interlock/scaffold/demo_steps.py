"""The story that `interlock demo` plays: a late file holds a job back, and its arrival lets it go.

Each step runs in the demo project's folder. Its command begins with `interlock` (this program) or `python3` (a script
of the project). A step that ends with another exit code than the story says ends the story with an error: a demo that
shows something else than it tells is worse than none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

PIPELINE: Final = "daily-weather-rollup"
LATE_FILE: Final = "incoming/2015-12-31.csv"


class DemoStep(NamedTuple):
    """One step: what the reader is told first, what is run, and which exit code the story needs."""

    title: str
    text: str
    argv: tuple[str, ...]
    exit_code: int = 0
    show: str = ""
    """A glob, relative to the project: the files to print after the command, in order of their names."""


STEPS: Final = (
    DemoStep(
        title="A quiet night at the weather station",
        text=(
            "91 of the quarter's 92 daily files have landed, the newest 26 hours ago. A scheduler would not know: "
            "the clock says go."
        ),
        argv=("python3", "jobs/land.py", "--until", "2015-12-30", "--age-hours", "26"),
    ),
    DemoStep(
        title="The run is asked for, and held back",
        text="Three evaluators answer, in bash, Python and SQL. Two of them say no: the job is not started, exit code 1.",
        argv=("interlock", "run", PIPELINE),
        exit_code=1,
    ),
    DemoStep(
        title="Why?",
        text="Every decision is kept with the evidence it was made on.",
        argv=("interlock", "why", PIPELINE),
    ),
    DemoStep(
        title="The late file lands",
        text=f"The station delivers {LATE_FILE}.",
        argv=("python3", "jobs/land.py"),
    ),
    DemoStep(
        title="The same run, asked for again",
        text="All three pass now. The job starts under a permit that holds as long as its evidence is fresh.",
        argv=("interlock", "run", PIPELINE),
        show="output/rollup-*",
    ),
    DemoStep(
        title="Why was it let go?",
        text="The same question, the other answer.",
        argv=("interlock", "why", PIPELINE),
    ),
    DemoStep(
        title="The history of the pipeline",
        text="One run: asked for twice, started once. The whole story, line by line, is in: interlock events.",
        argv=("interlock", "history", PIPELINE),
    ),
)
