"""Where each thing lives: the names of partitions, rows and listings.

A slot is a partition, so everything about its runs changes atomically. Names cannot hold `/` or `#`, so no two things share
a name; free text goes through `escaped` first. Numbers are padded, so that text order is number order.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from interlock.core.ids import CommandId, RunKey, Slot

SPEC_SK: Final = "SPEC"
RUN_PREFIX: Final = "RUN#"
ACTIVE_PREFIX: Final = "ACTIVE#"
ACTIVE_KIND: Final = "active"
ENDED_PREFIX: Final = "ENDED#"
ENDED_KIND: Final = "ended"
JOURNAL_PREFIX: Final = "JOURNAL#"
OUTBOX_PREFIX: Final = "OUT#"
NOTE_PREFIX: Final = "NOTE#"
EVALUATION_PREFIX: Final = "EVALUATION#"
RETIRED_SK: Final = "RETIRED"
RETIRED_KIND: Final = "retired"
CLEARING_KIND: Final = "clearing"
CLAIM_PREFIX: Final = "CLAIM#"
ASKED_PREFIX: Final = "ASKED#"
PUSH_PREFIX: Final = "PUSH#"
MARK_PREFIX: Final = "ARCHIVE#"
ARCHIVE_PK: Final = "archive"
WHOLE_SK: Final = "WHOLE"
ARCHIVE_KIND: Final = "archive"
ARCHIVE_LEFT_KIND: Final = "archive/left"
AGAIN_PREFIX: Final = "AGAIN#"
AGENDA_PREFIX: Final = "AGENDA#"
AGENDAS_KIND: Final = "agendas"
PLANNED_SK: Final = "PLANNED"
PLANNED_KIND: Final = "planned"
EXPECTED_SK: Final = "EXPECTED"
EXPECTED_NOTE_PREFIX: Final = "EXPECTED#TOLD#"
OPEN_EXPECTATIONS_KIND: Final = "expectations/open"
PAUSE_SK: Final = "PAUSE"
PAUSES_KIND: Final = "pauses"
SILENCES_PK: Final = "silences"
SILENCE_PREFIX: Final = "SILENCE#"
MARKER_PREFIX: Final = "MARKER#"
SENSOR_PREFIX: Final = "SENSOR#"
STORE_PK: Final = "store"
STATE_SK: Final = "STATE"
FORMAT_SK: Final = "FORMAT"
NAME_PK: Final = "name"
NAME_SK: Final = "NAME"
REGISTERED_PK: Final = "registered"
REGISTERED_PREFIX: Final = "PIPELINE#"
GENERATION_SK: Final = "GENERATION"
DEPLOYMENT_PK: Final = "deployment"
HEAD_SK: Final = "HEAD"
ARCHETYPE_PREFIX: Final = "ARCHETYPE#"
DEPLOYED_SK: Final = "DEPLOYED"
DEPLOYED_POINTER_SK: Final = "LISTED#DEPLOYED"
DEPLOYED_KIND: Final = "deployed"
DOWNSTREAM_PREFIX: Final = "DOWNSTREAM#"
DOWNSTREAM_KIND: Final = "downstream"
THREAD_SK: Final = "THREAD"
DISPATCH_PREFIX: Final = "dispatch/"
DISPATCH_SK: Final = "DISPATCH"
ALERTS_KIND: Final = "alerts"
OPEN_ALERTS_KIND: Final = "alerts/open"

_SPECIAL: Final = re.compile(r"[^ -~]|[%#/|]")
_MAX_FREE: Final = 200
_MOMENT: Final = "%Y%m%dT%H%M%S.%fZ"
_FAR: Final = "99999999T999999.999999Z"


def escaped(text: str) -> str:
    """Write free text as part of a name: different texts give different names, none of them long.

    What has a meaning in our names or in cursors made of them, and what no store or HTTP header can keep, is written as `%`
    and its number in UTF-16; of a long text only the beginning stands for itself, and a digest for the whole. No escaped
    text holds `%~` otherwise.
    """
    name = _SPECIAL.sub(_numbered, text)
    if len(name) <= _MAX_FREE:
        return name
    from hashlib import sha256  # it loads OpenSSL, which reading commands can do without

    return f"{name[: _MAX_FREE // 2]}%~{sha256(name.encode()).hexdigest()}"


def _numbered(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"%{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"%{0xD800 + high:04x}%{0xDC00 + low:04x}"


def slot_pk(slot: Slot) -> str:
    """Return the partition of a slot."""
    return f"slot/{slot}"


def run_sk(number: int) -> str:
    """Return the row of a run in its slot."""
    return f"{RUN_PREFIX}{number:06d}"


def active_sk(number: int) -> str:
    """Return the row that lists a run among those that have not ended."""
    return f"{ACTIVE_PREFIX}{number:06d}"


def ended_sk(number: int) -> str:
    """Return the row that lists a run among those that have ended, by when they did."""
    return f"{ENDED_PREFIX}{number:06d}"


def mark_sk(sk: str, version: int) -> str:
    """Return the row that marks a version of a row as not archived yet."""
    return f"{MARK_PREFIX}{sk}#{version:08d}"


def again_sk(number: int, listing: str) -> str:
    """Return the row that puts a run into one of the listings of what was run again."""
    return f"{AGAIN_PREFIX}{number:06d}#{listing}"


def reruns_kind(pipeline: str | None) -> str:
    """Return the listing of the reruns of a pipeline, or of all."""
    return "reruns/all" if pipeline is None else f"reruns/of/{pipeline}"


def replays_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's replays."""
    return f"replays/of/{pipeline}"


def journal_prefix(key: RunKey) -> str:
    """Return the beginning of every journal row of a run."""
    return f"{JOURNAL_PREFIX}{key.number:06d}#"


def journal_sk(key: RunKey, version: int) -> str:
    """Return the row of one journal line."""
    return f"{journal_prefix(key)}{version:08d}"


def outbox_prefix(key: RunKey) -> str:
    """Return the beginning of every outbox row of a run."""
    return f"{OUTBOX_PREFIX}{key.number:06d}#"


def outbox_sk(key: RunKey, command: CommandId) -> str:
    """Return the row of one wish: command ids end in `/version/index`."""
    _, version, index = command.rsplit("/", 2)
    return f"{outbox_prefix(key)}{int(version):08d}#{int(index):04d}"


def claim_sk(key: RunKey, attempt: int) -> str:
    """Return the row of the claim on an attempt."""
    return f"{CLAIM_PREFIX}{key.number:06d}#{attempt:06d}"


def asked_sk(key: RunKey, attempt: int) -> str:
    """Return the row of whoever was told that an attempt was started for him."""
    return f"{ASKED_PREFIX}{key.number:06d}#{attempt:06d}"


def spec_pk(digest: str) -> str:
    """Return the partition of a spec."""
    return f"spec/{digest}"


def pipeline_pk(pipeline: str) -> str:
    """Return the partition of what belongs to a pipeline and to no run."""
    return f"pipeline/{pipeline}"


def evaluation_sk(slot: Slot) -> str:
    """Return the row of a slot's last evaluation."""
    return f"{EVALUATION_PREFIX}{slot.schedule}#{slot.period}"


def push_prefix(trait: str) -> str:
    """Return the beginning of every pushed result of a trait."""
    return f"{PUSH_PREFIX}{trait}#"


def push_sk(trait: str, schedule: str, period: str) -> str:
    """Return the row of a pushed result; `*` stands for every schedule or period."""
    return f"{push_prefix(trait)}{schedule or '*'}#{period or '*'}"


def sensor_sk(key: str, period: str) -> str:
    """Return the row of a sensor in its pipeline; `*` stands for every period."""
    return f"{SENSOR_PREFIX}{key}#{period or '*'}"


def registered_sk(pipeline: str) -> str:
    """Return the row of a registered pipeline."""
    return f"{REGISTERED_PREFIX}{pipeline}"


def archetype_sk(name: str) -> str:
    """Return the row of an archetype of the deployment."""
    return f"{ARCHETYPE_PREFIX}{name}"


def downstream_sk(pipeline: str) -> str:
    """Return the row, among those of a deployed pipeline, of one that waits for it."""
    return f"{DOWNSTREAM_PREFIX}{pipeline}"


def note_sk(at: datetime, name: str) -> str:
    """Return the row of a timeline line that belongs to no run."""
    return f"{NOTE_PREFIX}{moment(at)}#{name}"


def named_note_sk(name: str) -> str:
    """Return the row of a timeline line that is told once, under a name."""
    return f"{NOTE_PREFIX}{escaped(name)}"


def agenda_sk(schedule: str) -> str:
    """Return the row of a schedule's agenda in its pipeline."""
    return f"{AGENDA_PREFIX}{schedule}"


def expected_note_sk(version: int) -> str:
    """Return the row of the timeline line that a version of an expectation brought with it."""
    return f"{EXPECTED_NOTE_PREFIX}{version:08d}"


def expected_pointer_sk(kind: str) -> str:
    """Return the row that puts a slot's expectation into one of the histories."""
    return f"{EXPECTED_SK}#IN#{kind}"


def expectations_kind(pipeline: str | None) -> str:
    """Return the history of expectations of a pipeline, or of all."""
    return "expectations/all" if pipeline is None else f"expectations/of/{pipeline}"


def silence_sk(silence_id: str) -> str:
    """Return the row of a silence."""
    return f"{SILENCE_PREFIX}{escaped(silence_id)}"


def marker_sk(slot: Slot, at: datetime, source: str) -> str:
    """Return the row of a marker in its pipeline."""
    return f"{MARKER_PREFIX}{slot.schedule}#{slot.period}#{moment(at)}#{escaped(source)}"


def markers_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's markers."""
    return f"markers/{pipeline}"


def members_pk(role: str) -> str:
    """Return the partition of the members of a role."""
    return f"members/{escaped(role)}"


def member_sk(name: str) -> str:
    """Return the row of a member in its role."""
    return f"MEMBER#{escaped(name)}"


def thread_pk(key: str) -> str:
    """Return the partition of a thread of messages."""
    return f"thread/{escaped(key)}"


def dispatch_pk(dispatch_id: str) -> str:
    """Return the partition of something on its way to receivers."""
    return f"{DISPATCH_PREFIX}{dispatch_id}"


def dispatch_pointer_sk(kind: str, rank: str) -> str:
    """Return the row that puts a dispatch into a listing, at a place."""
    return f"IN#{rank}#{kind}"


def alerts_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's alerts."""
    return f"alerts/of/{pipeline}"


def folded_kind(alert_id: str) -> str:
    """Return the listing of what is folded into an alert."""
    return f"alerts/folded/{escaped(alert_id)}"


def waiting_kind(channel: str, group: str) -> str:
    """Return the listing of what is to be told through a channel to a group."""
    return f"alerts/waiting/{escaped(channel)}/{escaped(group)}"


def silenced_kind(silence_id: str) -> str:
    """Return the listing of what waits for the end of a silence."""
    return f"alerts/silenced/{escaped(silence_id)}"


def runs_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's runs."""
    return f"runs/{pipeline}"


def timeline_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's timeline."""
    return f"timeline/{pipeline}"


def evaluations_kind(pipeline: str) -> str:
    """Return the listing of a pipeline's evaluations."""
    return f"evaluations/{pipeline}"


def instant_of(moment: str) -> datetime:
    """Read back what `moment` wrote.

    Raises:
        ValueError: it is no such text.
    """
    return datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC)


def moment_or_never(at: datetime | None) -> str:
    """Write an instant, or a rank behind all of them."""
    return _FAR if at is None else moment(at)


def moment(at: datetime) -> str:
    """Write an instant so that text order is time order."""
    return at.astimezone(UTC).strftime(_MOMENT)
