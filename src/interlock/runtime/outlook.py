"""Can what a project names outside of itself be had and reached? Secrets, the account of AWS, the hosts of its jobs.

Nothing is started, and nobody is asked who counts it: hosts are asked for their first page without credentials, and AWS as
whom it knows this process, which every account may ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec.structs import asdict, replace

from interlock import plugins
from interlock.clients.aws import AwsCaller, AwsDoor, AwsOptions, AwsTrouble, is_loopback, options_of, region_of_arn
from interlock.clients.trouble import HttpForbidden, HttpTrouble
from interlock.config.project import Project
from interlock.core.ids import RunKey, ScheduleName, Slot
from interlock.core.periods import Period
from interlock.core.pipelines import PipelineSpec
from interlock.core.traits import FailureCategory
from interlock.errors import InterlockError, MissingExtra
from interlock.ports.triggers import Job
from interlock.runtime.clock import SystemClock
from interlock.runtime.examination import Finding, Outcome
from interlock.runtime.secrets import Secrets
from interlock.runtime.triggers import TriggerFactory
from interlock.runtime.wiring import LazyHttp, allowed_addresses, state_dir
from interlock.triggers.context import TriggerContext

if TYPE_CHECKING:
    from interlock.clients.http import HttpSender

_PATIENCE: Final = timedelta(seconds=5)
_NAMED: Final = 3
_AT_ONCE: Final = 8
_ADDRESSES: Final = ("url", "workspace_url", "status_url")


def examine_outside(project: Project, now: datetime, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at what the jobs of a project need besides this machine; nothing where they need nothing."""
    settings = project.settings
    door = AwsDoor(settings.aws)
    http = LazyHttp(allowed_addresses(project))
    secrets = Secrets(settings.secrets, environ, door, SystemClock())
    try:
        if settings.secrets:
            yield _secrets(secrets)
        configs, troubles = _configs(project, secrets, now, environ)
        if configs or troubles:
            yield _jobs(len(configs), troubles)
        yield from _accounts(configs, settings.aws)
        yield from _hosts(configs, http)
    finally:
        http.close()
        door.close()


def _secrets(secrets: Secrets) -> Finding:
    troubles = []
    for name in secrets:
        try:
            secrets[name]
        except InterlockError as exc:
            troubles.append(str(exc))
    if troubles:
        advice = "put it there, or correct `secrets`; jobs that refer to it are not started"
        return Finding("secrets", Outcome.FAIL, _several(troubles), advice)
    return Finding("secrets", Outcome.OK, f"{len(secrets)} secrets, all of them can be read")


def _configs(
    project: Project, secrets: Secrets, now: datetime, environ: Mapping[str, str]
) -> tuple[list[Any], list[str]]:
    """Return what the triggers of other systems would be made of now, and why some could not be."""
    settings = project.settings
    context = TriggerContext(
        state_dir=state_dir(project),
        root=project.root,
        env_allow=settings.env_allow,
        public_url=settings.server.public_url,
    )
    factory = TriggerFactory(context, environ, secrets, str)
    found: list[Any] = []
    troubles: list[str] = []
    for loaded in project.pipelines.values():
        spec = loaded.spec
        try:
            if spec.trigger is not None and not getattr(plugins.load("trigger", spec.trigger.type), "local", False):
                found.append(factory.config(spec.trigger, _a_job(spec, now)))
        except InterlockError as exc:
            troubles.append(f"{spec.name}: {exc}")
    return found, troubles


def _a_job(spec: PipelineSpec, now: datetime) -> Job:
    schedule = spec.schedules[0].name if spec.schedules else ScheduleName("daily")
    run = RunKey(Slot(spec.name, schedule, Period(now.date().isoformat())))
    return Job(run=run, attempt=1, key="doctor")


def _jobs(made: int, troubles: list[str]) -> Finding:
    if troubles:
        return Finding("jobs", Outcome.FAIL, _several(troubles), "correct the trigger, or what it refers to")
    return Finding("jobs", Outcome.OK, f"{made} jobs of other systems have all that their triggers refer to")


def _accounts(configs: Iterable[Any], defaults: AwsOptions) -> Iterator[Finding]:
    """Say as whom AWS is asked, for each way of asking it."""
    # Who we are is a question for a service of its own, which no private endpoint of another one answers.
    door = AwsDoor(defaults if is_loopback(defaults.endpoint) else replace(defaults, endpoint=""))
    asked = dict.fromkeys(_options(config) for config in configs if isinstance(config, AwsOptions))
    try:
        for options in asked:
            yield _account(options, door)
    finally:
        door.close()


def _options(config: AwsOptions) -> AwsOptions:
    arns = (value for value in asdict(config).values() if isinstance(value, str) and value.startswith("arn:"))
    options = options_of(config, region=next(filter(None, map(region_of_arn, arns)), ""))
    return options if is_loopback(options.endpoint) else replace(options, endpoint="")


def _account(options: AwsOptions, door: AwsCaller) -> Finding:
    region = door.region(options)
    if not region:
        words = "no region is known for jobs in AWS"
        return Finding("aws", Outcome.FAIL, words, "set `aws.region` in the project file, or AWS_REGION")
    try:
        answer = door.call("sts", "get_caller_identity", options, timeout=_PATIENCE)
    except AwsTrouble as exc:
        outcome = Outcome.FAIL if exc.category is FailureCategory.PERMANENT else Outcome.WARN
        return Finding("aws", outcome, str(exc), "jobs in AWS cannot be started while this is so")
    except MissingExtra as exc:
        return Finding("aws", Outcome.FAIL, str(exc))
    return Finding("aws", Outcome.OK, f"asked as {answer.get('Arn', 'somebody')} in {region}")


def _hosts(configs: Iterable[Any], http: HttpSender) -> Iterator[Finding]:
    """Say whether the hosts of jobs answer; what they answer is of no interest."""
    named = (getattr(config, key, "") for config in configs for key in _ADDRESSES)
    origins = tuple(dict.fromkeys(origin for address in named if (origin := _origin(address))))
    if not origins:
        return
    with ThreadPoolExecutor(_AT_ONCE) as several:
        troubles = [exc for exc in several.map(lambda origin: _trouble(origin, http), origins) if exc is not None]
    if not troubles:
        yield Finding("hosts", Outcome.OK, f"{len(origins)} hosts of jobs, all of them answer")
        return
    closed = [str(exc) for exc in troubles if isinstance(exc, HttpForbidden)]
    if closed:
        yield Finding("hosts", Outcome.FAIL, _several(closed), "list it under `network.allow`, or correct the address")
    if silent := [str(exc) for exc in troubles if not isinstance(exc, HttpForbidden)]:
        yield Finding("hosts", Outcome.WARN, _several(silent), "see whether it is up, and can be reached from here")


def _origin(address: object) -> str:
    try:
        parts = urlsplit(str(address))
    except ValueError:
        return ""  # the trigger itself says what is wrong with it
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/" if parts.netloc else ""


def _trouble(origin: str, http: HttpSender) -> HttpTrouble | None:
    try:
        http.send("HEAD", origin, timeout=_PATIENCE)
    except HttpTrouble as exc:
        return exc
    return None


def _several(words: list[str]) -> str:
    rest = f"; and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return "; ".join(words[:_NAMED]) + rest
