"""Bringing a bundle into the store that functions go by, and saying how the two differ.

Each pipeline goes by itself: its row, then who it waits for, then its agendas, and at last that all of it is done. What is
cut short is seen by that, and finished by whoever deploys next. The head goes last, and only if nobody else put one
meanwhile: otherwise everything is looked at again, so that of two who deploy at once the later one's bundle counts in all
its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from interlock.app.hands import Hands
from interlock.app.planning import plan
from interlock.codec import wire
from interlock.codec.documents import document
from interlock.config.bundle import Bundle, Bundled, resolved_settings
from interlock.config.project import Project
from interlock.core.documents import Document
from interlock.core.ids import PipelineName
from interlock.core.pipelines import PipelineSpec
from interlock.errors import Conflict, Contention
from interlock.ports.deployments import Deployed, Deployments, Head
from interlock.runtime.catalog import upstreams_of
from interlock.version import __version__

TRIES: Final = 20
_ROUNDS: Final = 10
_AT_ONCE: Final = 256
_SEAL: Final = 32

Names: TypeAlias = tuple[PipelineName, ...]
Troubles: TypeAlias = tuple[tuple[PipelineName, str], ...]


class Site(NamedTuple):
    """Where is deployed, with which hands, and by whom."""

    rows: Deployments
    hands: Hands
    actor: str


class Difference(Struct, frozen=True, kw_only=True):
    """How a bundle differs from what is deployed. What is `unfinished` was cut short; `gone` are pipelines that it lacks."""

    bundle: str
    deployed: str
    new: Names
    changed: Names
    unfinished: Names
    unchanged: Names
    gone: Names
    retiring: Names
    settings: bool

    @property
    def same(self) -> bool:
        """Whether deploying the bundle would change nothing, but for what it lacks."""
        return not (self.new or self.changed or self.unfinished or self.retiring or self.settings)


class Synced(Struct, frozen=True, kw_only=True):
    """What deploying came to. `overtaken` are pipelines that somebody else changed meanwhile, who goes on with them."""

    difference: Difference
    generation: int
    removed: Names
    overtaken: Names
    troubles: Troubles


def difference(bundle: Bundle, rows: Deployments) -> Difference:
    """Say how a bundle differs from what is deployed; nothing is written.

    Raises:
        StoreError: what is deployed cannot be read.
    """
    head = rows.head()
    there = {one.name: one for one in rows.pipelines()}
    wanted = {PipelineName(name): one for name, one in bundle.pipelines.items()}
    known = {name for name in wanted if name in there and not there[name].retired}
    same = {name for name in known if there[name].digest == wanted[name].digest}
    settled = {name for name in same if there[name].settled}
    absent = [one for name, one in there.items() if name not in wanted]
    return Difference(
        bundle=bundle.digest,
        deployed="" if head is None else head.digest,
        new=_sorted(wanted.keys() - known),
        changed=_sorted(known - same),
        unfinished=_sorted(same - settled),
        unchanged=_sorted(settled),
        gone=_sorted(one.name for one in absent if not one.retired),
        retiring=_sorted(one.name for one in absent if one.retired),
        settings=head is None or head.settings != _settings_of(bundle),
    )


def sync(bundle: Bundle, site: Site, *, prune: bool = False) -> Synced:
    """Deploy a bundle. With `prune`, what it lacks is retired; without, it stays.

    Doing it again changes nothing, and finishes what was cut short.

    Raises:
        StoreError: some of it may be done; doing it again does the rest.
        Contention: others kept deploying at the same time.
        Conflict: every deployed pipeline would be retired; nothing was written.
    """
    first: Difference | None = None
    removed: dict[PipelineName, None] = {}
    for _ in range(_ROUNDS):
        head, found = site.rows.head(), difference(bundle, site.rows)
        if prune and first is None:
            refuse_to_retire_all(found)
        first = first or found
        done = _Round(bundle, found, site).deploy()
        retired, left = _retire((*found.retiring, *(found.gone if prune else ())), site)
        removed |= dict.fromkeys(retired)
        done["troubles"] += left
        _mend_waits(bundle, site)
        _put_archetypes(bundle, site, prune=prune)
        if found.same and not retired and head is not None and head.seal and head.digest == bundle.digest:
            return Synced(difference=first, generation=head.generation, removed=tuple(removed), **done)
        new = _head(bundle, head, site)
        if site.rows.put_head(new):
            return Synced(difference=first, generation=new.generation, removed=tuple(removed), **done)
    raise Contention(
        "the deployment could not be finished: others kept deploying at the same time. Try again when they are done"
    )


def refuse_to_retire_all(found: Difference) -> None:
    """Refuse a bundle that has nothing in common with what is deployed: it may be another project's, or the table is.

    Raises:
        Conflict: it has not.
    """
    if found.gone and not (found.changed or found.unfinished or found.unchanged):
        way = "If it is, deploy once without --prune, and then with it"
        if not found.new:
            way = "The bundle has no pipeline. A deployment that is to go is destroyed with Terraform"
        some = f"{', '.join(found.gone[:5])}{', …' if len(found.gone) > 5 else ''}"
        raise Conflict(
            f"nothing that is deployed is in the bundle, so that all of it would be retired: {some}. Is it the right "
            f"project, and the right table? {way}. Nothing was written"
        )


def planning_project(bundle: Bundle, root: Path) -> Project:
    """Return a project that has the settings of a bundle, and is good for planning what the bundle says."""
    settings = resolved_settings(bundle.settings, root)
    return Project(root=root, file="", settings=settings, pipelines={}, archetypes={}, calendars={})


class _Round:
    """One try at deploying what differs."""

    def __init__(self, bundle: Bundle, found: Difference, site: Site) -> None:
        self._bundle = bundle
        self._rows = site.rows
        self._site = site
        self._names = (*found.new, *found.changed, *found.unfinished)

    def deploy(self) -> dict[str, Any]:
        """Put the rows, then what follows from them, then that it is done; return who was overtaken, and what went wrong."""
        put = {one.name: (one, before) for one, before in _each(self._names, self._put, self._site) if one is not None}
        _each(put.values(), self._follow, self._site)
        troubles = dict(_plan({name: one.spec for name, (one, _) in put.items()}, self._site))
        planned = [one for name, (one, _) in put.items() if name not in troubles]
        settled = _each(planned, self._settle, self._site)
        overtaken = [one for one, done in zip(planned, settled, strict=True) if not done]
        troubles |= dict(_after_all(overtaken, self._site))
        return {"overtaken": _sorted(one.name for one in overtaken), "troubles": tuple(sorted(troubles.items()))}

    def _put(self, name: PipelineName) -> tuple[Deployed | None, Deployed | None]:
        """Put one pipeline, unsettled; return it with what it was before. Nothing when it is there already, and settled."""
        bundled = self._bundle.pipelines[name]
        for _ in range(TRIES):
            before = self._rows.pipeline(name)
            if before is not None and before.digest == bundled.digest and not before.retired:
                return (None if before.settled else before), before
            new = self._deployed(bundled, before)
            if self._rows.put_pipeline(new, f"by {self._site.actor}: deployed, {_told(before, bundled)}"):
                return new, before
        raise _lost(name)

    def _deployed(self, bundled: Bundled, before: Deployed | None) -> Deployed:
        return Deployed(
            name=bundled.spec.name,
            digest=bundled.digest,
            spec=bundled.spec,
            source=bundled.source,
            bundle=self._bundle.digest,
            at=self._site.hands.clock.now(),
            actor=self._site.actor,
            upstreams=upstreams_of(bundled.spec),
            version=1 if before is None else before.version + 1,
        )

    def _follow(self, put: tuple[Deployed, Deployed | None]) -> None:
        one, before = put
        for upstream in one.upstreams:
            self._rows.link(upstream, one.name)
        for upstream in () if before is None else before.upstreams:
            if upstream not in one.upstreams:
                self._rows.unlink(upstream, one.name)

    def _settle(self, one: Deployed) -> bool:
        if self._rows.put_pipeline(replace(one, settled=True, version=one.version + 1)):
            return True
        for upstream in one.upstreams:  # unless the one that counts now says so too
            self._rows.unlink(upstream, one.name)
        return False


def _retire(names: Names, site: Site) -> tuple[Names, Troubles]:
    """Retire pipelines: they count no longer, then what followed from them goes, then they. Return which are gone."""
    marked = [one for one in _each(names, partial(_mark_retired, site=site), site) if one is not None]
    specs = {one.name: one.spec for one in marked}
    troubles = dict(_plan({}, site, known=specs))
    gone = [one for one in marked if one.name not in troubles]
    removed = _each(gone, partial(_remove, site=site), site)
    troubles |= dict(_after_all([one for one, done in zip(gone, removed, strict=True) if not done], site))
    return _sorted(one.name for one, done in zip(gone, removed, strict=True) if done), tuple(sorted(troubles.items()))


def _mark_retired(name: PipelineName, site: Site) -> Deployed | None:
    for _ in range(TRIES):
        before = site.rows.pipeline(name)
        if before is None or before.retired:
            return before
        at, actor = site.hands.clock.now(), site.actor
        new = replace(before, retired=True, settled=False, at=at, actor=actor, version=before.version + 1)
        if site.rows.put_pipeline(new, f"by {actor}: no longer deployed"):
            return new
    raise _lost(name)


def _remove(one: Deployed, site: Site) -> bool:
    for upstream in one.upstreams:
        site.rows.unlink(upstream, one.name)
    return site.rows.remove_pipeline(one)


def _after_all(overtaken: Sequence[Deployed], site: Site) -> Troubles:
    """Plan what somebody else changed or removed meanwhile by what counts now: our plan may have come after his."""
    now = [site.rows.pipeline(one.name) for one in overtaken]
    counts = {one.name: one.spec for one in now if one is not None and not one.retired}
    return _plan(counts, site, known={one.name: one.spec for one in overtaken if one.name not in counts})


def _plan(
    specs: Mapping[PipelineName, PipelineSpec], site: Site, known: Mapping[PipelineName, PipelineSpec] | None = None
) -> Troubles:
    return plan(specs, site.hands, known=known or {}).troubles


def _mend_waits(bundle: Bundle, site: Site) -> None:
    """Remove that somebody waits who does not, and add what is missing, whatever left it so."""
    wanted = {(up, PipelineName(name)) for name, one in bundle.pipelines.items() for up in upstreams_of(one.spec)}
    listed = set(site.rows.waits())
    for upstream, downstream in sorted(listed - wanted):
        site.rows.unlink(upstream, downstream)
    for upstream, downstream in sorted(wanted - listed):
        now = site.rows.pipeline(downstream)  # it may be somebody else's by now, and the listing may lag
        if now is not None and upstream in now.upstreams and downstream not in site.rows.downstream_of(upstream):
            site.rows.link(upstream, downstream)


def _put_archetypes(bundle: Bundle, site: Site, *, prune: bool) -> None:
    for archetype in bundle.archetypes.values():
        site.rows.put_archetype(archetype)
    for archetype in site.rows.archetypes() if prune else ():
        if archetype.name not in bundle.archetypes:
            site.rows.remove_archetype(archetype.name)


def _head(bundle: Bundle, before: Head | None, site: Site) -> Head:
    return Head(
        digest=bundle.digest,
        settings=_settings_of(bundle),
        pipelines=len(bundle.pipelines),
        at=site.hands.clock.now(),
        actor=site.actor,
        interlock=__version__,
        generation=1 if before is None else before.generation + 1,
        seal=(before.seal if before is not None else "") or token_hex(_SEAL),
    )


def _settings_of(bundle: Bundle) -> Document:
    return document(wire.to_builtins(bundle.settings))


def _told(before: Deployed | None, new: Bundled) -> str:
    """Say which keys of a spec differ, and never what stands there."""
    if before is None:
        return "new"
    was, now = wire.to_builtins(before.spec), wire.to_builtins(new.spec)
    changed = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
    return f"changed {', '.join(changed)}" if changed else "again"


def _each(items: Iterable[Any], act: Callable[[Any], Any], site: Site) -> list[Any]:
    """Do something for each, several at once, and return the answers in their order."""
    todo, answers = list(items), list[Any]()
    for start in range(0, len(todo), _AT_ONCE):
        answers += site.hands.together([partial(act, item) for item in todo[start : start + _AT_ONCE]])
    return answers


def _sorted(names: Iterable[PipelineName]) -> Names:
    return tuple(sorted(names))


def _lost(name: PipelineName) -> Contention:
    return Contention(
        f"the pipeline {name} could not be deployed: others kept changing it first. Try again when they are done"
    )
