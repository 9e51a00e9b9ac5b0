"""Pipelines, and what they are made of: what the files define, and what is registered beside them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from msgspec import Meta, field

from interlock.api.contract import Cursor, Endpoint, Limit, PipelineId, Request, Role
from interlock.app.views import View
from interlock.core.documents import EMPTY, Document

PAGE: Final = 100
LARGEST_PAGE: Final = 500
MOST_DAYS: Final = 1000

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]


EXAMPLE: Final = {
    "name": "orders",
    "archetype": "batch-ingestion",
    "tier": 2,
    "traits": {
        "source-freshness": {"evaluator": "check-source-freshness"},
        "upstream-dependency": {"evaluator": "push", "ttl": "30m"},
        "resource-availability": {"evaluator": "builtin:disk-space", "config": {"minFreePercent": 10}},
    },
    "trigger": {"type": "http", "url": "https://jobs.example.com/orders?day={{date}}"},
    "schedules": [{"name": "morning", "after": "06:00", "deadline": "09:00", "timezone": "Europe/Berlin"}],
}


def _nothing() -> Document:
    return EMPTY  # made by a function: as a plain default it would have to stand in the OpenAPI document


class PipelineConfig(View, frozen=True, kw_only=True, rename="camel"):
    """One pipeline as it counts: the keys of a pipeline file, every default put in. Secrets are blotted out.

    `source` is the file that defines it, or `api`; then `registered_by` and `registered_at` say who registered it in its
    present form. `problems` says why it cannot be used; what it says is then unknown. `shadowed`: a registration of this
    name is kept as well, and does not count while there is the file.
    """

    name: str
    archetype: str | None = None
    tier: int | None = None
    owner: str = ""
    mode: str = ""
    traits: dict[str, Document] = field(default_factory=dict)
    rules: tuple[Document, ...] = ()
    trigger: Document | None = None
    retry: Document = field(default_factory=_nothing)
    schedules: tuple[Document, ...] = ()
    sla: Document = field(default_factory=_nothing)
    watch: Document = field(default_factory=_nothing)
    exclusions: Document = field(default_factory=_nothing)
    include: Document | None = None
    cascade: Document = field(default_factory=_nothing)
    reruns: Document = field(default_factory=_nothing)
    late_data: Document = field(default_factory=_nothing)
    watchdog: Document = field(default_factory=_nothing)
    source: str
    registered_by: str | None = None
    registered_at: datetime | None = None
    shadowed: bool = False
    problems: tuple[str, ...] = ()


class PipelineConfigs(View, frozen=True, kw_only=True, rename="camel"):
    """Pipelines by name. `next` is what `cursor` takes to go on; null when there are no more."""

    items: tuple[PipelineConfig, ...]
    next: str | None = None


class ArchetypeView(View, frozen=True, kw_only=True, rename="camel"):
    """One archetype in the keys of its file. Secrets are blotted out."""

    name: str
    required_traits: tuple[Document, ...]
    optional_traits: tuple[Document, ...]
    readiness_rule: Document


class ArchetypeViews(View, frozen=True, kw_only=True, rename="camel"):
    """Every archetype that can be used, by name."""

    items: tuple[ArchetypeView, ...]


class CalendarView(View, frozen=True, kw_only=True, rename="camel"):
    """The next days of a calendar."""

    name: str
    days: tuple[date, ...]


class CalendarName(View, frozen=True, kw_only=True, rename="camel"):
    """One calendar, with its next day; null when none comes within ten years."""

    name: str
    next_day: date | None


class CalendarNames(View, frozen=True, kw_only=True, rename="camel"):
    """Every calendar that can be used, by name."""

    items: tuple[CalendarName, ...]


class Pipelines(Request[PipelineConfigs], frozen=True, kw_only=True):
    """List the pipelines, by name."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines", Role.READ, bare=True)

    limit: Limit = PAGE
    cursor: Cursor | None = None


class Pipeline(Request[PipelineConfig], frozen=True, kw_only=True):
    """Show one pipeline as it counts."""

    endpoint: ClassVar = Endpoint("GET", "/api/pipelines/{pipelineId}", Role.READ)

    pipeline_id: PipelineId


class RegisterPipeline(Request[PipelineConfig], frozen=True, kw_only=True):
    """Register a pipeline, or change one that is registered. The body is what a pipeline file would hold, as JSON.

    The same document again changes nothing. No trigger that runs code here is allowed, and evaluators only by the name of a
    program in `evaluatorDirs`, `push`, addresses, and the checks that read nothing of this machine.
    """

    endpoint: ClassVar = Endpoint(
        "POST", "/api/pipelines", Role.ADMIN, success=201, repeatable=True, document="document"
    )

    document: Annotated[
        dict[str, Any],
        Meta(
            description="A pipeline in the keys of its file.",
            examples=[EXAMPLE],
            extra_json_schema={
                "required": ["name", "archetype"],
                "properties": {"name": {"type": "string"}, "archetype": {"type": "string"}},
            },
        ),
    ]


class RemovePipeline(Request[None], frozen=True, kw_only=True):
    """Remove a registration: no new slot opens, the history stays. What was never registered is removed already."""

    endpoint: ClassVar = Endpoint("DELETE", "/api/pipelines/{pipelineId}", Role.ADMIN, success=204, repeatable=True)

    pipeline_id: PipelineId


class Archetypes(Request[ArchetypeViews], frozen=True, kw_only=True):
    """List the archetypes, by name."""

    endpoint: ClassVar = Endpoint("GET", "/api/archetypes", Role.READ, bare=True)


class Archetype(Request[ArchetypeView], frozen=True, kw_only=True):
    """Show one archetype."""

    endpoint: ClassVar = Endpoint("GET", "/api/archetypes/{archetypeName}", Role.READ)

    archetype_name: Name


class Calendars(Request[CalendarNames], frozen=True, kw_only=True):
    """List the calendars, by name."""

    endpoint: ClassVar = Endpoint("GET", "/api/calendars", Role.READ, bare=True)


class CalendarDays(Request[CalendarView], frozen=True, kw_only=True):
    """Show the next days of a calendar, with everything that it is made of."""

    endpoint: ClassVar = Endpoint("GET", "/api/calendars/{calendarName}", Role.READ)

    calendar_name: Name
    count: Annotated[int, Meta(ge=1, le=MOST_DAYS, description="How many days.")] = 30
    since: Annotated[date | None, Meta(description="From this day on, such as 2026-12-24; today by default.")] = field(
        default=None, name="from"
    )
