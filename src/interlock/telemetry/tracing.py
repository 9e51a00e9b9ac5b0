"""Spans of OpenTelemetry: one for each step. The one module that imports opentelemetry.

All steps of a run belong to one trace, whichever process makes them: its id is derived from the run's. A step that is made
on behalf of somebody who names a trace of his own belongs there, and has a link to the run's.

Only the API is imported. Spans go where the program that runs Interlock has configured; where it has not, and the SDK is
installed, they go where the standard environment variables (OTEL_…) say.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token
from functools import partial
from hashlib import blake2b
from importlib.metadata import entry_points
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from interlock.core.ids import Slot
from interlock.ports.telemetry import Step, StepKind, Telemetry
from interlock.version import __version__

SERVICE: Final = "interlock"
PATIENCE: Final = 3.0
"""For how many seconds the last spans are waited for at the end."""

_HEADERS: Final = ("traceparent", "tracestate")
_CARRIED: Final = TraceContextTextMapPropagator()
_EXPORTERS: Final = "opentelemetry_traces_exporter"
_TROUBLE: Final = frozenset({"error", "failed", "in_doubt", "contention", "ERROR"})
_log: Final = logging.getLogger(__name__)


class Tracing:
    """Makes a span of every step. `service` tells installations that share a collector apart."""

    def __init__(self, provider: trace.TracerProvider, *, service: str = SERVICE, owned: bool = False) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("interlock", __version__)
        self._service = service
        self._owned = owned

    def step(self, kind: StepKind, slot: Slot | None, run_id: str = "", **about: str) -> Step:
        """Make a step that is a span; see `Telemetry.step`."""
        attributes = {f"interlock.{name}": value for name, value in about.items()}
        if slot is not None:
            attributes |= {
                "interlock.pipeline": slot.pipeline,
                "interlock.schedule": slot.schedule,
                "interlock.date": slot.period,
            }
        if run_id:
            attributes["interlock.run_id"] = run_id
        name = f"interlock.{kind}" + (f".{about['action']}" if "action" in about else "")
        outward = SpanKind.INTERNAL if kind is StepKind.DECISION else SpanKind.CLIENT
        return _Span(partial(self._start, name, outward, attributes, run_id))

    def _start(self, name: str, kind: SpanKind, attributes: Mapping[str, str], run_id: str) -> trace.Span:
        parent, links = None, []
        if run_id:
            own = self.of_run(run_id)
            if trace.get_current_span().get_span_context().is_valid:
                links = [Link(trace.get_current_span(own).get_span_context())]
            else:
                parent = own
        return self._tracer.start_span(name, parent, kind=kind, attributes=attributes, links=links)

    def of_run(self, run_id: str) -> Context:
        """Return the context in which the steps of a run belong together: the same in every process."""
        digest = blake2b(f"{self._service}|{run_id}".encode(), digest_size=24).digest()
        trace_id, span_id = int.from_bytes(digest[:16]), int.from_bytes(digest[16:])
        flags = TraceFlags(TraceFlags.SAMPLED if self._wanted(trace_id) else TraceFlags.DEFAULT)
        return trace.set_span_in_context(
            NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)), Context()
        )

    def _wanted(self, trace_id: int) -> bool:
        # There is no first span whose sampling the others would follow, so it is asked for here.
        sampler: Any = getattr(self._provider, "sampler", None)
        if sampler is None:
            return True
        return bool(sampler.should_sample(Context(), trace_id, "interlock.run").decision.is_sampled())

    @contextmanager
    def incoming(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Let what is done meanwhile belong to the trace that a request names, if it names one. Names are in lower case."""
        carrier = {name: headers[name] for name in _HEADERS if name in headers}
        token = context.attach(_CARRIED.extract(carrier, context.get_current()))
        try:
            yield
        finally:
            context.detach(token)

    def close(self) -> None:
        """Send what is left, and wait a little for it. A provider that somebody else has made is his to close."""
        shut: Any = getattr(self._provider, "shutdown", None)
        if self._owned and shut is not None:
            # A collector that does not answer must not keep a command from ending.
            last = threading.Thread(target=shut, name="interlock-spans", daemon=True)
            last.start()
            last.join(PATIENCE)


class _Span:
    """A step that is a span, from its beginning to its end."""

    def __init__(self, start: Callable[[], trace.Span]) -> None:
        self._start = start
        self._span: trace.Span = trace.INVALID_SPAN
        self._token: Token[Context] | None = None
        self._outcome = "error"

    @property
    def traceparent(self) -> str:
        """Name the span as other programs understand it."""
        carrier: dict[str, str] = {}
        _CARRIED.inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get("traceparent", "")

    def phase(self, name: str) -> None:
        """Note when it was over."""
        self._span.add_event(name)

    def told(self, **how: str) -> None:
        """Note it on the span."""
        self._outcome = how.get("outcome", self._outcome)
        self._span.set_attributes({f"interlock.{name}": value for name, value in how.items() if value})

    def __enter__(self) -> Self:
        self._span = self._start()
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            context.detach(self._token)
        if kind is not None or self._outcome in _TROUBLE:
            # The kind of exception and not its words: they may hold what is nobody else's business.
            self._span.set_status(StatusCode.ERROR, self._outcome if kind is None else kind.__name__)
        self._span.end()


def tracing_of(env: Mapping[str, str]) -> Tracing:
    """Return tracing as the program, or else the environment, has it configured. Nothing global is changed."""
    service = env.get("OTEL_SERVICE_NAME") or SERVICE
    theirs = trace.get_tracer_provider()
    if not isinstance(theirs, trace.ProxyTracerProvider):
        return Tracing(theirs, service=service)
    ours = _made(env)
    return Tracing(theirs, service=service) if ours is None else Tracing(ours, service=service, owned=True)


def _made(env: Mapping[str, str]) -> trace.TracerProvider | None:
    """Make a provider by the standard entry points; None when the SDK or what exports is not there."""
    found = next(iter(entry_points(group="opentelemetry_tracer_provider", name="sdk_tracer_provider")), None)
    if found is None:
        _log.warning(
            "tracing is on, and no spans are made: pip install opentelemetry-sdk. Only traceparent is passed on"
        )
        return None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = env.get("OTEL_SERVICE_NAME") or "service.name=" in env.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {"service.name": SERVICE})
    provider: Any = found.load()(resource=resource, shutdown_on_exit=False)
    for names in exporters(env):
        found = next((entry for name in names for entry in entry_points(group=_EXPORTERS, name=name)), None)
        if found is None:
            package = names[0].replace("_", "-")
            _log.warning("tracing is on, and its spans go nowhere: pip install opentelemetry-exporter-%s", package)
            continue
        try:
            provider.add_span_processor(BatchSpanProcessor(found.load()()))
        except Exception as exc:  # noqa: BLE001  (what only watches must not keep anything from its work)
            _log.warning("tracing is on, and its spans go nowhere: %s: %s: %s", found.name, type(exc).__name__, exc)
    made: trace.TracerProvider = provider
    return made


def exporters(env: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the exporters that the environment asks for, OTLP where it names none, each with the names that will do."""
    protocol = env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or env.get("OTEL_EXPORTER_OTLP_PROTOCOL") or ""
    otlp = ("otlp_proto_http",) if protocol.startswith("http") else ("otlp_proto_http", "otlp_proto_grpc")
    otlp = ("otlp_proto_grpc",) if protocol == "grpc" else otlp
    wanted = [name.strip() for name in (env.get("OTEL_TRACES_EXPORTER") or "otlp").split(",")]
    return tuple(otlp if name == "otlp" else (name,) for name in wanted if name not in ("", "none"))


if TYPE_CHECKING:

    def _are_ports(one: Tracing, two: _Span) -> tuple[Telemetry, Step]:
        return one, two
