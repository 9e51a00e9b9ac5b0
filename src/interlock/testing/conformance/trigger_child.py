"""A process that starts one job and waits to be killed: `python -m interlock.testing.conformance.trigger_child`.

On stdin it takes a JSON object: `type` is the name of the trigger, `config` its configuration with nothing left to fill in,
`allow` the private addresses that it may reach, `aws` what the door to AWS is made with, and `attempt` which one it is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from interlock import plugins, reading
from interlock.clients.aws import AwsDoor, AwsOptions
from interlock.clients.http import HttpClient
from interlock.testing.conformance.triggers import TIMEOUT, a_job
from interlock.triggers.context import TriggerContext


def main() -> None:
    """Start the job of `a_job()`, or another attempt of it."""
    told = json.load(sys.stdin)
    kind = plugins.load("trigger", told["type"])
    here = Path.cwd()
    context = TriggerContext(
        state_dir=here,
        root=here,
        http=HttpClient(allow=tuple(told.get("allow", ()))),
        aws=AwsDoor(reading.value(told.get("aws", {}), AwsOptions)),
    )
    job = a_job(attempt=told.get("attempt", 1))
    kind(reading.value(told["config"], kind.Config), context).start(job, timeout=TIMEOUT)


if __name__ == "__main__":
    main()
