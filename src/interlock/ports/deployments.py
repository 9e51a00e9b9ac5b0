"""What was deployed: the pipelines and settings that functions go by which have no files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from interlock.core.archetypes import Archetype
from interlock.core.documents import EMPTY, Document
from interlock.core.ids import PipelineName
from interlock.core.pipelines import PipelineSpec


class Head(Struct, frozen=True, kw_only=True):
    """The deployment as a whole: which bundle it is, what it says for all pipelines, who brought it, when, by which version.

    `digest` names the bundle; `generation` counts the deployments that changed anything. `seal` is the key by which
    functions know each other's answers: made once, the same for all bundles, and never shown.
    """

    digest: str
    settings: Document = EMPTY
    pipelines: int = 0
    at: datetime
    actor: str
    interlock: str = ""
    generation: int = 1
    seal: str = ""

    def __repr__(self) -> str:
        return f"Head(digest={self.digest!r}, generation={self.generation})"


class Deployed(Struct, frozen=True, kw_only=True):
    """One deployed pipeline, the bundle that it came with, and whom it waits for.

    It is `settled` once whatever follows from it is written, too: before, some of that may be missing. One that is `retired`
    no longer counts, and is there only until what followed from it is gone.
    """

    name: PipelineName
    digest: str
    spec: PipelineSpec
    source: str
    bundle: str
    at: datetime
    actor: str
    upstreams: tuple[PipelineName, ...] = ()
    settled: bool = False
    retired: bool = False
    version: int = 1


class Listed(Struct, frozen=True, kw_only=True):
    """A deployed pipeline as the listing has it: without its spec."""

    name: PipelineName
    digest: str
    settled: bool
    retired: bool


class Deployments(Protocol):
    """Keeps a deployment: each pipeline by itself, so that none waits for another, and no list of all is ever one row.

    What can be read alone (`head`, `pipeline`, `downstream_of`, `archetype`) is never stale. Listings may lag.
    """

    def head(self) -> Head | None:
        """Return the deployment as a whole; None when nothing was ever deployed."""
        ...

    def put_head(self, head: Head) -> bool:
        """Put a head whose generation is one more than the last; False when somebody was faster."""
        ...

    def pipeline(self, name: PipelineName) -> Deployed | None:
        """Return one pipeline, a retired one too."""
        ...

    def pipelines(self) -> Iterator[Listed]:
        """Yield all of them by name, retired ones too."""
        ...

    def put_pipeline(self, new: Deployed, note: str = "") -> bool:
        """Put a pipeline at its next version, with a line in its timeline; False when somebody was faster."""
        ...

    def remove_pipeline(self, old: Deployed) -> bool:
        """Remove a retired pipeline at its version; False when somebody was faster."""
        ...

    def downstream_of(self, upstream: PipelineName) -> tuple[PipelineName, ...]:
        """Return the pipelines that wait for one, sorted."""
        ...

    def waits(self) -> Iterator[tuple[PipelineName, PipelineName]]:
        """Yield who is waited for by whom, as far as that is listed."""
        ...

    def link(self, upstream: PipelineName, downstream: PipelineName) -> None:
        """Write down that one waits for another, anew where that stands already, so that no slower look may remove it.

        Raises:
            Contention: others kept changing it first.
        """
        ...

    def unlink(self, upstream: PipelineName, downstream: PipelineName) -> bool:
        """Remove that one waits for another, unless its pipeline says so now; return whether anything was removed.

        Raises:
            Contention: others kept changing it first.
        """
        ...

    def archetype(self, name: str) -> Archetype | None:
        """Return an archetype of the deployment."""
        ...

    def archetypes(self) -> tuple[Archetype, ...]:
        """Return all of them, by name."""
        ...

    def put_archetype(self, archetype: Archetype) -> bool:
        """Keep an archetype; return whether it is another than before."""
        ...

    def remove_archetype(self, name: str) -> None:
        """Remove an archetype that no pipeline is made of any longer."""
        ...
