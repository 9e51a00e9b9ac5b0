"""Spans, their parents, and how they are named to others."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import NoOpTracerProvider, StatusCode

from interlock.ports.telemetry import StepKind
from interlock.runtime.lanes import ThreadLane, side_by_side
from interlock.runtime.pool import Pool
from interlock.telemetry import tracing as tracing_module
from interlock.telemetry.tracing import Tracing, exporters
from interlock.testing.builders import SECOND, a_key, a_slot

THEIRS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THEIR_TRACE = 0x0AF7651916CD43DD8448EB211C80319C


def _rig(*, service: str = "interlock", sampler: Sampler | None = None) -> tuple[Tracing, InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return Tracing(provider, service=service), kept


def _decided(tracing: Tracing, run_id: str) -> None:
    with tracing.step(StepKind.DECISION, a_slot(), run_id, event="Woke") as step:
        step.told(outcome="changed", version="3")


def _only(kept: InMemorySpanExporter) -> ReadableSpan:
    (span,) = kept.get_finished_spans()
    return span


def _trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def test_a_decision_says_of_which_run_it_was_what_was_told_and_what_came_of_it() -> None:
    tracing, kept = _rig()
    _decided(tracing, a_key().run_id)
    span = _only(kept)
    assert span.name == "interlock.decision"
    assert dict(span.attributes or {}) == {
        "interlock.event": "Woke",
        "interlock.pipeline": "example",
        "interlock.schedule": "daily",
        "interlock.date": "2026-03-07",
        "interlock.run_id": "example:daily:2026-03-07:1",
        "interlock.outcome": "changed",
        "interlock.version": "3",
    }


def test_all_steps_of_a_run_are_one_trace_whichever_process_makes_them() -> None:
    (one, by_one), (two, by_two) = _rig(), _rig()
    _decided(one, a_key().run_id)
    _decided(two, a_key().run_id)
    _decided(two, a_key(number=2).run_id)
    first, other = by_two.get_finished_spans()
    assert _trace_of(_only(by_one)) == _trace_of(first)
    assert _trace_of(other) != _trace_of(first)


def test_installations_with_names_of_their_own_do_not_share_the_trace_of_a_run() -> None:
    (one, by_one), (two, by_two) = _rig(service="staging"), _rig(service="production")
    _decided(one, a_key().run_id)
    _decided(two, a_key().run_id)
    assert _trace_of(_only(by_one)) != _trace_of(_only(by_two))


def test_what_is_done_for_a_request_belongs_to_its_trace_and_is_linked_to_the_runs() -> None:
    tracing, kept = _rig()
    with tracing.incoming({"traceparent": THEIRS, "x-api-key": "secret"}):
        _decided(tracing, a_key().run_id)
    _decided(tracing, a_key().run_id)
    asked, later = kept.get_finished_spans()
    assert _trace_of(asked) == THEIR_TRACE
    assert asked.parent is not None
    assert asked.parent.span_id == 0xB7AD6B7169203331
    assert [link.context.trace_id for link in asked.links] == [_trace_of(later)]


@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", THEIRS + "x" * 9000])
def test_a_request_that_names_no_usable_trace_is_a_request_like_any_other(header: str) -> None:
    tracing, kept = _rig()
    with tracing.incoming({"traceparent": header} if header else {}):
        _decided(tracing, a_key().run_id)
    _decided(tracing, a_key().run_id)
    one, two = kept.get_finished_spans()
    assert _trace_of(one) == _trace_of(two)


def test_a_step_is_named_to_others_by_its_own_id() -> None:
    tracing, kept = _rig()
    with tracing.step(StepKind.TRAIT, a_slot(), a_key().run_id, trait="t", evaluator="program") as step:
        named = step.traceparent
        step.told(outcome="PASS", category="", trouble="")
    context = _only(kept).context
    assert context is not None
    assert named == f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


@pytest.mark.parametrize(
    ("outcome", "code"), [("accepted", StatusCode.UNSET), ("in_doubt", StatusCode.ERROR), ("", StatusCode.ERROR)]
)
def test_a_step_that_went_wrong_or_never_said_how_it_ended_is_an_error(outcome: str, code: StatusCode) -> None:
    tracing, kept = _rig()
    with tracing.step(StepKind.TRIGGER, a_slot(), type="http", action="start") as step:
        if outcome:
            step.told(outcome=outcome)
    assert _only(kept).name == "interlock.trigger.start"
    assert _only(kept).status.status_code is code


def test_what_an_exception_says_is_not_on_the_span() -> None:
    tracing, kept = _rig()
    with pytest.raises(OSError), tracing.step(StepKind.ALERT, None, sink="pager"):
        raise OSError("https://hooks.example.com/SECRET")
    assert "SECRET" not in str(_only(kept).to_json())


def _by_pool(tasks: list[Callable[[], None]]) -> None:
    pool = Pool(width=2)
    pool(tasks)
    pool.close()


def _by_lane(tasks: list[Callable[[], None]]) -> None:
    lane = ThreadLane("traced", 2)
    assert all(lane.submit("example", task) for task in tasks)
    assert lane.idle_within(60 * SECOND)
    lane.forget()


@pytest.mark.parametrize("work", [_by_pool, side_by_side, _by_lane])
def test_a_trace_crosses_to_the_threads_that_do_the_work(work: Callable[[list[Callable[[], None]]], object]) -> None:
    tracing, kept = _rig()
    with tracing.incoming({"traceparent": THEIRS}):
        work([lambda: _decided(tracing, a_key().run_id)] * 2)
    assert [_trace_of(span) for span in kept.get_finished_spans()] == [THEIR_TRACE] * 2


def test_a_thread_that_does_other_work_afterwards_has_forgotten_the_trace() -> None:
    tracing, kept = _rig()
    pool = Pool(width=1)
    with tracing.incoming({"traceparent": THEIRS}):
        pool([lambda: _decided(tracing, a_key().run_id)])
    pool([lambda: _decided(tracing, a_key().run_id)])
    pool.close()
    first, second = kept.get_finished_spans()
    assert _trace_of(first) == THEIR_TRACE
    assert _trace_of(second) != THEIR_TRACE


@pytest.mark.parametrize(
    ("sampler", "most"),
    [(ParentBased(ALWAYS_OFF), 0), (ParentBased(TraceIdRatioBased(0.5)), 150), (None, 200)],
    ids=["none", "half", "all"],
)
def test_the_sampler_of_the_environment_decides_for_whole_runs(sampler: Sampler | None, most: int) -> None:
    tracing, kept = _rig(sampler=sampler)
    for number in range(1, 101):
        _decided(tracing, a_key(number=number).run_id)
        _decided(tracing, a_key(number=number).run_id)
    spans = kept.get_finished_spans()
    assert len(spans) <= most
    assert (most == 0) == (len(spans) == 0)
    assert len(spans) == 2 * len({_trace_of(span) for span in spans})


def test_without_an_sdk_nothing_is_recorded_and_the_trace_of_a_request_is_still_passed_on() -> None:
    tracing = Tracing(NoOpTracerProvider())
    with (
        tracing.incoming({"traceparent": THEIRS}),
        tracing.step(StepKind.TRAIT, a_slot(), trait="t", evaluator="http") as step,
    ):
        assert step.traceparent == THEIRS


def test_a_collector_that_does_not_answer_keeps_nothing_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing_module, "PATIENCE", 0.01)
    hold, begun = threading.Event(), threading.Event()

    class Hanging(TracerProvider):
        def shutdown(self) -> None:
            begun.set()
            hold.wait(60)

    Tracing(Hanging(shutdown_on_exit=False), owned=True).close()
    assert begun.wait(60)
    assert not hold.is_set()
    hold.set()


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, (("otlp_proto_http", "otlp_proto_grpc"),)),
        ({"OTEL_TRACES_EXPORTER": "console"}, (("console",),)),
        ({"OTEL_TRACES_EXPORTER": "none"}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, (("otlp_proto_http", "otlp_proto_grpc"), ("console",))),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, (("otlp_proto_grpc",),)),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, (("otlp_proto_http",),)),
    ],
)
def test_the_exporters_are_those_that_the_environment_names(
    env: dict[str, str], wanted: tuple[tuple[str, ...], ...]
) -> None:
    assert exporters(env) == wanted


PROGRAM = """
import os
from interlock.ports.telemetry import StepKind
from interlock.telemetry.tracing import tracing_of
tracing = tracing_of(os.environ)
with tracing.step(StepKind.ALERT, None, sink="pager") as step:
    step.told(outcome="delivered")
tracing.close()
"""


def test_the_standard_environment_sets_up_where_spans_go_and_closing_sends_what_is_left() -> None:
    env = {"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "orders-gate", "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert '"name": "interlock.alert"' in done.stdout
    assert '"service.name": "orders-gate"' in done.stdout


def test_an_exporter_that_is_not_installed_is_said_once_and_stops_nothing() -> None:
    env = {"OTEL_TRACES_EXPORTER": "smoke-signals", "PATH": "/usr/bin"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert done.stderr.count("pip install opentelemetry-exporter-smoke-signals") == 1
