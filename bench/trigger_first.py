"""The first start of a job in Glue in a process, imports included: Interlock's, and one with boto3. See `bench.triggers`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

JOB: Final = "daily-sales"
REGION: Final = "eu-central-1"


def ours(endpoint: str) -> float:
    """Return the seconds until a trigger, made as the app makes it, has started its job."""
    began = perf_counter()
    from bench.trigger_ours import Ours, a_job, factory_of

    with tempfile.TemporaryDirectory() as folder, factory_of(Path(folder), {}) as factory:
        Ours(factory, "glue", {"jobName": JOB, "endpoint": endpoint}).start(a_job(0))
        return perf_counter() - began


def bare(endpoint: str) -> float:
    """Return the seconds until a client of boto3 has started one."""
    began = perf_counter()
    import boto3
    from botocore.config import Config

    glue = boto3.client(
        "glue",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    glue.start_job_run(JobName=JOB)
    took = perf_counter() - began
    glue.close()
    return took
