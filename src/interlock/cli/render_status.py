"""The status of pipelines, for people."""

from __future__ import annotations

from datetime import datetime

from interlock.app.slot_views import StatusView, WindowView
from interlock.app.views import ReadinessView, RunView, TraitView, VerifyingView
from interlock.app.watch_views import MemberView
from interlock.cli.output import faint, moment, plain, span, strong, styled, table
from interlock.core.pipelines import Mode

_SHADOW = "in shadow mode: nothing of it is done"
_HEADERS = ("PIPELINE", "READINESS", "SLOT", "RUN", "ATTEMPT", "ARCHETYPE", "TIER", "")


def listing(views: tuple[StatusView, ...], at: datetime) -> str:
    """Lay out one line a pipeline."""
    return table(_HEADERS, (_row(view, at) for view in views))


def _row(view: StatusView, at: datetime) -> tuple[str, ...]:
    slot = chief_slot(view, at)
    return (
        view.pipeline_id,
        styled(view.readiness),
        f"{slot.schedule_id} {slot.date}" if slot else "-",
        styled(slot.run_status or "-") if slot else "-",
        str(slot.attempt or "-") if slot else "-",
        view.archetype or "-",
        str(view.tier or "-"),
        "; ".join(_notes(view, slot, at)),
    )


def at_work(members: tuple[MemberView, ...], at: datetime) -> list[str]:
    """Lay out one line a watcher or watchdog. What is not alive any more was there last."""
    return [
        f"{member.role}  {styled('ok' if member.alive else 'fail')}  {_progress(member, at)}  {faint(plain(member.name))}"
        for member in members
    ]


def _progress(member: MemberView, at: datetime) -> str:
    if member.progress_at is None:
        done = "no turn finished yet"
    else:
        what = "scan" if member.role == "watchdog" else "turn"
        done = f"last {what} {span(max(at - member.progress_at, at - at))} ago"
    words = [done if member.alive else f"gone, {done}"]
    return ", ".join([*words, plain(member.note)] if member.note else words)


def chief_slot(view: StatusView, at: datetime) -> WindowView | None:
    """Return the slot that opened last: the one that `interlock run` takes. Before any has opened, the next to."""
    opened = [slot for slot in view.slots if slot.opens_at <= at]
    if opened:
        return max(opened, key=lambda slot: slot.opens_at)
    return min(view.slots, key=lambda slot: slot.opens_at, default=None)


def _notes(view: StatusView, chief: WindowView | None, at: datetime) -> list[str]:
    notes = [plain(problem) for problem in view.problems[:1]]
    if view.mode == Mode.SHADOW:
        notes.append(_SHADOW)
    for slot in view.slots:
        where = "" if slot is chief else f"{slot.schedule_id} {slot.date}: "
        notes += [f"{where}{said}" for said in (slot.excluded, slot.overdue) if said]
        if slot is not chief and slot.run_status and slot.opens_at <= at and slot.run_status != "COMPLETED":
            notes.append(f"{where}{slot.run_status}")
    if chief is not None and chief.opens_at > at:
        notes.append(f"opens {moment(chief.opens_at)}")
    notes += [f"in doubt: {plain(run.doubt)}" for run in view.runs if run.doubt and not run.completed_at]
    decision = view.decision
    if (
        decision is not None
        and chief is not None
        and (decision.schedule_id, decision.date) != (chief.schedule_id, chief.date)
    ):
        notes.append(f"judged for {decision.schedule_id} {decision.date}")
    if decision is not None and decision.blocking:
        notes.append(f"blocked by {', '.join(decision.blocking)}")
    return notes


def sheet(view: StatusView, at: datetime) -> str:
    """Lay out everything about one pipeline."""
    lines = [strong(view.pipeline_id)]
    if view.archetype:
        tier = f"  tier {view.tier}" if view.tier else ""
        lines.append(f"archetype {view.archetype}{tier}  trigger {view.trigger_type or 'none: it is only evaluated'}")
    if view.mode == Mode.SHADOW:
        lines.append(f"{_SHADOW}. What it would have done: interlock shadow report {view.pipeline_id}")
    lines += [f"problem: {plain(problem)}" for problem in view.problems]
    if view.slots:
        lines += ["", strong("slots"), *(line for slot in view.slots for line in _slot(slot))]
    lines += ["", f"{strong('readiness')}  {styled(view.readiness)}{_judged(view.decision, at)}"]
    if view.decision is not None:
        lines += traits(view.decision.traits)
    lines += ["", strong("runs"), *(_with_pages(view.runs) if view.runs else ["  none yet"])]
    return "\n".join(lines)


def _slot(slot: WindowView) -> list[str]:
    due = f", due {moment(slot.due_at)}" if slot.due_at else ""
    judged = ""
    if slot.evaluation_due_at and slot.evaluation_due_at != slot.due_at:
        judged = f", to be let through by {moment(slot.evaluation_due_at)}"
    run = styled(slot.run_status) if slot.run_status else "not run"
    lines = [f"  {slot.schedule_id} {slot.date}  {run}"]
    lines.append(f"    opens {moment(slot.opens_at)}{judged}{due}, over {moment(slot.ends_at)}")
    lines += [f"    {said}" for said in (slot.excluded, slot.overdue) if said]
    return lines


def _judged(decision: ReadinessView | None, at: datetime) -> str:
    if decision is None:
        return ""
    age = span(max(at - decision.evaluated_at, at - at))
    numbers = f"{decision.passed} passed, {decision.needed} needed, rule {decision.rule}"
    return faint(f"  {numbers}; judged {age} ago for {decision.schedule_id} {decision.date}")


def traits(shown: tuple[TraitView, ...]) -> list[str]:
    """Lay out traits, one a line."""
    width = max((len(trait.trait_type) for trait in shown), default=0)
    return [
        f"  {styled(trait.status)}{' ' * (5 - len(trait.status))} {trait.trait_type:<{width}}  {_said(trait)}".rstrip()
        for trait in shown
    ]


def _said(trait: TraitView) -> str:
    notes = [] if trait.required else ["optional"]
    notes += [trait.failure_category] if trait.failure_category else []
    return plain(trait.reason) + (faint(f" ({', '.join(notes)})") if notes else "")


def _with_pages(shown: tuple[RunView, ...]) -> list[str]:
    pages = ([f"    its job: {run.job_url}"] if run.job_url else [] for run in shown)
    return [said for line, page in zip(runs(shown), pages, strict=True) for said in (line, *page)]


def runs(shown: tuple[RunView, ...]) -> list[str]:
    """Lay out runs, one a line."""
    rows = [
        (
            run.run_id,
            styled(run.status),
            f"attempt {run.attempt}" if run.attempt else "",
            moment(run.created_at),
            f"took {span(run.completed_at - run.created_at)}" if run.completed_at else "",
            remark(run),
        )
        for run in shown
    ]
    laid = table(("",) * 6, rows).split("\n")[1:]
    return [f"  {line}" for line in laid]


def unsure_words(verifying: VerifyingView) -> str:
    """Say what stands against a job's work that is being checked; nothing when that is not known yet."""
    unsure = "; ".join(f"{one.trait_type}: {plain(one.reason) or one.status}" for one in verifying.unsure)
    return f", and cannot be told yet: {unsure}" if unsure else ""


def remark(run: RunView) -> str:
    """Return what else must be said of a run, in a few words."""
    if run.doubt:
        return f"in doubt: {plain(run.doubt)}"
    if run.verifying is not None:
        return f"its work is being checked{unsure_words(run.verifying)}"
    if run.failure_message or run.failure_category:
        return f"{run.failure_category or 'failed'}: {plain(run.failure_message)}".rstrip(": ")
    blocked = f"blocked by {', '.join(run.blocking)}" if run.blocking else ""
    if run.status == "PENDING" and blocked:
        return blocked
    if run.status == "CANCELLED":
        return f"nothing was started{', ' if blocked else ''}{blocked}"
    return f"forced by {plain(run.override)}" if run.override else ""
