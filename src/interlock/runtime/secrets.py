"""The secrets that a project names: read when something needs them, and kept out of whatever is said afterwards."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from interlock.clients.aws import AwsCaller, AwsOptions, AwsTrouble, region_of_arn
from interlock.config.project import SecretSpec
from interlock.core.traits import FailureCategory
from interlock.errors import SecretError
from interlock.ports.clock import Clock

REMEMBERED: Final = timedelta(minutes=5)
"""How long a secret of AWS Secrets Manager is used without asking for it again, so that a new one counts soon."""

LARGEST: Final = 64 * 1024
_TIMEOUT: Final = timedelta(seconds=10)


class Secrets(Mapping[str, str]):
    """A project's secrets by name. To look one up reads it; `known` are the values that were read in this process.

    Safe to use from many threads.
    """

    def __init__(self, specs: Mapping[str, SecretSpec], env: Mapping[str, str], aws: AwsCaller, clock: Clock) -> None:
        self._specs = specs
        self._env = env
        self._aws = aws
        self._clock = clock
        self._lock = threading.Lock()
        self._fetched: dict[str, tuple[str, datetime]] = {}
        self._known: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        """Return a secret.

        Raises:
            KeyError: the project names no such secret.
            SecretError: it cannot be had.
        """
        spec = self._specs[name]
        value = self._read(name, spec)
        if not value:
            raise SecretError(f"the secret {name!r} is empty: {_place(spec)} holds nothing")
        with self._lock:
            self._known[value] = None
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def known(self) -> tuple[str, ...]:
        """Return every value that was read so far: none of them may be repeated, also when another has come after it."""
        with self._lock:
            return tuple(self._known)

    def _read(self, name: str, spec: SecretSpec) -> str:
        if spec.env:
            if spec.env not in self._env:
                raise SecretError(f"the secret {name!r} cannot be had: {_place(spec)} is not set in this process")
            return self._env[spec.env]
        return _of_file(name, spec.file) if spec.file is not None else self._of_aws(name, spec)

    def _of_aws(self, name: str, spec: SecretSpec) -> str:
        now = self._clock.now()
        with self._lock:
            kept = self._fetched.get(name)
        if kept is not None and now < kept[1]:
            return kept[0]
        options = AwsOptions(region=region_of_arn(spec.aws_secret))
        try:
            answer = self._aws.call(
                "secretsmanager", "get_secret_value", options, timeout=_TIMEOUT, SecretId=spec.aws_secret
            )
        except AwsTrouble as exc:
            later = exc.category is not FailureCategory.PERMANENT
            raise SecretError(f"the secret {name!r} cannot be had: {exc}", retryable=later) from exc
        value = _field(name, answer.get("SecretString"), spec.field)
        with self._lock:
            self._fetched[name] = value, now + REMEMBERED
        return value


def _of_file(name: str, path: Path) -> str:
    try:
        content = _content(path)
    except OSError as exc:
        # A file may be put in its place a moment later, by whoever renews it.
        later = isinstance(exc, FileNotFoundError)
        raise SecretError(f"the secret {name!r} cannot be had: {path}: {exc.strerror}", retryable=later) from exc
    if content is None:
        raise SecretError(f"the secret {name!r} cannot be had: {path} is no plain file")
    if len(content) > LARGEST:
        raise SecretError(f"the secret {name!r} cannot be had: {path} is longer than {LARGEST} bytes")
    try:
        return re.sub(r"\r?\n\Z", "", content.decode())
    except UnicodeDecodeError:
        raise SecretError(f"the secret {name!r} cannot be had: {path} is not text") from None


def _content(path: Path) -> bytes | None:
    """Return the first bytes of a file, one more than a secret may have; None of what is no file."""
    # A pipe would be waited for until somebody writes into it.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(handle)


def _field(name: str, text: Any, field: str) -> str:
    if not isinstance(text, str):
        raise SecretError(f"the secret {name!r} is binary in AWS Secrets Manager, expected a text")
    if not field:
        return text
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise SecretError(f"the secret {name!r} is no JSON object, so it has no field {field!r}") from None
    found = value.get(field) if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise SecretError(f"the secret {name!r} has no text under {field!r}")
    return found


def _place(spec: SecretSpec) -> str:
    if spec.env:
        return f"the environment variable {spec.env}"
    return str(spec.file) if spec.file is not None else "AWS Secrets Manager"
