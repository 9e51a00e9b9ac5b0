"""The keys of the databricks trigger, and the request that they make.

What stands inside of lists and mappings is in Databricks' own spelling, and is passed on untouched.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from msgspec import UNSET, Meta, Struct, UnsetType

from interlock.clients.aws import is_loopback
from interlock.clients.names import short_name
from interlock.core.templates import has_placeholder
from interlock.ports.triggers import Job
from interlock.triggers.answers import SecretText

LONGEST_TOKEN: Final = 64
_LARGEST_ID: Final = 2**63 - 1
_VERSIONS: Final = ("2.1", "2.2")
_PARTIAL: Final = ("failed", "succeeded")

# What goes into the body of each request, under the name of the attribute unless `_NAMES` has another.
RUN_NOW: Final = (
    "arguments",
    "notebook_params",
    "python_params",
    "jar_params",
    "sql_params",
    "python_named_params",
    "spark_submit_params",
    "dbt_commands",
    "pipeline_params",
    "only",
)
SUBMIT: Final = (
    "job_name",
    "tasks",
    "timeout_seconds",
    "environments",
    "git_source",
    "access_control_list",
    "run_as",
    "email_notifications",
    "webhook_notifications",
    "notification_settings",
    "health",
    "budget_policy_id",
    "usage_policy_id",
)
EITHER: Final = ("queue", "performance_target")
_NAMES: Final = {"arguments": "job_parameters", "job_name": "run_name"}

Text: TypeAlias = dict[str, str]
Free: TypeAlias = dict[str, Any]
Words: TypeAlias = tuple[str, ...]


class DatabricksConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which job is run, or which tasks, in which workspace, and as whom it is asked."""

    workspace_url: Annotated[str, Meta(min_length=1, description="The workspace: https:// and a host, no path.")]
    token: Annotated[SecretText, Meta(description="A personal access token.")] = ""
    client_id: Annotated[str, Meta(description="The application id of a service principal, for OAuth.")] = ""
    client_secret: Annotated[SecretText, Meta(description="An OAuth secret of that service principal.")] = ""
    headers: Annotated[Text, Meta(description="Headers of every request to the workspace.")] = {}
    api_version: Annotated[str | float, Meta(description="The version of the Jobs API: 2.1 or 2.2.")] = "2.1"
    timeout: Annotated[float, Meta(gt=0, le=3600, description="Seconds for one request.")] = 30
    partial_success: Annotated[
        str,
        Meta(description="What a run with failed tasks counts as that Databricks calls a success: failed, succeeded."),
    ] = "failed"

    job_id: Annotated[int | str | UnsetType, Meta(description="The job to run.")] = UNSET
    arguments: Annotated[Text, Meta(description="Parameters of the job.")] = {}
    notebook_params: Annotated[Text, Meta(description="Parameters of its notebook tasks.")] = {}
    python_params: Annotated[Words, Meta(description="Arguments of its Python file tasks.")] = ()
    jar_params: Annotated[Words, Meta(description="Arguments of its JAR tasks.")] = ()
    sql_params: Annotated[Text, Meta(description="Parameters of its SQL tasks.")] = {}
    python_named_params: Annotated[Text, Meta(description="Named parameters of its Python wheel tasks.")] = {}
    spark_submit_params: Annotated[Words, Meta(description="Arguments of its spark-submit tasks.")] = ()
    dbt_commands: Annotated[Words, Meta(description="Commands of its dbt tasks.")] = ()
    pipeline_params: Annotated[Free, Meta(description="How its pipeline tasks are run.")] = {}
    only: Annotated[Words, Meta(description="The keys of the tasks that are run, if not all are.")] = ()

    tasks: Annotated[tuple[Free, ...], Meta(max_length=100, description="The tasks of a one-time run.")] = ()
    job_name: Annotated[str, Meta(max_length=4096, description="The name of a one-time run.")] = ""
    timeout_seconds: Annotated[int, Meta(ge=0, description="After which Databricks stops a one-time run.")] = 0
    environments: Annotated[tuple[Free, ...], Meta(description="Environments that its tasks refer to.")] = ()
    git_source: Annotated[Free, Meta(description="The repository that its tasks are taken from.")] = {}
    access_control_list: Annotated[tuple[Free, ...], Meta(description="Who may see and manage it.")] = ()
    run_as: Annotated[Free, Meta(description="The user or service principal that it runs as.")] = {}
    email_notifications: Annotated[Free, Meta(description="Whom Databricks writes to about it.")] = {}
    webhook_notifications: Annotated[Free, Meta(description="Which hooks Databricks calls about it.")] = {}
    notification_settings: Annotated[Free, Meta(description="When Databricks tells of it.")] = {}
    health: Annotated[Free, Meta(description="Its health rules.")] = {}
    budget_policy_id: Annotated[str, Meta(description="Its budget policy.")] = ""
    usage_policy_id: Annotated[str, Meta(description="Its usage policy.")] = ""

    queue: Annotated[Free, Meta(description="Whether the run may wait for its turn.")] = {}
    performance_target: Annotated[str, Meta(description="How fast serverless compute is to be.")] = ""

    def __post_init__(self) -> None:
        _check_workspace(self.workspace_url)
        _check_credentials(self)
        if str(self.api_version) not in _VERSIONS and not _open(str(self.api_version)):
            raise ValueError(f"`apiVersion` is {' or '.join(_VERSIONS)}")
        if self.partial_success not in _PARTIAL and not _open(self.partial_success):
            raise ValueError(f"`partialSuccess` is {' or '.join(_PARTIAL)}")
        if self.job_id is UNSET:
            _check_tasks(self)
        else:
            _check_job(self.job_id, self)

    def __repr__(self) -> str:
        # Whoever shows a configuration in an error must not show the credentials in it.
        return f"DatabricksConfig(workspace_url={self.workspace_url!r}, job_id={self.job_id!r})"

    @property
    def base(self) -> str:
        """The address of the workspace as it stands in requests and handles."""
        return self.workspace_url.strip().rstrip("/").lower()


def start_request(config: DatabricksConfig, job: Job) -> tuple[str, Free]:
    """Return the path below `jobs/` and the body that start a run: the same for every try of one attempt."""
    body: Free = {"idempotency_token": short_name(job.key, LONGEST_TOKEN)}
    if config.job_id is UNSET:
        return "runs/submit", {**body, "run_name": job.run.run_id, **_filled(config, (*SUBMIT, *EITHER))}
    return "run-now", {**body, "job_id": int(config.job_id), **_filled(config, (*RUN_NOW, *EITHER))}


def sent_name(attribute: str) -> str:
    """Return what a key is called in Databricks' own requests."""
    return _NAMES.get(attribute, attribute)


def _filled(config: DatabricksConfig, attributes: Iterable[str]) -> Free:
    return {sent_name(one): value for one in attributes if (value := getattr(config, one))}


def _open(text: str) -> bool:
    """Say whether a text is not known yet: what its placeholders stand for comes when the job is started."""
    return has_placeholder(text)


def _check_workspace(url: str) -> None:
    if _open(url):
        return
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, usable = SplitResult("", "", "", "", ""), False
    if not usable:
        raise ValueError("`workspaceUrl` is an address such as https://adb-123.4.azuredatabricks.net")
    if parts.username is not None or parts.password is not None:
        raise ValueError("`workspaceUrl` holds credentials: give them as `token`, or as `clientId` and `clientSecret`")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("`workspaceUrl` has something after the host: leave that away")
    if parts.scheme == "http" and not is_loopback(url.strip()):
        raise ValueError("`workspaceUrl` is http://, over which anybody on the way reads the token: write https://")


def _check_credentials(config: DatabricksConfig) -> None:
    own_header = any(name.lower() == "authorization" for name in config.headers)
    oauth = bool(config.client_id or config.client_secret)
    if oauth and not (config.client_id and config.client_secret):
        raise ValueError("`clientId` and `clientSecret` go together: give both, or neither")
    ways = bool(config.token) + oauth + own_header
    if ways == 0:
        raise ValueError("there are no credentials: give `token`, or `clientId` and `clientSecret`")
    if ways > 1:
        raise ValueError(
            "credentials are given twice: keep one of `token`, `clientId` with `clientSecret`, "
            "and the Authorization of `headers`"
        )


def _check_job(job_id: int | str | UnsetType, config: DatabricksConfig) -> None:
    text = str(job_id)
    whole = not isinstance(job_id, bool) and text.isascii() and text.isdecimal() and len(text) < 20
    if not _open(text) and not (whole and 0 < int(text) <= _LARGEST_ID):
        raise ValueError("`jobId` is the number of a job: it stands on the job's page")
    if config.tasks:
        raise ValueError("`jobId` runs a job, `tasks` are a run of their own: keep one of them")
    wrong = _given(config, SUBMIT)
    if wrong:
        raise ValueError(f"{wrong} belong to a one-time run with `tasks`: with `jobId` the job itself says that")


def _check_tasks(config: DatabricksConfig) -> None:
    if not config.tasks:
        if config.job_name:
            raise ValueError(
                "`jobName` alone starts nothing: give the number of a job as `jobId`, or the `tasks` of a one-time run"
            )
        raise ValueError("there is nothing to start: give `jobId`, or the `tasks` of a one-time run")
    wrong = _given(config, RUN_NOW)
    if wrong:
        raise ValueError(f"{wrong} need `jobId`: a one-time run has no parameters, write the values into its `tasks`")
    keys = [task.get("task_key") for task in config.tasks]
    if not all(isinstance(key, str) and key for key in keys):
        raise ValueError("every one of the `tasks` needs a `task_key`")
    if len(set(keys)) < len(keys):
        raise ValueError("two of the `tasks` have one `task_key`")
    if any("job_cluster_key" in task for task in config.tasks):
        raise ValueError(
            "Databricks knows no `job_cluster_key` in one-time runs: use new_cluster or existing_cluster_id"
        )


def _given(config: DatabricksConfig, attributes: Iterable[str]) -> str:
    encoded = dict(zip(config.__struct_fields__, config.__struct_encode_fields__, strict=True))
    return ", ".join(f"`{encoded[one]}`" for one in attributes if getattr(config, one))
