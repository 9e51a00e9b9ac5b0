"""A project out of the store that it was deployed into, for functions that have no files.

What is asked for is read, each thing by itself and as it is now; nothing is kept for the next question. No file is looked
for, and what reads configuration files is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec.structs import replace

from interlock.codec import wire
from interlock.codec.documents import mapping
from interlock.config.bundle import FunctionSettings, resolved_settings
from interlock.config.project import LoadedPipeline, Project
from interlock.core.archetypes import Archetype
from interlock.core.ids import PipelineName
from interlock.core.pipelines import PipelineSpec
from interlock.errors import Conflict, NotDeployed, Refused, UnreadableRecord
from interlock.stores.deployments import DeploymentRows
from interlock.stores.kernel import Kernel

if TYPE_CHECKING:
    from interlock.ports.deployments import Deployments
    from interlock.ports.members import Member
    from interlock.runtime.catalog import ProjectCatalog

T = TypeVar("T")

FUNCTIONS: Final = "aws"
"""Where functions are, among those who work on a store: they have no machine, and no process that could be looked for."""

PLACE: Final = "the deployment"
"""What stands for the project file of a project that was deployed."""


def deployed_project(
    kernel: Kernel, *, evaluator_base_url: str = "", public_url: str = "", root: Path | None = None
) -> Project:
    """Return the project that was deployed into a store. Its pipelines and archetypes are read when they are asked for.

    The addresses go before those of the bundle. `root` is where functions of the project are imported from, the working
    directory by default.

    Raises:
        NotDeployed: none was.
        StoreError: it cannot be read.
    """
    rows = DeploymentRows(kernel)
    settings = settings_of(rows)
    if settings is None:
        raise NotDeployed(
            "no project was deployed into this store, so nothing can be decided by it. Deploy one: "
            "interlock deploy sync --table NAME"
        )
    own = {"evaluator_base_url": evaluator_base_url, "public_url": public_url}
    settings = replace(settings, **{name: value for name, value in own.items() if value})
    root = Path.cwd() if root is None else root
    return Project(
        root=root,
        file=PLACE,
        settings=resolved_settings(settings, root),
        pipelines=DeployedPipelines(rows, _loaded),
        archetypes=_Archetypes(rows),
        calendars={},
    )


def settings_of(rows: Deployments) -> FunctionSettings | None:
    """Return the settings that were deployed; None when nothing was.

    Raises:
        UnreadableRecord: they are of another Interlock.
    """
    head = rows.head()
    if head is None:
        return None
    try:
        return wire.from_builtins(mapping(head.settings), FunctionSettings)
    except ValueError as exc:
        raise UnreadableRecord(
            f"the settings of the deployment cannot be read: {exc}. They are of another Interlock ({head.interlock}): "
            "deploy the project with the version that the functions have"
        ) from exc


class DeployedPipelines(Mapping[str, T], Generic[T]):
    """The deployed pipelines by name. To look one up is one read; to go through them reads the listing, page by page."""

    def __init__(self, rows: Deployments, shown: Callable[[PipelineSpec, str], T]) -> None:
        self._rows = rows
        self._shown = shown

    def __getitem__(self, name: str) -> T:
        """Return a pipeline.

        Raises:
            KeyError: none of that name is deployed.
        """
        found = self._rows.pipeline(PipelineName(name))
        if found is None or found.retired:
            raise KeyError(name)
        return self._shown(found.spec, found.source)

    def __iter__(self) -> Iterator[str]:
        return (str(one.name) for one in self._rows.pipelines() if not one.retired)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Archetypes(Mapping[str, Archetype]):
    """The deployed archetypes by name, each read when it is asked for."""

    def __init__(self, rows: Deployments) -> None:
        self._rows = rows

    def __getitem__(self, name: str) -> Archetype:
        found = self._rows.archetype(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (one.name for one in self._rows.archetypes())

    def __len__(self) -> int:
        return len(self._rows.archetypes())


class DeployedCatalog:
    """What was deployed, asked of the store every time: whoever asks sees what counts now."""

    def __init__(self, project: Project, rows: Deployments) -> None:
        self.project = project
        self._rows = rows
        self._specs: DeployedPipelines[PipelineSpec] = DeployedPipelines(rows, lambda spec, _: spec)

    @property
    def specs(self) -> Mapping[PipelineName, PipelineSpec]:
        """Every deployed pipeline; see `DeployedPipelines`."""
        return self._specs  # type: ignore[return-value]  # the name of a pipeline is a text

    def spec(self, pipeline: PipelineName) -> PipelineSpec | None:
        """Return a pipeline's spec."""
        return self._specs.get(pipeline)

    def downstream_of(self, pipeline: PipelineName) -> tuple[PipelineName, ...]:
        """Return the pipelines that have a trait which waits for this one, sorted."""
        return self._rows.downstream_of(pipeline)


class NoRegistry:
    """Stands where pipelines are registered, in a project that has only what was deployed."""

    def swap(self, files: Project) -> None:
        """Refuse other files.

        Raises:
            Conflict: always.
        """
        raise Conflict(f"the project of {files.root} cannot take the place of what was deployed: interlock deploy sync")

    def follow(self) -> int:
        """Return that nothing was ever registered: what is deployed is read when it is asked for."""
        return 0

    def require_open(self) -> None:
        """Refuse to register or remove a pipeline.

        Raises:
            Refused: always.
        """
        raise Refused(
            "pipelines cannot be registered or removed here: what counts is what was deployed. Change the project's files, "
            "and deploy them: interlock deploy sync"
        )


def is_of_functions(member: Member) -> bool:
    """Say whether a sign of life is the scheduler's."""
    return member.host == FUNCTIONS and member.pid == 0


def functions_at_work(kernel: Kernel) -> str:
    """Say that functions on AWS work on a store, too, where it was deployed into; nothing where it was not."""
    head = DeploymentRows(kernel).head()
    if head is None:
        return ""
    return (
        f"this table was deployed into by {head.actor} at {head.at.isoformat()}: functions on AWS work on it, too. Nothing "
        "happens twice for it, and one of the two is enough"
    )


def _loaded(spec: PipelineSpec, source: str) -> LoadedPipeline:
    return LoadedPipeline(spec=spec, source=source)


if TYPE_CHECKING:

    def _is_a_catalog(it: DeployedCatalog) -> ProjectCatalog:
        return it
