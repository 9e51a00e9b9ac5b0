"""Exports as files: written whole or not at all, compressed by their name, and read twice even where they come by a pipe."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from interlock.errors import Invalid, NotFound, StoreError

STREAM: Final = "-"
_GZIP: Final = b"\x1f\x8b"


@contextmanager
def to_write(place: str) -> Iterator[BinaryIO]:
    """Open what an export is written to: a file that is there under its name only when all went well, or stdout.

    A name that ends in `.gz` is compressed. Nobody but its owner may read a file: bodies hold what jobs were given.

    Raises:
        Invalid: the place can be no file.
        StoreError: it cannot be written; nothing is left of it.
    """
    if place == STREAM:
        with _streamed() as stream:
            yield stream
        return
    path = Path(place)
    if path.exists() and not path.is_file():
        raise Invalid(f"{path} is no file that could be replaced: name a file, or `-` for stdout")
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with _private(part) as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as exc:
        said = exc.strerror or str(exc)
        raise StoreError(
            f"cannot write the export {path}: {said}. Nothing is left of it, and the store is as it was. "
            "Free some space or name another place, and export again"
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def to_read(place: str) -> Iterator[BinaryIO]:
    """Open an export that can be read from its beginning again. What comes by stdin is kept in a file meanwhile.

    Raises:
        NotFound: there is no such file.
        StoreError: it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if place == STREAM:
            raw = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile(prefix="interlock-import-")))
            try:
                shutil.copyfileobj(sys.stdin.buffer, raw)
            except OSError as exc:
                raise StoreError(f"cannot keep what comes by stdin: {exc}. Nothing was imported") from exc
            raw.seek(0)
        else:
            raw = stack.enter_context(_opened(Path(place)))
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        yield cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=raw))) if packed else raw


@contextmanager
def _streamed() -> Iterator[BinaryIO]:
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError as exc:
        raise StoreError(
            "cannot write the export to stdout: nobody reads on. What was read is no whole export; the store is as it was"
        ) from exc
    except OSError as exc:
        raise StoreError(
            f"cannot write the export to stdout: {exc.strerror or exc}. What was written is no whole export, and the store "
            "is as it was. Free some space or name another place, and export again"
        ) from exc


def _opened(path: Path) -> BinaryIO:
    try:
        raw = path.open("rb")
    except FileNotFoundError as exc:
        raise NotFound(f"there is no file {path}") from exc
    except OSError as exc:
        raise StoreError(f"cannot read {path}: {exc.strerror}. Nothing was imported") from exc
    if not raw.seekable():
        raw.close()
        raise Invalid(f"{path} cannot be read twice: name a file, or `-` for stdin")
    return raw


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
