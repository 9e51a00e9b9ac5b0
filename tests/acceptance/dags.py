"""A project whose one pipeline starts a DAG of Airflow for a day, and has it tried once more by clearing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.acceptance.cli import a_project

PASSWORD_NAME: Final = "AIRFLOW_PASSWORD"
_TRIGGER: Final = """\
trigger:
  type: airflow
  url: {url}
  dagID: {dag}
  username: interlock
  password: ${{env:{name}}}
  logicalDate: "{{{{date}}}}T00:00:00Z"
  onRetry: clear
  pollInterval: 1s
retry: {{maxAttempts: 2, backoffSeconds: 0}}
"""


def a_dag_project(root: Path, url: str, dag: str) -> Path:
    """Write it. The password stands in the environment variable `PASSWORD_NAME`."""
    project = a_project(root)
    with (project / "interlock.yaml").open("a") as file:
        file.write(f"env: {{allow: [{PASSWORD_NAME}]}}\nnetwork: {{allow: [127.0.0.1]}}\n")
    pipeline = project / "pipelines" / "orders.yaml"
    kept, _, _ = pipeline.read_text().partition("trigger:")
    pipeline.write_text(kept + _TRIGGER.format(url=url, dag=dag, name=PASSWORD_NAME))
    return project
