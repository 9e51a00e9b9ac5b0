"""Following the files: what changed is read again as a whole, and goes into effect as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from interlock.app.advance import advance
from interlock.app.opening import waiting_runs
from interlock.app.planning import Specs, plan, planned_names
from interlock.config.discover import PROJECT_FILES, yaml_files
from interlock.config.load import load_project
from interlock.config.project import Project, ProjectSettings
from interlock.config.settings import Settings
from interlock.config.source import Stamp
from interlock.core.alerts import AlertType
from interlock.core.events import EvaluationAsked
from interlock.core.ids import PipelineName, RunKey
from interlock.core.pipelines import PipelineSpec
from interlock.core.runs import Run, RunStatus
from interlock.errors import ConfigError, Problem
from interlock.runtime.catalog import ProjectCatalog
from interlock.runtime.guarding import guarded
from interlock.runtime.station import ITSELF, Station
from interlock.runtime.wiring import Interlock

ACTOR: Final = "the files changed"
_TOLD: Final = 20
_LONGEST_REST: Final = timedelta(minutes=1)
_FIXED: Final = (
    "sqlite_path",
    "provider",
    "redis",
    "postgres",
    "dynamodb",
    "other_stores",
    "archiver",
    "evaluator_dirs",
    "env_allow",
    "secrets",
    "aws",
    "network_allow",
    "evaluator_base_url",
    "server",
    "metrics",
    "tracing",
)
"""Settings that a process goes by from its beginning to its end."""

Signature: TypeAlias = tuple[tuple[str, Stamp | None], ...]


class Reloader:
    """Keeps the catalog, the agendas and the channels in line with the files. `follow` is called by one thread at a time.

    `problems` are those of the files that could not be read when the process began.
    """

    def __init__(
        self,
        work: Interlock,
        station: Station,
        settings: Settings,
        problems: Sequence[Problem] = (),
        *,
        load: Callable[..., Project] = load_project,
    ) -> None:
        self._work = work
        self._station = station
        self._settings = settings
        self._load = load
        self._project = work.project
        self._catalog: ProjectCatalog = work.catalog
        self._problems: Sequence[Problem] | None = tuple(problems)
        self._known: dict[PipelineName, PipelineSpec] | None = None
        self._signature = signature(self._project)
        self._generation = 0
        self._unreadable: frozenset[PipelineName] = frozenset()
        self._out_of_sight: frozenset[PipelineName] = frozenset()
        self._told: set[str] = set()
        self._suspect: Signature | None = None
        self._asks: dict[RunKey, str] = {}
        self._again: dict[PipelineName, str] = {}
        self._rest_until: datetime | None = None

    def follow(self) -> None:
        """Look whether the files, or what is registered, have changed, and go by them if they can be used.

        The first time everything is planned.
        """
        if self._problems is not None:
            self._begin(self._problems)
            self._problems = None
        elif self._rest_until is None or self._work.clock.now() >= self._rest_until:
            self._look()
        self._follow_registered()
        self._ask_again()

    def behind(self) -> bool:
        """Say whether something was registered or removed that is not planned yet. Safe from any thread."""
        return self._problems is None and self._work.registrations.generation() != self._generation

    def hurry(self) -> None:
        """Look at the files the next time, however long it takes. Safe in a signal's handler."""
        self._rest_until = None

    def _look(self) -> None:
        begins = self._work.clock.now()
        found = signature(self._project)
        looked = self._work.clock.now()
        self._follow_changes(found)
        ends = self._work.clock.now()
        # A hundred thousand files take half a second to look at: never more than a twentieth of the time. To read them takes
        # longer, and may have half of it: who changes many files at once wants to see the next change soon.
        rest = max(looked - begins, timedelta()) * 20 + max(ends - looked, timedelta())
        self._rest_until = ends + min(rest, _LONGEST_REST)

    def _begin(self, problems: Sequence[Problem]) -> None:
        self._generation = self._work.registry.follow()
        self._out_of_sight = self._planned_in_no_directory()
        if self._out_of_sight:
            problems = [*problems, _directory_gone(self._project.file, "pipelines", len(self._out_of_sight))]
        if problems:
            self._reject(problems)
        else:
            self._accept()
        self._told = set(self._catalog.project.registered)  # whatever was told of them before this process began
        self._plan()
        self._tell_registered()

    def _follow_changes(self, now: Signature) -> None:
        if now == self._signature:
            if self._again:
                self._plan()
            return
        try:
            project = self._load(self._project.root, settings=self._settings)
            _require_pipelines(self._project, project)
            alerting = guarded(self._work.alerting_of(project))
        except ConfigError as exc:
            # A file that is being written looks broken for a moment: it has to be so twice before people hear of it.
            if self._suspect == now:
                self._signature = now
                self._reject(exc.problems or (Problem(self._project.file, 0, 0, str(exc)),))
            self._suspect = now
            return
        self._suspect = None
        self._out_of_sight = frozenset()
        self._signature = now if signature(project) == now else ()
        self._swap(project)
        self._station.hands = self._station.hands._replace(alerting=alerting)
        self._work.go_by(alerting)
        self._accept()
        self._plan()
        self._tell_registered()

    def _follow_registered(self) -> None:
        # Whoever registers in this process has the catalog follow at once: the agendas are still to be planned then.
        generation = self._work.registry.follow()
        if generation != self._generation:
            self._plan()
            self._tell_registered()
            self._generation = generation

    def _swap(self, project: Project) -> None:
        fixed = [name for name in _FIXED if _setting(project, name) != _setting(self._work.project, name)]
        if fixed:
            self._station.news(f"reload {', '.join(fixed)} of {project.file} count from the next start of the watcher")
        self._project = project
        self._work.registry.swap(project)

    # ------------------------------------------------------------------ plans

    def _plan(self) -> None:
        # What cannot be used just now is left as it is planned: files that are broken from the start, or in a directory that
        # was not there then, and registrations.
        unreadable = self._out_of_sight.union(map(PipelineName, self._catalog.project.broken))
        again = {*self._again, *(self._unreadable - unreadable)}
        specs = dict(self._catalog.specs)
        known = self._known
        planned = plan(specs, self._station.hands, known=known, again=again, unreadable=unreadable)
        self._unreadable = unreadable
        for name, words in planned.troubles:
            if self._again.get(name) != words:
                self._station.news(f"trouble {name}: its schedules could not be planned: {words}")
        if known is not None and specs != known:
            self._say_what_changed(known, specs, len(planned.changed))
        self._known, self._again = specs, dict(planned.troubles)
        for name in planned.changed:
            self._ask(name, specs.get(name))
        self._station.poke()

    def _planned_in_no_directory(self) -> frozenset[PipelineName]:
        """Return what an earlier process has planned by files, where there is no directory of pipelines now."""
        project = self._catalog.project
        if project.pipelines or project.broken or project.settings.pipeline_dirs:
            return frozenset()
        return frozenset(planned_names(self._station.hands)) - project.registered.keys()

    def _say_what_changed(self, known: Specs, specs: Specs, changed: int) -> None:
        gone, news = sorted(known.keys() - specs.keys()), self._station.news
        added = len(specs.keys() - known.keys())
        news(f"reload {added} added, {changed} changed, {len(gone)} removed: {len(specs)} pipelines")
        for name in gone:
            for run in waiting_runs(name, self._station.hands):
                if run.status is RunStatus.PENDING:
                    ending = f"interlock cancel {run.key} --reason WHY ends it"
                    news(
                        f"reload {name} is removed, and {run.key} is held: it goes on when the file is back, and {ending}"
                    )

    def _ask(self, name: PipelineName, spec: PipelineSpec | None) -> None:
        if spec is None:
            return
        digest = self._station.hands.store.put_spec(spec)
        for run in waiting_runs(name, self._station.hands):
            if _may_follow(run) and run.spec_digest != digest:
                self._asks[run.key] = digest

    def _ask_again(self) -> None:
        """Let runs that wait, and were never let through, be judged by the files as they are; until each has heard it."""
        store, clock = self._station.hands.store, self._station.hands.clock
        for key, digest in list(self._asks.items()):
            run = store.run(key)
            if run is None or not _may_follow(run) or run.spec_digest == digest:
                del self._asks[key]
                continue
            fact = EvaluationAsked(at=clock.now(), actor=ACTOR, spec_digest=digest)
            if advance(key, fact, store).changed:
                del self._asks[key]
                self._station.poke()

    # ------------------------------------------------------------------ people

    def _reject(self, problems: Sequence[Problem]) -> None:
        listed = "\n".join(map(str, problems[:_TOLD]))
        more = f"\nand {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
        message = f"the files cannot be used as they are, and Interlock goes on by what it read before:\n{listed}{more}"
        self._station.news(f"reload {len(problems)} problems: {problems[0]}")
        self._station.alert(AlertType.CONFIG_REJECTED, ITSELF, message)

    def _accept(self) -> None:
        if self._is_told(ITSELF):
            self._station.mended(AlertType.CONFIG_REJECTED, ITSELF, "the files can be used again")

    def _is_told(self, subject: str) -> bool:
        known = self._station.hands.dispatches.alert(f"{AlertType.CONFIG_REJECTED}/{subject}")
        return known is not None and known.open

    def _tell_registered(self) -> None:
        """Tell of registrations that cannot be used any more, each once, and when they can be again or are gone."""
        project = self._catalog.project
        broken = {name: project.broken[name] for name in project.registered if name in project.broken}
        unusable = {name: those for name, those in broken.items() if not project.registered[name].shadowed}
        for name in sorted(self._told - unusable.keys()):
            if self._is_told(name):
                self._station.mended(
                    AlertType.CONFIG_REJECTED, name, "what is registered can be used again, or is gone"
                )
        for name, problems in unusable.items():
            if self._is_told(name):
                continue
            listed = "\n".join(map(str, problems[:_TOLD]))
            message = f"{name} is registered and cannot be used as things are, so nothing of it is started:\n{listed}"
            self._station.alert(AlertType.CONFIG_REJECTED, name, message)
        self._told = set(unusable)


def _may_follow(run: Run) -> bool:
    return run.status is RunStatus.PENDING and not run.attempt


def _require_pipelines(before: Project, now: Project) -> None:
    """Refuse to retire everything because a directory went away: a volume that is not mounted wants nothing stopped.

    One that the project file names is missed by whoever loads the file.
    """
    gone = [path for path in before.settings.pipeline_dirs if not path.is_dir()]
    if gone and before.pipelines and not now.settings.pipeline_dirs:
        raise ConfigError([_directory_gone(now.file, gone[0].name, len(before.pipelines))])


def _directory_gone(file: str, name: str, pipelines: int) -> Problem:
    message = f"the directory {name} is gone, and {pipelines} pipelines with it"
    hint = "put it back; or make it anew, empty, if none of them is to be watched any more"
    return Problem(file, 0, 0, message, hint, "file")


def _setting(project: Project, name: str) -> object:
    settings: ProjectSettings = project.settings
    return getattr(settings, name)


def signature(project: Project) -> Signature:
    """Return what changes whenever a file of the project does, without reading any."""
    settings = project.settings
    found: dict[str, Stamp | None] = {str(project.root / name): _stamp(project.root / name) for name in PROJECT_FILES}
    for directory in (*settings.archetype_dirs, *settings.calendar_dirs, *settings.pipeline_dirs, *_usual(project)):
        try:
            found.update(yaml_files(str(directory)))
        except OSError:
            found[str(directory)] = None
    return tuple(sorted(found.items()))


def _usual(project: Project) -> tuple[Path, ...]:
    # Directories that are not there yet count as soon as they are.
    return tuple(project.root / name for name in ("archetypes", "calendars", "pipelines"))


def _stamp(path: Path) -> Stamp | None:
    try:
        return Stamp.of(os.stat(path))  # noqa: PTH116
    except OSError:
        return None
