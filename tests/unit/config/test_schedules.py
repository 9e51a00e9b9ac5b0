"""What pipeline files say about schedules and about the time around a job, as it arrives in the spec."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path

import pytest
from tests.unit.config.projects import good_project, loaded, problems_of, small_project, write_pipeline

from interlock.core.pipelines import (
    Deadline,
    LateAction,
    LateDataSpec,
    MissedPolicy,
    Mode,
    OverlapPolicy,
    PipelineSpec,
    RerunSpec,
    ScheduleSpec,
)
from interlock.core.traits import DriftSpec

MINUTE = timedelta(minutes=1)


def _living(tmp_path: Path) -> PipelineSpec:
    return loaded(good_project(tmp_path)).pipelines["living"].spec


def _spec(tmp_path: Path, more: str) -> PipelineSpec:
    root = small_project(tmp_path)
    write_pipeline(root, "one", more)
    return loaded(root).pipelines["one"].spec


def test_every_key_of_a_schedule_reaches_its_spec(tmp_path: Path) -> None:
    """BUG-185."""
    weekdays, quarters, nightly = _living(tmp_path).schedules
    assert weekdays == ScheduleSpec(
        name=weekdays.name,
        cron="30 6 * * 1-5",
        timezone="America/New_York",
        deadline_span=timedelta(hours=2),
        close_at=Deadline(wall=time(12)),
        window=90 * MINUTE,
        interval=timedelta(seconds=15),
        overlap=OverlapPolicy.QUEUE,
        missed=MissedPolicy.ALL,
        max_catch_up=3,
    )
    assert (quarters.every, quarters.deadline_span, quarters.close_at) == (
        15 * MINUTE,
        10 * MINUTE,
        Deadline(span=14 * MINUTE),
    )
    assert (quarters.overlap, quarters.missed) == (OverlapPolicy.SKIP, MissedPolicy.SKIP)
    assert (nightly.after, nightly.deadline, nightly.deadline_span) == (time(22), time(2), None)


def test_every_key_about_the_time_around_a_job_reaches_the_spec(tmp_path: Path) -> None:
    """BUG-185."""
    spec = _living(tmp_path)
    assert (spec.owner, spec.mode) == ("data-platform", Mode.SHADOW)
    assert spec.traits[0].drift == DriftSpec(field="rows", threshold=0.1, relative=True)
    assert (spec.sla.at_risk, spec.sla.expected_duration) == (10 * MINUTE, 25 * MINUTE)
    assert (spec.watch.monitoring, spec.watch.rerun_on_drift) == (timedelta(hours=2), False)
    assert spec.reruns == RerunSpec(drift=2, manual=0)
    assert spec.late_data == LateDataSpec(action=LateAction.RERUN, window=timedelta(hours=6))
    assert (spec.cascade_delay, spec.stuck_after) == (timedelta(seconds=5), timedelta(hours=2))


def test_what_is_not_said_keeps_the_defaults_of_the_core(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "")
    plain = PipelineSpec(name=spec.name, archetype=spec.archetype, traits=spec.traits)
    keys = ("owner", "mode", "reruns", "late_data", "cascade_delay", "stuck_after", "exclusions")
    assert [getattr(spec, key) for key in keys] == [getattr(plain, key) for key in keys]
    assert spec.traits[0].drift is None
    assert spec.schedules == (ScheduleSpec(timezone="Europe/Berlin"),)


@pytest.mark.parametrize(
    ("text", "every"),
    [("1m", MINUTE), ("900", 15 * MINUTE), ("1h30m", 90 * MINUTE), ("12h", 720 * MINUTE), ("0.5h", 30 * MINUTE)],
)
def test_every_is_a_duration_that_divides_a_day(tmp_path: Path, text: str, every: timedelta) -> None:
    (schedule,) = _spec(tmp_path, f"schedules: [{{name: often, every: {text}}}]\n").schedules
    assert schedule.every == every


@pytest.mark.parametrize("text", ["0", "30s", "7h", "90s", "13h", "24h", "1d", "2d", "400d", "-15m", "often", '""'])
def test_every_that_does_not_is_refused(tmp_path: Path, text: str) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "one", f"schedules: [{{name: often, every: {text}}}]\n")
    (problem,) = problems_of(root)
    assert problem.message.startswith("every: ")


def test_a_deadline_of_a_schedule_is_a_time_or_a_span_from_its_opening(tmp_path: Path) -> None:
    found = _spec(
        tmp_path,
        "schedules:\n"
        '  - {name: by-time, after: "06:00", deadline: "09:00"}\n'
        '  - {name: by-span, after: "06:00", deadline: +3h}\n',
    ).schedules
    assert [(each.deadline, each.deadline_span) for each in found] == [
        (time(9), None),
        (None, timedelta(hours=3)),
    ]


@pytest.mark.parametrize(
    ("project", "pipeline", "mode"),
    [
        ("live", "live", Mode.LIVE),
        ("shadow", "live", Mode.SHADOW),
        ("live", "shadow", Mode.SHADOW),
        ("shadow", "shadow", Mode.SHADOW),
    ],
)
def test_shadow_on_either_side_is_shadow(tmp_path: Path, project: str, pipeline: str, mode: Mode) -> None:
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text(f"mode: {project}\n")
    write_pipeline(root, "one", f"mode: {pipeline}\n")
    assert loaded(root).pipelines["one"].spec.mode is mode


def test_a_lead_of_nothing_is_no_warning(tmp_path: Path) -> None:
    assert _spec(tmp_path, "sla: {atRiskLeadTime: 0}\n").sla.at_risk is None


def test_excluded_days_keep_their_own_names_apart_from_calendars(tmp_path: Path) -> None:
    exclusions = _living(tmp_path).exclusions
    assert exclusions.dates == (date(2026, 7, 3),)
    assert [calendar.name for calendar in exclusions.calendars] == ["us-holidays", "trading-days"]
    assert exclusions.include is not None
    assert exclusions.include.weekdays == (0, 1, 2, 3, 4)
    assert [calendar.name for calendar in exclusions.include.union] == ["us-closing"]


def test_an_empty_name_in_a_drift_is_refused(tmp_path: Path) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "one", '    drift: {field: ""}\n')
    (problem,) = problems_of(root)
    assert (problem.line, "field is empty" in problem.message) == (6, True)


@pytest.mark.parametrize(
    "keys",
    [
        "",
        ", after: 06:00",
        ', cron: "*/15 * * * *"',
        ", every: 15m",
        ", deadline: 09:00",
        ", deadline: +1h",
        ", closeAt: 09:00",
        ", timezone: Asia/Tokyo",
        ", evaluation: {}",
        ", evaluation: {window: 1h}",
        ", evaluation: {interval: 10s}",
        ", overlap: queue",
        ", missed: skip",
        ", maxCatchUp: 1",
    ],
)
def test_no_key_of_a_schedule_needs_another(tmp_path: Path, keys: str) -> None:
    """BUG-68, LAT-01."""
    (schedule,) = _spec(tmp_path, f"schedules: [{{name: one{keys}}}]\n").schedules
    assert schedule.name == "one"


@pytest.mark.parametrize(
    "block",
    [
        "owner: me",
        "mode: live",
        "include: {days: [Mon]}",
        "reruns: {drift: 0}",
        "reruns: {manual: 3}",
        "reruns: {}",
        "lateData: {action: ignore}",
        "lateData: {window: 1h}",
        "watch: {monitoring: {onDrift: alert}}",
        "watchdog: {stuckRunThreshold: 1h}",
        "watchdog: {}",
        "cascade: {delayBetween: 0}",
        "sla: {atRiskLeadTime: 5m}",
        "sla: {expectedDuration: 5m}",
    ],
)
def test_no_block_about_the_time_around_a_job_needs_another(tmp_path: Path, block: str) -> None:
    """BUG-68, LAT-01."""
    assert _spec(tmp_path, f"{block}\n").name == "one"
