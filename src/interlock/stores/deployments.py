"""A deployment, over any kernel.

A pipeline has its row in its own partition, beside those of its timeline and its agendas, and a small row that lists it. Who
waits for a pipeline stands in the partition of the one that is waited for.

Two may write at once. A pipeline's row is put before the rows that follow from it. Whoever removes such a row reads it, then
looks whether its pipeline still says so, and removes it only as it was read; whoever writes one writes it anew even where it
stands. So of two that cross, none removes what the other one has just put.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from interlock.codec import wire
from interlock.core.archetypes import Archetype
from interlock.core.chronicle import EventKind, EventRecord
from interlock.core.ids import PipelineName
from interlock.errors import Contention
from interlock.ports.deployments import Deployed, Head, Listed
from interlock.stores import keys
from interlock.stores.kernel import Change, Delete, Kernel, Put, Record
from interlock.stores.paging import listed, rows_in
from interlock.stores.repository import decoded, pipeline_note_record

if TYPE_CHECKING:
    from interlock.ports.deployments import Deployments

_TRIES: Final = 20


class DeploymentRows:
    """Keeps a deployment: each pipeline in its own partition, and the head in another."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    # ------------------------------------------------------------ as a whole

    def head(self) -> Head | None:
        """Return the deployment as a whole; None when nothing was ever deployed."""
        row = self._kernel.get(keys.DEPLOYMENT_PK, keys.HEAD_SK)
        return None if row is None else decoded(row, Head)

    def put_head(self, head: Head) -> bool:
        """Put a head whose generation is one more than the last; False when somebody was faster."""
        pk, body = keys.DEPLOYMENT_PK, wire.to_builtins(head)
        return self._kernel.commit(
            pk, [Put(Record(pk=pk, sk=keys.HEAD_SK, version=head.generation, body=body))]
        )  # fmt: skip

    # ------------------------------------------------------------ pipelines

    def pipeline(self, name: PipelineName) -> Deployed | None:
        """Return one pipeline, a retired one too."""
        row = self._kernel.get(keys.pipeline_pk(name), keys.DEPLOYED_SK)
        return None if row is None else decoded(row, Deployed)

    def pipelines(self) -> Iterator[Listed]:
        """Yield all of them by name, retired ones too."""
        for row in listed(self._kernel, keys.DEPLOYED_KIND):
            yield decoded(row, Listed)

    def put_pipeline(self, new: Deployed, note: str = "") -> bool:
        """Put a pipeline at its next version, with a line in its timeline; False when somebody was faster."""
        pk = keys.pipeline_pk(new.name)
        shown = Listed(name=new.name, digest=new.digest, settled=new.settled, retired=new.retired)
        pointer = Record(
            pk=pk,
            sk=keys.DEPLOYED_POINTER_SK,
            version=new.version,
            body=wire.to_builtins(shown),
            kind=keys.DEPLOYED_KIND,
            rank=new.name,
        )
        row = Record(pk=pk, sk=keys.DEPLOYED_SK, version=new.version, body=wire.to_builtins(new))
        batch: list[Change] = [Put(row), Put(pointer)]
        if note:
            batch.append(Put(_line(new, note)))
        return self._kernel.commit(pk, batch)

    def remove_pipeline(self, old: Deployed) -> bool:
        """Remove a retired pipeline at its version; False when somebody was faster."""
        gone = [Delete(sk, old.version) for sk in (keys.DEPLOYED_SK, keys.DEPLOYED_POINTER_SK)]
        return self._kernel.commit(keys.pipeline_pk(old.name), gone)

    # ------------------------------------------------------------ who waits for whom

    def downstream_of(self, upstream: PipelineName) -> tuple[PipelineName, ...]:
        """Return the pipelines that wait for one, sorted."""
        rows = rows_in(self._kernel, keys.pipeline_pk(upstream), keys.DOWNSTREAM_PREFIX)
        return tuple(map(_downstream, rows))

    def waits(self) -> Iterator[tuple[PipelineName, PipelineName]]:
        """Yield who is waited for by whom, as far as that is listed."""
        for row in listed(self._kernel, keys.DOWNSTREAM_KIND):
            yield PipelineName(row.rank), _downstream(row)

    def link(self, upstream: PipelineName, downstream: PipelineName) -> None:
        """Write down that one waits for another, anew where that stands already, so that no slower look may remove it.

        Raises:
            Contention: others kept changing it first.
        """
        pk, sk = keys.pipeline_pk(upstream), keys.downstream_sk(downstream)
        for _ in range(_TRIES):
            there = self._kernel.get(pk, sk)
            version = 1 if there is None else there.version + 1
            row = Record(pk=pk, sk=sk, version=version, body={}, kind=keys.DOWNSTREAM_KIND, rank=upstream)
            if self._kernel.commit(pk, [Put(row)]):
                return
        raise _lost(upstream, downstream)

    def unlink(self, upstream: PipelineName, downstream: PipelineName) -> bool:
        """Remove that one waits for another, unless its pipeline says so now; return whether anything was removed.

        Raises:
            Contention: others kept changing it first.
        """
        pk, sk = keys.pipeline_pk(upstream), keys.downstream_sk(downstream)
        for _ in range(_TRIES):
            there = self._kernel.get(pk, sk)
            now = None if there is None else self.pipeline(downstream)  # in this order: see the top of the module
            if there is None or (now is not None and not now.retired and upstream in now.upstreams):
                return False
            if self._kernel.commit(pk, [Delete(sk, there.version)]):
                return True
        raise _lost(upstream, downstream)

    # ------------------------------------------------------------ archetypes

    def archetype(self, name: str) -> Archetype | None:
        """Return an archetype of the deployment."""
        row = self._kernel.get(keys.DEPLOYMENT_PK, keys.archetype_sk(name))
        return None if row is None else decoded(row, Archetype)

    def archetypes(self) -> tuple[Archetype, ...]:
        """Return all of them, by name."""
        rows = rows_in(self._kernel, keys.DEPLOYMENT_PK, keys.ARCHETYPE_PREFIX)
        return tuple(decoded(row, Archetype) for row in rows)

    def put_archetype(self, archetype: Archetype) -> bool:
        """Keep an archetype; return whether it is another than before."""
        pk, sk, body = keys.DEPLOYMENT_PK, keys.archetype_sk(archetype.name), wire.to_builtins(archetype)
        for _ in range(_TRIES):
            there = self._kernel.get(pk, sk)
            if there is not None and decoded(there, Archetype) == archetype:
                return False
            version = 1 if there is None else there.version + 1
            if self._kernel.commit(pk, [Put(Record(pk=pk, sk=sk, version=version, body=body))]):
                return True
        raise Contention(
            f"the archetype {archetype.name} could not be deployed: others kept changing it first. Try again"
        )

    def remove_archetype(self, name: str) -> None:
        """Remove an archetype that no pipeline is made of any longer."""
        self._kernel.commit(keys.DEPLOYMENT_PK, [Delete(keys.archetype_sk(name))])


def _downstream(row: Record) -> PipelineName:
    return PipelineName(row.sk.removeprefix(keys.DOWNSTREAM_PREFIX))


def _line(about: Deployed, note: str) -> Record:
    kind = EventKind.PIPELINE_WITHDRAWN if about.retired else EventKind.PIPELINE_REGISTERED
    told = EventRecord(kind=kind, at=about.at, message=note)
    # Named after the bundle and the version: a version begins again at 1 when a name is deployed anew.
    name = f"{keys.DEPLOYED_SK}#{about.bundle[:16]}#{about.version:08d}"
    return pipeline_note_record(keys.pipeline_pk(about.name), about.name, about.at, name, (told,))


def _lost(upstream: PipelineName, downstream: PipelineName) -> Contention:
    return Contention(
        f"that {downstream} waits for {upstream} could not be kept: others kept changing it first. Try again: what was done "
        "so far is not done twice"
    )


if TYPE_CHECKING:

    def _are_deployments(it: DeploymentRows) -> Deployments:
        return it
