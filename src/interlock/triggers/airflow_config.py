"""The keys of the airflow trigger."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from interlock.clients.webaddress import WebAddress
from interlock.triggers.answers import SecretText

OWN: Final = "interlock"
"""The key of `conf` under which a DAG finds what it was started for."""


class AirflowConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which DAG is started, where, as whom and with what."""

    url: Annotated[WebAddress, Meta(min_length=1, description="The base address of Airflow's web server.")]
    dag_id: Annotated[str, Meta(min_length=1, description="The DAG.")] = msgspec.field(name="dagID")
    headers: Annotated[dict[str, str], Meta(description="Headers of every request to Airflow.")] = {}
    conf: Annotated[dict[str, Any] | None, Meta(description="What the DAG run finds in `dag_run.conf`.")] = None
    body: Annotated[str | dict[str, Any] | None, Meta(description="The same as `conf`; or a text, a JSON object.")] = (
        None
    )
    logical_date: Annotated[
        str, Meta(description="The logical date of the DAG run; Airflow permits one DAG run for each.")
    ] = ""
    on_retry: Annotated[
        Literal["new", "clear"],
        Meta(
            description="What another attempt of a run does: make a DAG run of its own, or clear the one that failed."
        ),
    ] = "new"
    username: str = ""
    password: SecretText = ""
    token: SecretText = ""
    api_version: Annotated[
        Literal["auto", "v1", "v2"], Meta(description="v1 for Airflow 2, v2 for Airflow 3; auto finds out.")
    ] = "auto"
    timeout: Annotated[float, Meta(gt=0, le=3600, description="Seconds for one request.")] = 30

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "`url` holds more than an address: credentials belong into `username` and `password`, or `token`"
            )
        if self.url.rstrip("/").endswith(("/api/v1", "/api/v2")):
            raise ValueError("`url` is the base address of Airflow: leave /api/v1 and /api/v2 out")
        if bool(self.username) != bool(self.password):
            raise ValueError("`username` and `password` belong together")
        ways = (self.username, self.token, any(name.lower() == "authorization" for name in self.headers))
        if sum(map(bool, ways)) > 1:
            raise ValueError("say in one way who asks: `username` and `password`, or `token`, or a header")
        if self.conf is not None and self.body is not None:
            raise ValueError("`conf` and `body` are the same: give one of them")
        if OWN in self.given:
            raise ValueError(f"`{OWN}` is the key of `conf` under which Interlock says what a DAG run is for")

    @property
    def given(self) -> dict[str, Any]:
        """Return what the file gives the DAG run as its conf."""
        body = parsed(self.body) if isinstance(self.body, str) else self.body
        return self.conf or body or {}


def parsed(text: str) -> dict[str, Any]:
    """Return what the text of a body says.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        said = "`body` is the text of a JSON object, or a mapping: it becomes the conf of the DAG run"
        raise ValueError(said)  # noqa: TRY004  (what a file says is wrong, not what a caller gave)
    return found
