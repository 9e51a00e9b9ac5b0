"""Starting a job: the permit is checked, the intent is written, and only then is anything called."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from interlock.app.hands import Hands, Silence, job_of
from interlock.app.opening import pause_words
from interlock.clients.links import without_page_secrets
from interlock.core.commands import StartJob
from interlock.core.events import Event, StartRefused, TriggerAccepted, TriggerFailed, TriggerInDoubt
from interlock.core.gate import PAUSED
from interlock.core.ids import RunKey, start_key
from interlock.core.pipelines import TriggerSpec
from interlock.core.runs import Permit, Run, RunStatus
from interlock.core.traits import FailureCategory
from interlock.errors import InterlockError, SecretError, StoreError, TriggerError
from interlock.ports.stores import Claim
from interlock.ports.triggers import Absent, Job, JobHandle, Trigger, place_of, starts_here

CALL_GRACE: Final = timedelta(seconds=10)
"""How much longer than its timeout a call that starts a job may take before it is surely over."""

ELSEWHERE: Final = (
    "an earlier start was cut short, and it went somewhere else than this process would: the environment or the project's "
    "settings, of which the target's address, region or account is made, are not what they were"
)
MAX_TURNS: Final = 5
"""How often a start that can safely be repeated is called for one attempt before people are told."""


def start_job(key: RunKey, command: StartJob, hands: Hands) -> Event | Silence:
    """Carry out one `StartJob`: start, or find what an earlier try started, or say that nobody can know.

    Called again for the same command after a crash anywhere in here, it never starts a second job: a claim on the attempt
    is written before the target system is called, and whoever finds one looks for the job first. LATER: somebody else may
    be in the middle of it.
    """
    run = hands.store.run(key)
    if run is None or not _still_wished(run, command):
        return Silence.SETTLED
    spec = hands.store.spec(run.spec_digest)
    if spec.trigger is None:
        return Silence.SETTLED
    attempt = command.permit.attempt
    job = job_of(key, attempt, start_key(key.run_id, attempt))
    try:
        trigger = hands.trigger_for(spec.trigger, job)
    except StoreError:
        raise
    except Exception as exc:  # noqa: BLE001  (whatever is wrong with it, nothing can be called without a trigger)
        return _unbuildable(job, exc, hands)
    start = _Start(command.permit, spec.trigger, trigger, job, hands, spec.clock_skew)
    earlier = hands.store.claim(key, attempt)
    if earlier is None:
        held = "" if _despite_pause(run) else pause_words(key.slot.pipeline, hands, hands.clock.now())
        if held:
            return _held_back(start, held)
        if not starts_here(trigger):
            return _left_alone(start)
    known = None if earlier is None else _after(earlier, start)
    return known or _claimed(start, turn=1 if earlier is None else earlier.turn + 1)


def _still_wished(run: Run, command: StartJob) -> bool:
    return run.status is RunStatus.TRIGGERING and run.permit == command.permit


def _despite_pause(run: Run) -> bool:
    return run.override is not None and PAUSED in run.override.constraints


class _Start(NamedTuple):
    """One start: under which permit, of what, with what."""

    permit: Permit
    spec: TriggerSpec
    trigger: Trigger
    job: Job
    hands: Hands
    skew: timedelta

    def now(self) -> datetime:
        return self.hands.clock.now()

    def lapsed(self) -> bool:
        # SC-4: a permit is void once any trait behind it has expired.
        return self.now() >= self.permit.valid_until

    def find(self) -> JobHandle | Absent:
        return self.trigger.find(self.job, timeout=self.spec.start_timeout)


def _unbuildable(job: Job, exc: Exception, hands: Hands) -> Event | Silence:
    reason = str(exc) if isinstance(exc, InterlockError) else f"{type(exc).__name__}: {exc}"
    later = isinstance(exc, SecretError) and exc.retryable
    category = FailureCategory.TRANSIENT if later else FailureCategory.PERMANENT
    # Another hand may be able to build what this one cannot, so nobody may start before the failure is told.
    now = hands.clock.now()
    claim = hands.store.claim(job.run, job.attempt)
    if claim is None:
        never = Claim(run=job.run, attempt=job.attempt, turn=1, at=now, until=now, refused=True)
        if not hands.store.put_claim(never):
            return Silence.LATER
    elif not claim.refused:
        if now < claim.until:
            return Silence.LATER
        reason = f"an earlier try may have started it, and the trigger cannot be made any more: {reason}"
        return TriggerInDoubt(at=now, attempt=job.attempt, reason=reason)
    reason = f"the trigger could not be made: {reason}"
    return TriggerFailed(at=now, attempt=job.attempt, category=category, reason=reason)


def _after(earlier: Claim, start: _Start) -> Event | Silence | None:
    """Say what follows from somebody's claim before this one. None: the start may be claimed anew, under the same key."""
    if earlier.refused:
        return _refused(start)
    elsewhere = bool(earlier.place) and earlier.place != place_of(start.trigger)
    if start.now() < earlier.until:
        # A target that knows keys gives whoever asks the same job, so a crash need not be waited out: one more may call.
        joins = start.trigger.repeatable and earlier.turn == 1 and not elsewhere and not start.lapsed()
        return _claimed(start, turn=2, joins=True) if joins else Silence.LATER
    if elsewhere:
        # Nothing of it is found here, and the same key would start a second job here.
        return TriggerInDoubt(at=start.now(), attempt=start.job.attempt, reason=ELSEWHERE)
    known = _looked_for(start, earlier)
    return _too_often(start) if known is None and earlier.turn >= MAX_TURNS else known


def _looked_for(start: _Start, earlier: Claim) -> Event | Silence | None:
    """Look for what an earlier claimant may have started. None: nothing was, and it may be started under the same key."""
    # A start under the same key is safe only where the target knows keys, and only while the permit holds: to refuse
    # what may have been started would let the next attempt start it twice.
    again = start.trigger.repeatable
    try:
        found = start.find()
    except Exception:  # noqa: BLE001  (a look that breaks says nothing; the next may)
        return _once_more(start, earlier) if again and not start.lapsed() else Silence.LATER
    if isinstance(found, JobHandle):
        return _accepted(start, found)
    cut = "an earlier start was cut short"
    if found is Absent.UNKNOWN:
        if again and not start.lapsed():
            return _once_more(start, earlier)
        return TriggerInDoubt(at=start.now(), attempt=start.job.attempt, reason=f"{cut}, and {found.value}")
    if again:
        return None
    reason = f"{cut}, and the target system has no such job"
    return TriggerFailed(at=start.now(), attempt=start.job.attempt, category=FailureCategory.TRANSIENT, reason=reason)


def _once_more(start: _Start, earlier: Claim) -> Event | Silence:
    """Ask for the same job again, not knowing whether it was started: that this call fails says nothing of the earlier."""
    if earlier.turn >= MAX_TURNS:
        return _too_often(start)
    return _claimed(start, turn=earlier.turn + 1, joins=True)


def _too_often(start: _Start) -> TriggerInDoubt:
    reason = f"{MAX_TURNS} starts in a row were cut short"
    return TriggerInDoubt(at=start.now(), attempt=start.job.attempt, reason=reason)


def _claimed(start: _Start, *, turn: int, joins: bool = False) -> Event | Silence:
    """Claim one turn and call. `joins`: another call for the same attempt may be under way, or may have started it."""
    now = start.now()
    claim = Claim(
        run=start.job.run,
        attempt=start.job.attempt,
        turn=turn,
        at=now,
        until=now + start.spec.start_timeout + CALL_GRACE + start.skew,
        # The refusal is written, so that nobody else starts.
        refused=now >= start.permit.valid_until,
        place=place_of(start.trigger),
    )
    if joins and claim.refused:
        # The permit ran out just now. Refusing would close the attempt under the hand that may be in the middle of it.
        return Silence.LATER
    if not start.hands.store.put_claim(claim):
        return Silence.LATER
    if claim.refused:
        return _refused(start)
    if start.now() >= claim.at + CALL_GRACE:
        # This hand was held up after its claim: a call made now might not be over when others take it to be.
        return Silence.LATER
    told = _refused(start) if start.lapsed() else _called(start)
    if isinstance(told, StartRefused | TriggerFailed) and (joins or not _closed(start, turn + 1)):
        # That nothing came of this call says nothing of another one. Only good news counts while one may be under way.
        return Silence.LATER
    return told


def _closed(start: _Start, turn: int) -> bool:
    """See to it that nobody else calls for this attempt; False when somebody has claimed it meanwhile."""
    now = start.now()
    never = Claim(run=start.job.run, attempt=start.job.attempt, turn=turn, at=now, until=now, refused=True)
    return start.hands.store.put_claim(never)


def _held_back(start: _Start, why: str) -> Event | Silence:
    # The refusal is written before it is told, so that no other hand starts under the same permit.
    if not _closed(start, turn=1):
        return Silence.LATER
    return StartRefused(at=start.now(), attempt=start.job.attempt, reason=why)


def _left_alone(start: _Start) -> Event | Silence:
    # Nobody else may start it. If whoever may has gone, the permit must not stand for ever.
    if not start.lapsed():
        return Silence.LATER
    return _refused(start) if _closed(start, turn=1) else Silence.LATER


def _refused(start: _Start) -> StartRefused:
    reason = f"its permit ran out at {start.permit.valid_until.isoformat()}"
    return StartRefused(at=start.now(), attempt=start.job.attempt, reason=reason)


def _called(start: _Start) -> Event | Silence:
    try:
        handle = start.trigger.start(start.job, timeout=start.spec.start_timeout)
    except TriggerError as exc:
        if exc.started is not False:
            return _cut_short(start, str(exc))
        category = FailureCategory.__members__.get(exc.category, FailureCategory.TRANSIENT)
        return TriggerFailed(at=start.now(), attempt=start.job.attempt, category=category, reason=str(exc))
    except Exception as exc:  # noqa: BLE001  (a trigger that breaks its promise: what it did, nobody can know)
        return _cut_short(start, f"{type(exc).__name__}: {exc}")
    return _accepted(start, handle) if handle.id else _cut_short(start, "the target system gave the job no id")


def _cut_short(start: _Start, reason: str) -> Event | Silence:
    """The call gave no answer. A job not seen at once may still come: only a look after the claim is over can tell."""
    try:
        found = start.find()
    except Exception:  # noqa: BLE001  (the look that counts comes when the claim is over)
        return Silence.LATER
    if isinstance(found, JobHandle):
        return _accepted(start, found)
    if found is Absent.CERTAINLY or start.trigger.repeatable:
        return Silence.LATER
    return TriggerInDoubt(at=start.now(), attempt=start.job.attempt, reason=f"{reason}; {found.value}")


def _accepted(start: _Start, handle: JobHandle) -> TriggerAccepted:
    details = without_page_secrets(handle.details)
    return TriggerAccepted(at=start.now(), attempt=start.job.attempt, job_id=handle.id, details=details)
