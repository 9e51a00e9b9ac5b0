"""What functions count: lines of CloudWatch's embedded metric format, of which it makes metrics by itself."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "Interlock"
SCHEDULER_TICK: Final = "SchedulerTick"
WATCHDOG_SCAN: Final = "WatchdogScan"


def count(deployment: str, values: Mapping[str, int], **labels: str) -> None:
    """Count something for a deployment, which goes by its table's name; `labels` are more dimensions.

    The format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    dimensions = {"Deployment": deployment, **labels}
    metrics = [{"Name": name, "Unit": "Count"} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": metrics}
    now = time.time_ns() // 1_000_000  # of the line, as CloudWatch wants it
    line = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, **dimensions, **values}
    print(json.dumps(line), file=sys.stdout, flush=True)  # noqa: T201  (a function's way to tell numbers)
