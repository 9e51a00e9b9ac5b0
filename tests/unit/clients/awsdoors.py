"""What is asked through the door to AWS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from tests.servers import aws_glue, aws_sns

from interlock.clients.aws import AwsDoor, AwsOptions, AwsTrouble
from interlock.core.traits import FailureCategory

TIMEOUT: Final = timedelta(seconds=10)
SOON: Final = timedelta(seconds=0.4)
NOTHING: Final = AwsOptions()
PERMANENT, TRANSIENT, LATE = FailureCategory.PERMANENT, FailureCategory.TRANSIENT, FailureCategory.TIMEOUT
Doors: TypeAlias = Callable[..., AwsDoor]


def ask(
    door: AwsDoor, options: AwsOptions = NOTHING, timeout: timedelta = TIMEOUT, *, service: str = "sns"
) -> dict[str, Any]:
    """Publish a message, or start a job."""
    if service == "sns":
        return door.call("sns", "publish", options, timeout=timeout, TopicArn=aws_sns.TOPIC, Message="hello")
    return door.call("glue", "start_job_run", options, timeout=timeout, JobName=aws_glue.JOB)


def trouble(
    door: AwsDoor, options: AwsOptions = NOTHING, timeout: timedelta = TIMEOUT, *, service: str = "sns"
) -> AwsTrouble:
    """Ask, and return what went wrong."""
    with pytest.raises(AwsTrouble) as caught:
        ask(door, options, timeout, service=service)
    return caught.value


def keys(profile: str, access_key: str) -> str:
    """Return a profile as ~/.aws/credentials has it."""
    return f"[{profile}]\naws_access_key_id = {access_key}\naws_secret_access_key = keep-this-quiet\n"


def configured(home: Path, text: str, name: str = "credentials") -> None:
    """Write one of the files of ~/.aws."""
    (home / ".aws" / name).write_text(text)
