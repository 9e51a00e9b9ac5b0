"""One file on disk: its bytes, what is wrong with it, and where."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from interlock.config.shape import Path as Steps
from interlock.config.values import Refused
from interlock.errors import Problem

if TYPE_CHECKING:
    from interlock.config.yaml12 import Tree

MAX_BYTES: Final = 1024 * 1024


class Stamp(NamedTuple):
    """What tells one state of a file from another, as far as its directory entry knows."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        """Take the stamp out of a stat."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


class Source:
    """A file of a project. `name` is how people see it: relative to the project where possible.

    Problems are collected here, and only then is the text read a second time to find their lines.
    """

    __slots__ = ("_tree", "name", "other_stores", "path", "problems", "raw", "stamp")

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.name = name
        self.raw: bytes | None = None
        self.stamp: Stamp | None = None
        self.problems: list[Problem] = []
        self.other_stores: dict[str, Any] = {}  # of a project file, the blocks that belong to plug-ins
        self._tree: Tree | None = None

    def read(self) -> bytes | None:
        """Return the content, or None with a problem noted: one file that cannot be read hides no other."""
        try:
            self.raw = self._read()
        except Refused as exc:
            self.problems.append(Problem(self.name, 0, 0, exc.message, exc.hint, "file"))
        except (OSError, ValueError) as exc:
            self.problems.append(Problem(self.name, 0, 0, *self._why(exc), "file"))
        return self.raw

    def _read(self) -> bytes:
        # Not to block on a named pipe, which is not a file anyway: the stat that follows says so.
        handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                what = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
                raise Refused(f"is {what}, expected a YAML file")
            if found.st_size > MAX_BYTES:
                raise Refused(f"is {found.st_size} bytes long, expected at most {MAX_BYTES}", "split it")
            raw = os.read(handle, found.st_size + 1)
            # As long as promised is read in one go; only a file that changes right now, or a short read, needs more.
            while (
                len(raw) != found.st_size
                and len(raw) <= MAX_BYTES
                and (more := os.read(handle, MAX_BYTES + 1 - len(raw)))
            ):
                raw += more
        finally:
            os.close(handle)
        if len(raw) > MAX_BYTES:
            raise Refused(f"is longer than {MAX_BYTES} bytes", "split it")
        self.stamp = Stamp.of(found)
        return raw

    def _why(self, exc: OSError | ValueError) -> tuple[str, str]:
        number = exc.errno if isinstance(exc, OSError) else 0
        if number == errno.ENOENT and Path(self.path).is_symlink():
            return "is a symbolic link to a file that does not exist", "repair or remove the link"
        if number == errno.ELOOP:
            return "is a symbolic link that leads to itself", "repair or remove the link"
        if number == errno.EACCES:
            return "cannot be read: permission denied", "make it readable for the user that runs Interlock"
        said = exc.strerror if isinstance(exc, OSError) else str(exc)
        return f"cannot be read: {said}", ""

    @property
    def tree(self) -> Tree:
        """The text with the place of every value; read again when it came out of the cache."""
        from interlock.config.yaml12 import Tree

        if self._tree is None:
            raw = self.raw if self.raw is not None else self.read()
            self._tree = Tree(raw if raw is not None else b"")
        return self._tree

    def fail(self, path: Steps, message: str, hint: str = "", rule: str = "value", *, on_key: bool = False) -> None:
        """Note one problem with the value (or with the key) at a path."""
        line, column = self.tree.locate(path, key=on_key)
        from interlock.clients.redaction import (
            said_of,
        )  # its patterns take milliseconds to make, and most files are sound

        self.problems.append(Problem(self.name, line, column, said_of(path, message), hint, rule))

    def refuse(self, path: Steps, exc: Refused, what: str = "") -> None:
        """Note a refused value. `what` says which setting it belongs to, where the value alone does not."""
        self.fail(path, f"{what}: {exc.message}" if what else exc.message, exc.hint, exc.rule)

    def findings(self) -> bool:
        """Note everything that is wrong with the text itself; say whether there was anything."""
        from interlock.clients.redaction import without_secrets

        for found in self.tree.findings:
            said = without_secrets(found.message)
            self.problems.append(Problem(self.name, found.line, found.column, said, found.hint, "yaml"))
        return bool(self.tree.findings)

    def said(self, *path: str) -> bool:
        """Say whether there is anything at a path, usable or not: what had to be cut out should not be called missing."""
        node = self.data
        for step in path:
            if not isinstance(node, dict):
                return True
            if step not in node:
                return False
            node = node[step]
        return True

    @property
    def data(self) -> Any:
        """The content as plain values, `Unusable` standing for what could not be read."""
        return self.tree.data
