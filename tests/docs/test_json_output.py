"""The page on JSON output lists the fields that there are, in their order."""

from __future__ import annotations

import re

import msgspec
import pytest
from tests.docs.samples import ROOT

from interlock.api import planning, registering
from interlock.app import (
    alert_views,
    control_views,
    explain,
    previews,
    push_views,
    queries,
    rerun_views,
    sensor_views,
    shadow_report,
    slot_views,
    views,
    watch_views,
)
from interlock.cli import archive, deploy, doctor, keys, pipelines, store, watchdog
from interlock.cli import compile as compiling
from interlock.errors import Problem

PAGE = (ROOT / "docs/reference/json-output.md").read_text()
STRUCTS: dict[str, type[msgspec.Struct]] = {
    "Readiness": views.ReadinessView,
    "Trait": views.TraitView,
    "Run": views.RunView,
    "Blocker": views.BlockerView,
    "Verifying": views.VerifyingView,
    "Sla": views.SlaView,
    "Attempt": views.AttemptView,
    "Status": slot_views.StatusView,
    "StatusList": watch_views.StatusList,
    "Slot": slot_views.WindowView,
    "Why": explain.Why,
    "TraitWhy": explain.TraitWhy,
    "RunList": queries.RunsView,
    "EventList": queries.EventsView,
    "Event": views.EventView,
    "AlertList": alert_views.AlertList,
    "Alert": alert_views.AlertView,
    "Telling": alert_views.TellingView,
    "AlertWhy": alert_views.AlertWhy,
    "ChannelWhy": alert_views.ChannelWhy,
    "AlertTest": alert_views.AlertTest,
    "ChannelTest": alert_views.ChannelTest,
    "Silence": alert_views.SilenceView,
    "SilenceList": alert_views.SilenceList,
    "Member": watch_views.MemberView,
    "ExpectationList": watch_views.ExpectationList,
    "Expectation": watch_views.ExpectationView,
    "Scan": watchdog.Scan,
    "ScanCheck": watchdog.ScanCheck,
    "Archive": archive.ArchiveView,
    "Gap": archive.GapView,
    "NewKey": keys.NewKeyView,
    "KeyList": keys.KeyList,
    "Key": keys.KeyView,
    "PipelineList": pipelines.PipelineList,
    "Pipeline": pipelines.PipelineView,
    "PushedResult": push_views.PushView,
    "SensorWritten": sensor_views.SensorWritten,
    "Sensor": sensor_views.SensorView,
    "SensorList": sensor_views.SensorList,
    "SchedulePreviewList": planning.SchedulePreviewList,
    "SchedulePreview": previews.SchedulePreview,
    "SlotPreview": previews.SlotPreview,
    "Moment": previews.MomentView,
    "ClockChange": previews.ClockChange,
    "Calendar": registering.CalendarView,
    "Pause": control_views.PauseView,
    "PauseList": control_views.PauseList,
    "Marker": control_views.MarkerView,
    "Backfill": rerun_views.BackfillView,
    "BackfillSlot": rerun_views.BackfillSlotView,
    "ShadowReport": shadow_report.ShadowReport,
    "ShadowSlot": shadow_report.ShadowSlot,
    "StoreCheck": store.StoreCheck,
    "StoreFault": store.StoreFault,
    "Bundle": compiling.BundleView,
    "DeploySync": deploy.DeploySync,
    "DeployDifference": deploy.DeployDifference,
    "DeployTrouble": deploy.DeployTrouble,
    "Deployment": deploy.Deployment,
    "Doctor": doctor.Doctor,
    "Check": doctor.CheckView,
}
FIELDS = {name: [field.encode_name for field in msgspec.structs.fields(shape)] for name, shape in STRUCTS.items()}
FIELDS["Validation"] = ["ok", "problems"]
FIELDS["Problem"] = list(Problem._fields)


def _section(heading: str) -> str:
    match = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match is not None, f"the page has no heading {heading}"
    return match[1]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_a_document_has_its_line(name: str) -> None:
    assert re.findall(r"^\| `(\w+)` \|", _section(name), re.MULTILINE) == FIELDS[name]


def test_no_document_is_described_that_does_not_exist() -> None:
    assert set(re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)) == set(FIELDS)


def test_every_kind_that_a_command_prints_is_described() -> None:
    sources = (ROOT / "src/interlock/cli").glob("*.py")
    printed = {kind for source in sources for kind in re.findall(r'emit_json\("(\w+)"', source.read_text())}
    assert printed <= set(FIELDS)
    assert printed >= {"Readiness", "Run", "Status", "StatusList", "Why", "RunList", "EventList", "Doctor"}
