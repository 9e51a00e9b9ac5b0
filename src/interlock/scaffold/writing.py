"""Write a project that a person can start from: the files under `files/`, copied as they are.

A file that begins with `#!` becomes executable, because a wheel does not keep that bit. `gitignore` becomes
`.gitignore`: under its own name it would govern this repository.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from interlock.errors import ConfigError

TEMPLATES: Final = ("basic", "demo")

_RENAMED: Final = {"gitignore": ".gitignore"}
_UNSHIPPED: Final = "__pycache__"


class ScaffoldFile(NamedTuple):
    """One file of a template, by its path in the project."""

    path: PurePosixPath
    content: bytes

    @property
    def mode(self) -> int:
        """Its permissions before the umask."""
        return 0o777 if self.content.startswith(b"#!") else 0o666


def scaffold_files(template: str) -> tuple[ScaffoldFile, ...]:
    """Return the files of a template, sorted by path.

    Raises:
        ValueError: there is no such template.
    """
    if template not in TEMPLATES:
        raise ValueError(f"no scaffold is named {template!r}: there are {', '.join(TEMPLATES)}")
    return tuple(sorted(_walk(files("interlock.scaffold") / "files" / template, PurePosixPath())))


def write_scaffold(target: Path, *, template: str, extra: Mapping[str, bytes] | None = None) -> list[Path]:
    """Write a template into `target`, which may exist, and return the files written, sorted. `extra` adds files by
    path, or replaces them.

    All or nothing: everything is written beside its place first and moved there when all of it is on disk. Whatever
    fails on the way, also the disk, leaves `target` as it was.

    Raises:
        ConfigError: something of the same name is there already; nothing was written.
        OSError: the files could not be written; nothing was left behind.
        ValueError: there is no such template.
    """
    wanted = {file.path: file for file in scaffold_files(template)}
    wanted |= {PurePosixPath(at): ScaffoldFile(PurePosixPath(at), content) for at, content in (extra or {}).items()}
    contents = sorted(wanted.values())
    tops = sorted({file.path.parts[0] for file in contents})
    _refuse_to_overwrite(target, tops)
    fresh = not target.exists()
    home = target.parent if fresh else target
    home.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".interlock-init-", dir=home))
    try:
        project = staging / "project"
        for file in contents:
            _write(project / file.path, file)
        if fresh:
            project.rename(target)
        else:
            _move_in(project, target, tops)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return [target / file.path for file in contents]


def _walk(folder: Traversable, at: PurePosixPath) -> Iterator[ScaffoldFile]:
    for entry in folder.iterdir():
        if entry.name == _UNSHIPPED:
            continue
        path = at / _RENAMED.get(entry.name, entry.name)
        if entry.is_dir():
            yield from _walk(entry, path)
        else:
            yield ScaffoldFile(path, entry.read_bytes())


def _refuse_to_overwrite(target: Path, tops: Sequence[str]) -> None:
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target} exists and is not a folder: nothing was written; choose another name")
    taken = [name for name in tops if os.path.lexists(target / name)]
    if taken:
        raise ConfigError(
            f"{target} already has {', '.join(taken)}: nothing was written; choose another folder or move these away"
        )


def _write(path: Path, file: ScaffoldFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
    with os.fdopen(handle, "wb") as out:
        out.write(file.content)
        out.flush()
        os.fsync(handle)  # a full disk may say so only here


def _move_in(project: Path, target: Path, tops: Sequence[str]) -> None:
    moved: list[Path] = []
    try:
        for name in tops:
            _refuse_to_overwrite(target, [name])
            (project / name).rename(target / name)
            moved.append(target / name)
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise
