"""The one door to AWS for triggers, sinks and secrets: sessions and clients made when first wanted, errors in our words.

botocore's own retries are off: it cannot know which calls start a job, and whoever calls here does. `timeout` bounds the
whole of a call, credentials included, and a request never leaves after it. No connection is kept for another request: it
may turn out to be closed just when a job is to be started, and then nobody can tell whether the request was read.
"""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from interlock.clients.aws_deadline import Deadlines, Passage, TooLate
from interlock.clients.trouble import AwsTrouble
from interlock.clients.webaddress import WebAddress
from interlock.core.traits import FailureCategory
from interlock.errors import MissingExtra

if TYPE_CHECKING:
    from botocore.loaders import Loader
    from botocore.session import Session

__all__ = [
    "LOCAL_REGION",
    "AwsCaller",
    "AwsDoor",
    "AwsOptions",
    "AwsTrouble",
    "is_loopback",
    "local_credentials",
    "options_of",
    "region_of",
    "region_of_arn",
]

LOCAL_REGION: Final = "us-east-1"
LOCAL_KEY: Final = "local"
_CONNECTIONS: Final = 32
_OF_SERVICES: Final = ("service-2", "endpoint-rule-set-1")
_OF_ALL: Final = ("endpoints", "partitions", "sdk-default-configuration")


class AwsOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where AWS is, and as whom it is asked. Whatever is empty is taken from the AWS environment."""

    region: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9-]*$|\$\{|\{\{",
            extra={"expected": "a region such as eu-central-1"},
            description="The region; that of the ARN or of the AWS environment when left out.",
        ),
    ] = ""
    endpoint: Annotated[
        WebAddress, Meta(description="The address of a stand-in for AWS, or of a private endpoint.")
    ] = ""
    profile: Annotated[str, Meta(description="A profile of the AWS configuration files.")] = ""
    assume_role: Annotated[
        str,
        Meta(
            pattern=r"^$|^arn:[^:\s]+:iam::\d{12}:role/\S+$|\$\{|\{\{",
            extra={"expected": "the ARN of a role such as arn:aws:iam::123456789012:role/name"},
            description="The ARN of a role that is taken on for every call.",
        ),
    ] = ""
    external_id: Annotated[str, Meta(description="The external id that the role asks for.")] = ""


def options_of(config: AwsOptions, *, region: str = "") -> AwsOptions:
    """Return only the options among the keys of a configuration; `region` stands where that names none."""
    found = {name: getattr(config, name) for name in AwsOptions.__struct_fields__}
    return AwsOptions(**found | {"region": config.region or region})


def region_of_arn(arn: str) -> str:
    """Return the region that an ARN names; nothing when it names none."""
    parts = arn.split(":", 5)
    return parts[3] if len(parts) == 6 and parts[0] == "arn" else ""


class AwsCaller(Protocol):
    """What users of the door need of it."""

    def call(
        self, service: str, operation: str, /, options: AwsOptions, *, timeout: timedelta, **parameters: Any
    ) -> dict[str, Any]:
        """Make one call; see `AwsDoor.call`."""
        ...

    def region(self, options: AwsOptions) -> str:
        """Return the region that calls with these options go to; nothing when none is known."""
        ...

    def place(self, options: AwsOptions) -> str:
        """Return where calls with these options go to, and as whom, as far as that is known here."""
        ...


class AwsDoor:
    """Makes calls of AWS. Safe to use from many threads; nothing is imported or read before the first call.

    `defaults` stand for whatever the options of a call leave empty.
    """

    def __init__(self, defaults: AwsOptions | None = None) -> None:
        self._defaults = defaults or AwsOptions()
        self._begin_anew()

    def call(
        self, service: str, operation: str, /, options: AwsOptions, *, timeout: timedelta, **parameters: Any
    ) -> dict[str, Any]:
        """Make one call, once: `call("glue", "start_job_run", options, timeout=…, JobName=…)`, as botocore names them.

        What an answer streams is there as bytes.

        Raises:
            AwsTrouble: it did not give its answer.
            MissingExtra: botocore is not installed.
        """
        try:
            from interlock.clients.aws_outcomes import is_about_credentials
            from interlock.clients.aws_trouble import trouble_of
        except ImportError as exc:
            raise MissingExtra("AWS", "aws") from exc
        if self._process != os.getpid():
            self._begin_anew()  # whoever forked may have held the lock, and goes on using the connections
        seconds = max(timeout.total_seconds(), 0)
        joined, passage, what = self._joined(options), Passage(seconds), f"{service} {operation}"

        def ask() -> dict[str, Any]:
            client = self._client(service, joined, max(1, ceil(seconds)))
            self._under_way.passage = passage
            answer: dict[str, Any] = _method(client, operation)(**parameters)
            return {name: _whole(value) for name, value in answer.items()}

        try:
            self._load(service)
            return self._deadlines.run((service, joined), ask, passage, seconds)
        except TimeoutError as exc:
            done = None if passage.left else False
            raise AwsTrouble(f"{what}: {exc}", done=done, category=FailureCategory.TIMEOUT) from None
        except TooLate:
            words = f"{what}: nothing was sent within {seconds:g} s"
            raise AwsTrouble(words, done=False, category=FailureCategory.TIMEOUT) from None
        except Exception as exc:
            if is_about_credentials(exc):
                self._forget(joined)
            raise trouble_of(exc, what, sent=passage.left, secrets=(joined.external_id,)) from exc

    def region(self, options: AwsOptions) -> str:
        """Return the region that calls with these options go to; nothing when none is known."""
        joined = self._joined(options)
        if joined.region:
            return joined.region
        with self._lock:
            session = self._sessions.get(_who(joined))
        try:
            from botocore.session import Session

            # Making one takes longer than a call; and what calls go by is what theirs has read.
            found = region_of(session or Session(profile=joined.profile or None), "")
        except Exception:  # noqa: BLE001  (what is wrong with the profile, the call itself says)
            return ""
        return found or (LOCAL_REGION if is_loopback(joined.endpoint) else "")

    def place(self, options: AwsOptions) -> str:
        """Return where calls with these options go to, and as whom, as far as that is known here."""
        joined = self._joined(options)
        profile = joined.profile or os.environ.get("AWS_PROFILE", "")
        return " ".join((self.region(options), joined.endpoint, profile, joined.assume_role))

    def close(self) -> None:
        """Let go of every connection. Later calls make new ones."""
        with self._lock:
            clients = tuple(self._clients.values())
            self._clients.clear()
            self._sessions.clear()
        for client in clients:
            client.close()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._loaded: Loader | None = None
        self._gates: dict[AwsOptions, threading.Lock] = {}
        self._deadlines = Deadlines()
        self._under_way = threading.local()
        self._sessions: dict[AwsOptions, Session] = {}
        self._clients: dict[tuple[str, AwsOptions, int], Any] = {}

    def _load(self, service: str) -> None:
        """Read what botocore knows of a service. That takes most of a first call, and is no wait for anybody."""
        with self._loading:
            loader = self._loader()
            for kind in _OF_SERVICES:
                loader.load_service_model(service, kind)
            for name in _OF_ALL:
                loader.load_data(name)

    def _loader(self) -> Loader:
        from botocore.loaders import create_loader

        if self._loaded is None:
            self._loaded = create_loader(os.environ.get("AWS_DATA_PATH"))
        return self._loaded

    def _joined(self, options: AwsOptions) -> AwsOptions:
        mine = self._defaults
        # Whose account it is goes together: a profile given for one trigger is not asked to take on the project's role.
        own = options.profile or options.assume_role
        who = options if own else mine
        return AwsOptions(
            region=options.region or mine.region,
            endpoint=options.endpoint or mine.endpoint,
            profile=who.profile,
            assume_role=who.assume_role,
            external_id=options.external_id or who.external_id,
        )

    def _client(self, service: str, options: AwsOptions, seconds: int) -> Any:
        key = service, options, seconds
        # Sessions and the making of clients are not safe for threads; clients are. Each session has a gate of its own, so
        # that one that waits for its credentials keeps nobody else waiting.
        with self._lock:
            gate = self._gates.setdefault(_who(options), threading.Lock())
        with gate:
            client = self._clients.get(key)
            if client is None:
                client = _create(self._session(options), service, options, seconds)
                client.meta.events.register("before-send", self._leaving)
                with self._lock:
                    self._clients[key] = client
            return client

    def _session(self, options: AwsOptions) -> Session:
        who = _who(options)
        session = self._sessions.get(who)
        if session is None:
            session = self._fresh(options.profile)
            if options.assume_role:
                session = _as_role(options, source=session, taken=self._fresh(options.profile))
            with self._lock:
                self._sessions[who] = session
        return session

    def _fresh(self, profile: str) -> Session:
        from botocore.session import Session

        session = Session(profile=profile or None)
        session.register_component("data_loader", self._loader())
        return session

    def _leaving(self, request: Any, **_: Any) -> None:
        if any(_is_broken(value) for value in request.headers.values()):
            raise ValueError("a line break is in the credentials, or in another header: remove it where they are kept")
        self._under_way.passage.leave()
        request.headers["Connection"] = "close"

    def _forget(self, options: AwsOptions) -> None:
        """Read credentials afresh with the next call: files, and whoever hands them out, may have new ones by now."""
        with self._lock:
            self._clients = {key: client for key, client in self._clients.items() if _who(key[1]) != _who(options)}
            self._sessions.pop(_who(options), None)


def _is_broken(value: str | bytes) -> bool:
    return "\n" in value if isinstance(value, str) else b"\n" in value


def _who(options: AwsOptions) -> AwsOptions:
    """Return what of the options decides about the credentials."""
    if options.assume_role:
        return options
    return AwsOptions(profile=options.profile)


def _method(client: Any, operation: str) -> Any:
    if operation not in client.meta.method_to_api_mapping:
        raise ValueError("the installed botocore has no such operation; a newer one may")
    return getattr(client, operation)


def _whole(value: Any) -> Any:
    """Return the whole of what an answer streams, and anything else as it is."""
    if not callable(getattr(value, "read", None)):
        return value
    with value:
        return value.read()


def region_of(session: Any, named: str) -> str | None:
    """Return the region to ask: the one named, else that of the AWS environment."""
    # botocore knows AWS_DEFAULT_REGION alone; everything else of AWS sets and reads AWS_REGION.
    return named or session.get_config_variable("region") or os.environ.get("AWS_REGION") or None


def local_credentials(endpoint: str, profile: str) -> dict[str, str]:
    """Return credentials for a stand-in on this machine, to which none mean anything; AWS itself never gets made-up ones."""
    if not is_loopback(endpoint) or profile or os.environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    return {"aws_access_key_id": LOCAL_KEY, "aws_secret_access_key": LOCAL_KEY}


def is_loopback(endpoint: str) -> bool:
    """Say whether an endpoint is on this machine."""
    try:
        host = urlsplit(endpoint).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _create(session: Session, service: str, options: AwsOptions, seconds: int) -> Any:
    from botocore.config import Config

    from interlock.clients.aws_answers import look_at_answers
    from interlock.clients.aws_connections import one_for_each_request

    local = is_loopback(options.endpoint)
    given = {} if options.assume_role else local_credentials(options.endpoint, options.profile)
    client = session.create_client(
        service,
        region_name=region_of(session, options.region) or (LOCAL_REGION if local else None),
        endpoint_url=options.endpoint or None,
        config=Config(
            connect_timeout=min(10, seconds / 3),
            read_timeout=seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=_CONNECTIONS,
            proxies={} if local else None,
            user_agent_extra="interlock",
            tcp_keepalive=True,  # a function may be silent for minutes, and what lies between forgets silent connections
            s3={"addressing_style": "path"} if options.endpoint else None,
        ),
        **given,
    )
    one_for_each_request(client)
    look_at_answers(client)
    return client


def _as_role(options: AwsOptions, *, source: Session, taken: Session) -> Session:
    """Give a session the credentials of a role, which another one asks for; they renew themselves."""
    from botocore.config import Config
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
    from botocore.exceptions import NoCredentialsError

    local = is_loopback(options.endpoint)
    if local_credentials(options.endpoint, options.profile):
        source.set_credentials(LOCAL_KEY, LOCAL_KEY)
    credentials = source.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    retries = {"total_max_attempts": 2, "mode": "standard"}
    asking = partial(
        source.create_client,
        region_name=region_of(source, options.region) or LOCAL_REGION,
        # A private endpoint is one service's, and roles are another's; a stand-in is everything.
        endpoint_url=options.endpoint if local else None,
        config=Config(connect_timeout=5, read_timeout=10, retries=retries, proxies={} if local else None),
    )
    extra = {"RoleSessionName": "interlock"} | ({"ExternalId": options.external_id} if options.external_id else {})
    fetcher = AssumeRoleCredentialFetcher(asking, credentials, options.assume_role, extra_args=extra)
    # botocore offers no public way to hand a session credentials that renew themselves.
    taken._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # noqa: SLF001
    return taken
