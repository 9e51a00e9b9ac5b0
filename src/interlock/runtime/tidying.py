"""Removing what is kept of jobs that nobody will look at again, so that the state directory does not grow for ever."""

from __future__ import annotations

from typing import Final

from interlock.clients.processes import SupervisedJobs
from interlock.core.ids import start_key
from interlock.runtime.keyed import key_in
from interlock.runtime.wiring import Interlock, state_dir
from interlock.stores.identity import name_of

KEPT: Final = 50
"""Of how many of its newest runs a pipeline keeps the jobs' output."""

_BATCH: Final = 20


def tidy_jobs(work: Interlock, pipeline: str, *, kept: int = KEPT) -> int:
    """Forget the jobs of a pipeline's older runs, a batch at a time; return how many.

    Only those of runs that have ended: such a run never starts anything again, so nothing can be started twice for want of
    what is forgotten.
    """
    project = work.project
    name = name_of(work.kernel)
    jobs = SupervisedJobs(state_dir(project) / "jobs", root=project.root)
    old = work.store.runs_of(pipeline, limit=kept + _BATCH)[kept:]
    keys = (start_key(run.key.run_id, number) for run in old if run.ended for number in range(1, run.attempt + 1))
    return sum(jobs.forget(key_in(name, key)) for key in keys)
