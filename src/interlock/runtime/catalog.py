"""The pipelines as the files say they are now, and who waits for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from interlock.codec.documents import mapping
from interlock.config.project import Project
from interlock.core.ids import PipelineName
from interlock.core.pipelines import PipelineSpec

if TYPE_CHECKING:
    from interlock.app.hands import Catalog

_UPSTREAM_CHECKS: Final = ("builtin:upstream-check", "builtin:upstream-job-log")


class ProjectCatalog(Protocol):
    """A catalog that can tell all of its pipelines, and the project that they are of."""

    @property
    def project(self) -> Project:
        """The project as it is now."""
        ...

    @property
    def specs(self) -> Mapping[PipelineName, PipelineSpec]:
        """Every pipeline that can be used."""
        ...

    def spec(self, pipeline: PipelineName) -> PipelineSpec | None:
        """See `app.hands.Catalog`."""
        ...

    def downstream_of(self, pipeline: PipelineName) -> tuple[PipelineName, ...]:
        """See `app.hands.Catalog`."""
        ...


class FileCatalog:
    """What the files say, swapped as a whole: whoever asks sees all of the old or all of the new."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._state = _state_of(project)

    def swap(self, project: Project) -> None:
        """Go by another state of the files from now on."""
        self._state = _state_of(project)
        self.project = project

    @property
    def specs(self) -> Mapping[PipelineName, PipelineSpec]:
        """Every pipeline that could be read."""
        return self._state[0]

    def spec(self, pipeline: PipelineName) -> PipelineSpec | None:
        """Return a pipeline's spec."""
        return self._state[0].get(pipeline)

    def downstream_of(self, pipeline: PipelineName) -> tuple[PipelineName, ...]:
        """Return the pipelines that have a trait which waits for this one, sorted."""
        return self._state[1].get(pipeline, ())


_State = tuple[Mapping[PipelineName, PipelineSpec], Mapping[PipelineName, tuple[PipelineName, ...]]]


def _state_of(project: Project) -> _State:
    specs = {PipelineName(name): loaded.spec for name, loaded in project.pipelines.items()}
    waiting: defaultdict[PipelineName, set[PipelineName]] = defaultdict(set)
    for name, spec in specs.items():
        for upstream in upstreams_of(spec):
            waiting[upstream].add(name)
    return specs, {upstream: tuple(sorted(those)) for upstream, those in waiting.items()}


def upstreams_of(spec: PipelineSpec) -> tuple[PipelineName, ...]:
    """Return the pipelines that a trait of this one waits for, sorted."""
    checks = (trait for trait in spec.traits if trait.evaluator[:1] and trait.evaluator[0] in _UPSTREAM_CHECKS)
    found = (mapping(trait.config).get("upstreamPipeline") for trait in checks)
    return tuple(sorted({PipelineName(name) for name in found if isinstance(name, str)}))


if TYPE_CHECKING:

    def _is_a_catalog(it: FileCatalog) -> Catalog:
        return it
