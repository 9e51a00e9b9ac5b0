"""The `secrets` block: where each secret that files refer to by name is kept."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from interlock.config.project import SecretSpec
from interlock.config.schema_project import SecretEntry
from interlock.config.source import Source

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ARN: Final = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+", re.ASCII)
_EXAMPLE: Final = "such as {env: NAME}, {file: /run/secrets/name} or {awsSecret: arn:aws:secretsmanager:…}"


def build_secrets(entries: Mapping[str, SecretEntry], source: Source, root: Path) -> dict[str, SecretSpec]:
    """Resolve the block; problems are noted. Nothing is read yet: a secret is wanted when something is to be started."""
    found: dict[str, SecretSpec] = {}
    for name, entry in entries.items():
        path = ("secrets", name)
        if not _NAME.fullmatch(name):
            source.fail(
                path, f"{name!r} cannot be the name of a secret", "letters, digits, '-', '_' and '.'", on_key=True
            )
        places = [place for place in (entry.env, entry.file, entry.aws_secret) if place]
        if len(places) != 1:
            many = "several places" if places else "no place"
            source.fail(path, f"the secret {name!r} has {many} where it is kept, expected one", _EXAMPLE)
        elif entry.env and not _VARIABLE.fullmatch(entry.env):
            source.fail((*path, "env"), f"{entry.env!r} is no name of an environment variable")
        elif entry.aws_secret and not _ARN.fullmatch(entry.aws_secret):
            hint = "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"
            source.fail((*path, "awsSecret"), f"{entry.aws_secret!r} is no ARN of AWS Secrets Manager", hint)
        elif entry.field and not entry.aws_secret:
            source.fail((*path, "field"), f"the secret {name!r} is a text, and has no fields", "remove `field`")
        elif entry.aws_secret and find_spec("botocore") is None:
            hint = "pip install 'interlock[aws]'"
            source.fail((*path, "awsSecret"), f"the secret {name!r} needs an optional dependency", hint, "plugin")
        file = Path(os.path.normpath(root / entry.file)) if entry.file else None
        found[name] = SecretSpec(env=entry.env, file=file, aws_secret=entry.aws_secret, field=entry.field)
    return found
