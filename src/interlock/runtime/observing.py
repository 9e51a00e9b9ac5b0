"""Who wants to know what happens in a process at work: counters, metrics, traces, as the project and its environment ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from interlock.app.channels import Alerting
from interlock.config.project import ProjectSettings
from interlock.errors import MissingExtra
from interlock.ports.telemetry import Telemetry

if TYPE_CHECKING:
    from interlock.runtime.committed import Committed
    from interlock.runtime.sampling import Sampled, Sampler
    from interlock.telemetry.counts import Counts
    from interlock.telemetry.metrics import Metrics
    from interlock.telemetry.tracing import Tracing

_WANTED_BY: Final = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Observers:
    """Those who are told of every step. Without any, nobody measures and nothing is imported."""

    def __init__(self, settings: ProjectSettings, env: Mapping[str, str], others: Sequence[Telemetry] = ()) -> None:
        self._settings = settings
        self._others = tuple(others)
        self.tracing: Tracing | None = _tracing(settings, env)
        self.counts: Counts | None = None
        self.metrics: Metrics | None = None
        self.sampler: Sampler | None = None

    def measure(self, committed: Committed, sampled: Sampled, alerting: Alerting) -> None:
        """Count from now on, and show metrics where prometheus-client is installed and the project does not mind."""
        from interlock.runtime.sampling import Sampler
        from interlock.telemetry.counts import Counts

        wanted = self._settings.metrics
        self.counts = Counts(per_pipeline=wanted.pipeline_label)
        self.counts.expect(
            sinks=[channel.name for channel in alerting.channels],
            subscribers=[name for name, _ in alerting.subscribers],
        )
        committed.listen(self.counts.heard)
        self.sampler = Sampler(sampled)
        if wanted.enabled and installed("prometheus_client"):
            from interlock.telemetry.metrics import Metrics

            self.metrics = Metrics(self.counts, self.sampler)

    def joined(self) -> Telemetry | None:
        """Return one that tells them all; None when there are none."""
        found = [*self._others, *(each for each in (self.tracing, self.counts, self.metrics) if each is not None)]
        if not found:
            return None
        from interlock.telemetry.several import joined

        return joined(found)

    @contextmanager
    def incoming(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Let what is done meanwhile belong to the trace that a request names. Names of headers are in lower case."""
        if self.tracing is None:
            yield
            return
        with self.tracing.incoming(headers):
            yield

    def close(self) -> None:
        """Send what is left of the spans."""
        if self.tracing is not None:
            self.tracing.close()


def installed(module: str) -> bool:
    """Say whether a module is there, without importing it."""
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def traced(settings: ProjectSettings, env: Mapping[str, str]) -> bool:
    """Say whether spans are wanted: by the project, or, where it says nothing, by the standard environment variables."""
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if settings.tracing.enabled is not None:
        return settings.tracing.enabled
    return any(env.get(name, "none") not in ("", "none") for name in _WANTED_BY)


def _tracing(settings: ProjectSettings, env: Mapping[str, str]) -> Tracing | None:
    if not traced(settings, env):
        return None
    if not installed("opentelemetry.trace"):
        if settings.tracing.enabled:
            raise MissingExtra("tracing", "tracing")
        return None  # the environment speaks to everything on the machine, not to us alone
    from interlock.telemetry.tracing import tracing_of

    return tracing_of(env)
