"""What a deployment is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.aws.lab.pump import StreamMapping


class Site(NamedTuple):
    """What a deployment is made of, however it was made.

    `functions` are the laboratory's names of the functions, `environment` all that any of them has, `folders` where they are
    imported from, `streamed` how records come to those that read the stream. `queues` and `topics` are addresses and ARNs by
    their names in the Terraform module.
    """

    table: str
    machine: str
    functions: Mapping[str, str]
    environment: Mapping[str, str]
    folders: Sequence[Path]
    streamed: Mapping[str, StreamMapping]
    requests_batch: int
    queues: Mapping[str, str]
    topics: Mapping[str, str]
