"""Is everything here that a project needs? Every question is asked, whatever the answers before it."""

from __future__ import annotations

import enum
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Final, NamedTuple

from interlock import plugins
from interlock.app.watch_views import WATCHDOG, WATCHER, MemberView, attendance
from interlock.config.project import Project
from interlock.core.times import format_duration, zone
from interlock.errors import ConfigError, Problem, StoreEmpty, StoreError
from interlock.runtime.archiving import archiver_of, open_archive
from interlock.runtime.programs import Unusable, unusable_programs
from interlock.runtime.stores import named, open_kernel
from interlock.stores.kernel import Kernel
from interlock.stores.members import MemberRows
from interlock.stores.passing import advice_of
from interlock.stores.repository import Repository
from interlock.stores.state import refuse_closed
from interlock.version import __version__

OLDEST_PYTHON: Final = (3, 11)
LITTLE_SPACE: Final = 500 * 2**20
NO_SPACE: Final = 20 * 2**20
CLOCK_SLACK: Final = timedelta(minutes=1)
_EXTRAS: Final = {
    "http": "httpx2",
    "postgres": "psycopg",
    "redis": "redis",
    "aws": "botocore",
    "duckdb": "duckdb",
    "alerts": "apprise",
    "calendars": "holidays",
}
_NAMED: Final = 3


class Outcome(enum.StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One thing that was looked at, how it is, and what to do about it."""

    name: str
    outcome: Outcome
    message: str
    advice: str = ""


def examine_machine() -> Iterator[Finding]:
    """Look at what does not depend on any project."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= OLDEST_PYTHON:
        yield Finding("python", Outcome.OK, f"Python {version}")
    else:
        yield Finding("python", Outcome.FAIL, f"Python {version} is too old", "use 3.11 or later")
    yield Finding("interlock", Outcome.OK, f"Interlock {__version__}")
    there = [name for name, module in _EXTRAS.items() if find_spec(module) is not None]
    missing = [name for name in _EXTRAS if name not in there]
    listed = f"installed: {', '.join(there) or 'none'}; not installed: {', '.join(missing) or 'none'}"
    advice = f"only if a pipeline needs it: pip install 'interlock[{','.join(missing)}]'" if missing else ""
    yield Finding("extras", Outcome.OK, listed, advice)
    yield from _plugins()
    try:
        zone("America/New_York")
        yield Finding("time-zones", Outcome.OK, "the time zone database is there")
    except ValueError:
        yield Finding("time-zones", Outcome.FAIL, "there is no time zone database", "pip install tzdata")


def examine_project(
    project: Project, problems: Sequence[Problem], now: datetime, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Look at a project, what it keeps and what it calls. Nothing in the store is changed."""
    yield _files(project, problems)
    if project.settings.provider == "sqlite":
        yield _directory(project)
        yield _space(project)
    yield from _store(project, now, environ)
    yield _programs("evaluators", unusable_programs(project, environ, "evaluator"))
    yield _programs("triggers", unusable_programs(project, environ, "trigger"))
    unset = [name for name in project.settings.env_allow if name not in environ]
    if unset:
        message = f"not set, though env.allow lists them: {', '.join(unset)}"
        yield Finding("environment", Outcome.WARN, message, "set them, or remove them from env.allow")
    else:
        yield Finding("environment", Outcome.OK, "every variable of env.allow is set")


def _plugins() -> Iterator[Finding]:
    """Say what other distributions bring, and what of it cannot be used; nothing where nobody brings anything."""
    usable: list[str] = []
    troubles: dict[str, None] = {}  # two who claim one name are one trouble
    for kind, name, owner in plugins.outsiders():
        try:
            plugins.load(kind, name)
            usable.append(f"{kind} {name} of {owner}")
        except ConfigError as exc:
            troubles[str(exc)] = None
    if usable:
        yield Finding("plugins", Outcome.OK, f"installed: {', '.join(usable)}")
    for trouble in troubles:
        yield Finding("plugins", Outcome.WARN, trouble)
    for words in plugins.shadowing():
        what, _, advice = words.partition(": ")
        yield Finding("plugins", Outcome.WARN, what, advice)


def _files(project: Project, problems: Sequence[Problem]) -> Finding:
    where = project.root / project.file
    if not problems:
        return Finding("project", Outcome.OK, f"{where}: {len(project.pipelines)} pipelines, no problems")
    rest = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    told = "; ".join(map(str, problems[:_NAMED]))
    return Finding("project", Outcome.FAIL, f"{told}{rest}", "all of them: interlock validate")


def _directory(project: Project) -> Finding:
    place = project.settings.sqlite_path.parent
    looked_at = place if place.is_dir() else place.parent
    try:
        with tempfile.TemporaryFile(dir=looked_at):
            return Finding("directory", Outcome.OK, f"{place} can be written")
    except OSError as exc:
        message = f"{looked_at} cannot be written: {exc.strerror}"
        return Finding("directory", Outcome.FAIL, message, "correct its owner and permissions, or sqlite.path")


def _space(project: Project) -> Finding:
    place = project.settings.sqlite_path.parent
    try:
        free = shutil.disk_usage(place if place.is_dir() else project.root).free
    except OSError as exc:
        return Finding("disk", Outcome.WARN, f"the free space of {place} is unknown: {exc.strerror}")
    said = f"{free // 2**20} MiB free for the store"
    if free < NO_SPACE:
        return Finding("disk", Outcome.FAIL, said, "free some: without space nothing can be decided")
    if free < LITTLE_SPACE:
        return Finding("disk", Outcome.WARN, said, "free some soon")
    return Finding("disk", Outcome.OK, said)


def _store(project: Project, now: datetime, environ: Mapping[str, str]) -> Iterator[Finding]:
    where = named(project.settings)
    try:
        with closing(_opened(project)) as kernel:
            refuse_closed(kernel)
            kernel.ping()
            yield Finding("store", Outcome.OK, f"{where} can be read and written")
            for words in advice_of(kernel):
                yield Finding("store", Outcome.WARN, words)
            yield _clock(_newest(project, Repository(kernel)), now)
            yield from _at_work(attendance(MemberRows(kernel), now), now)
            if project.settings.archiver.enabled:
                yield _archive(project, kernel, now, environ)
    except StoreEmpty:
        yield Finding("store", Outcome.OK, f"{where} does not exist yet; the first evaluation makes it")
    except (StoreError, ConfigError, OSError) as exc:
        yield Finding("store", Outcome.FAIL, str(exc))


def _opened(project: Project) -> Kernel:
    """Open the store for writing too, to see whether it can be; what does not exist is not made for that."""
    path = project.settings.sqlite_path
    if project.settings.provider != "sqlite":
        open_kernel(project, read_only=True).close()  # StoreEmpty, where nothing is there yet
        return open_kernel(project)
    if not path.exists() and not path.is_symlink():
        raise StoreEmpty(f"there is no store {path} yet")
    from interlock.stores.sqlite.kernel import SqliteKernel

    return SqliteKernel(path, busy_timeout=timedelta(seconds=2))


def _at_work(members: tuple[MemberView, ...], now: datetime) -> Iterator[Finding]:
    """Say when the watchers and watchdogs last got something done; nothing of those that were never there."""
    for role, verb in ((WATCHER, "watch"), (WATCHDOG, "watchdog")):
        known = [member for member in members if member.role == role]
        if not known:
            continue
        alive = [member for member in known if member.alive]
        done = max((member.progress_at for member in known if member.progress_at is not None), default=None)
        last = "none has finished a turn" if done is None else f"the last turn ended {_ago(now - done)} ago"
        if alive:
            yield Finding(role, Outcome.OK, f"{len(alive)} at work; {last}")
        else:
            yield Finding(role, Outcome.WARN, f"none is at work; {last}", f"start one: interlock {verb}")


def _archive(project: Project, kernel: Kernel, now: datetime, environ: Mapping[str, str]) -> Finding:
    advice = "nothing is lost meanwhile: what is not copied stays in the store, and is copied by: interlock archive"
    try:
        with closing(open_archive(project, environ)) as archive:
            standing = archiver_of(kernel, archive).behind()
    except (StoreError, ConfigError) as exc:
        return Finding("archive", Outcome.WARN, str(exc), advice)  # nothing that is decided needs it
    if standing.gaps:
        message = f"{len(standing.gaps)} facts are missing in {archive.where}"
        return Finding("archive", Outcome.WARN, message, "which and why: interlock archive --check")
    if standing.since is not None and now - standing.since > project.settings.archiver.behind:
        message = f"the oldest of what waits for {archive.where} has waited for {_ago(now - standing.since)}"
        return Finding("archive", Outcome.WARN, message, advice)
    return Finding("archive", Outcome.OK, f"{archive.where} answers, and keeps up")


def _ago(length: timedelta) -> str:
    return format_duration(timedelta(seconds=max(round(length.total_seconds()), 0)))


def _newest(project: Project, store: Repository) -> datetime | None:
    seen: list[datetime] = []
    for name in (*project.pipelines, *project.broken):
        seen += [run.updated_at for run in store.runs_of(name, limit=1)]
        evaluation = store.latest_evaluation(name)
        if evaluation is not None:
            seen.append(evaluation.ended_at)
    return max(seen, default=None)


def _clock(newest: datetime | None, now: datetime) -> Finding:
    if newest is None or newest <= now + CLOCK_SLACK:
        return Finding("clock", Outcome.OK, "nothing stored lies in the future")
    ahead = format_duration(timedelta(seconds=round((newest - now).total_seconds())))
    return Finding(
        "clock",
        Outcome.WARN,
        f"what was stored last lies {ahead} in the future: the clock was set back, or was ahead then",
        "check the machine's time; until it has caught up, freshness and deadlines are judged by the stored time",
    )


def _programs(name: str, found: tuple[int, tuple[Unusable, ...]]) -> Finding:
    looked_at, unusable = found
    if not unusable:
        return Finding(name, Outcome.OK, f"{looked_at} programs, all of them found")
    told = "; ".join(f"{one.program}: {one.why}" for one in unusable[:_NAMED])
    rest = f"; and {len(unusable) - _NAMED} more" if len(unusable) > _NAMED else ""
    return Finding(name, Outcome.FAIL, f"{told}{rest}", "install what is missing, or correct the path")
