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


def test_a_pipelines_own_interval_goes_before_the_watchers(tmp_path: Path) -> None:
    assert _spec(tmp_path, "watch: {interval: 7s}\n").watch.interval == timedelta(seconds=7)


def test_monitoring_that_is_switched_off_lasts_for_nothing(tmp_path: Path) -> None:
    assert _spec(tmp_path, "watch: {monitoring: {enabled: false, duration: 2h}}\n").watch.monitoring is None


@pytest.mark.parametrize(
    ("more", "zones"),
    [
        ("", ("Europe/Berlin", "Europe/Berlin")),
        ("sla: {timezone: Asia/Tokyo}\n", ("Asia/Tokyo", "Asia/Tokyo")),
        ('sla: {completionDeadline: "09:00", timezone: Asia/Tokyo}\n', ("Asia/Tokyo", "Asia/Tokyo")),
        ('sla: {completionDeadline: "09:00"}\n', ("Europe/Berlin", "Europe/Berlin")),
        (
            "sla: {validationTimeout: 1h, timezone: Asia/Tokyo}\nschedules: [{name: one, timezone: America/New_York}]\n",
            ("America/New_York", "Asia/Tokyo"),
        ),
    ],
)
def test_a_zone_is_the_schedules_else_the_slas_else_the_projects(
    tmp_path: Path, more: str, zones: tuple[str, str]
) -> None:
    """T-40."""
    spec = _spec(tmp_path, more)
    assert (spec.schedules[0].timezone, spec.sla.timezone) == zones


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


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "right/Europe/Berlin", "posix/Europe/Berlin"])
@pytest.mark.parametrize("block", ["schedules: [{{name: one, timezone: {}}}]", "sla: {{timezone: {}}}"])
def test_a_zone_that_is_not_the_same_on_every_machine_is_refused(tmp_path: Path, block: str, zone: str) -> None:
    """T-41."""
    root = small_project(tmp_path)
    write_pipeline(root, "one", f"{block.format(zone)}\n")
    (problem,) = problems_of(root)
    assert problem.line == 6
    expected = f"timezone: {zone!r} is not the same on every machine (expected an IANA name such as Europe/Berlin)"
    assert problem.message == expected
    assert problem.hint == ("did you mean 'Europe/Berlin'?" if "/" in zone else "")


def test_a_project_is_in_no_zone_of_the_machine_either(tmp_path: Path) -> None:
    """T-41."""
    root = small_project(tmp_path)
    (root / "interlock.yaml").write_text("timezone: localtime\n")
    (problem,) = problems_of(root)
    assert (problem.line, "not the same on every machine" in problem.message) == (1, True)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("@daily", "write '0 0 * * *' instead"),
        ("@hourly", "write '0 * * * *' instead"),
        ("@weekly", "write '0 0 * * 0' instead"),
        ("@reboot", ""),
        ("61 * * * *", "minutes are 0 to 59"),
        ("0 24 * * *", "hours are 0 to 23"),
        ("0 0 30 2 *", "days are 1 to 31, L or LW, and one of the months has to have the day"),
        ("0 0 * 13 *", "months are 1 to 12 or JAN to DEC"),
        (
            "0 0 * * 8",
            "days of the week are 0 to 7 or SUN to SAT, with #2 for the second and L for the last of a month",
        ),
    ],
)
def test_a_cron_expression_that_is_none_is_told_with_what_was_meant(tmp_path: Path, text: str, hint: str) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "one", f'schedules: [{{name: one, cron: "{text}"}}]\n')
    (problem,) = problems_of(root)
    assert problem.message.startswith(f"cron: not a cron expression: {text!r}")
    assert problem.hint == hint


@pytest.mark.parametrize("said", ["{}", "{days: []}", "{dates: []}", "{calendar: []}"])
def test_an_include_that_names_nothing_does_not_mean_every_day(tmp_path: Path, said: str) -> None:
    root = small_project(tmp_path)
    write_pipeline(root, "one", f"include: {said}\n")
    (problem,) = problems_of(root)
    assert (problem.line, problem.message) == (6, "include names no day: nothing of this pipeline would ever start")


@pytest.mark.parametrize(
    "days",
    [
        "exclusions: {days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun]}",
        "exclusions: {days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun], calendar: us-holidays}",
        "include: {calendar: us-holidays}\nexclusions: {days: [Mon, Tue, Wed, Thu, Fri, Sat, Sun]}",
        "include: {days: [Sat]}\nexclusions: {days: [Sun, Sat]}",
        "include: {dates: [2026-12-25]}\nexclusions: {dates: [2026-12-24, 2026-12-25]}",
        "include: {dates: [2026-12-26], days: [Sun]}\nexclusions: {days: [Sat, Sun]}",
        "include: {dates: [2026-07-03]}\nexclusions: {calendar: us-holidays}",
    ],
)
def test_exclusions_that_leave_no_day_are_refused(tmp_path: Path, days: str) -> None:
    """Nothing would start, and nobody would be told of it."""
    root = small_project(tmp_path)
    write_pipeline(root, "one", f"{days}\n")
    (problem,) = problems_of(root)
    assert problem.message == "exclusions leave no day: nothing of this pipeline would ever start"
    assert problem.hint == "to open no slots, say watch: {enabled: false}"
    assert problem.line == (7 if "include" in days else 6)


@pytest.mark.parametrize(
    "days",
    [
        "exclusions: {days: [Mon, Tue, Wed, Thu, Fri, Sat]}",
        "include: {days: [Sat]}\nexclusions: {days: [Sun]}",
        "include: {dates: [2026-07-03, 2026-12-28]}\nexclusions: {calendar: us-holidays}",
        "include: {days: [Sat], dates: [2026-12-28]}\nexclusions: {days: [Sat]}",
        "include: {days: [Sat], calendar: us-holidays}\nexclusions: {days: [Sat]}",
    ],
)
def test_a_single_day_that_is_left_is_enough(tmp_path: Path, days: str) -> None:
    assert _spec(tmp_path, f"{days}\n").name == "one"
