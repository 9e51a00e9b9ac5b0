"""The function `ingress`: requests out of a queue, or from whoever may call the function itself.

A request is `{"request": "SendMarker", "pipelineId": "orders", …}`: one of the contract's that change something, by name,
with its fields. It may also be the `detail` of an event of EventBridge. Who may send, the queue's policy says.

A message is taken away once it is done, or refused for good and kept in the failure queue with the reason. Everything else
comes again, and ends where the queue's own redrive policy says. What coming twice means, `interlock.aws.messages` says.
A direct call returns the answer, or fails with what went wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

from interlock.api.contract import Request, Role, arrived, in_path
from interlock.api.gating import OpenGate
from interlock.api.judging import PushTrait
from interlock.api.problems import INTERNAL, kind_of
from interlock.app.markers import nudge
from interlock.aws.functions import named
from interlock.aws.machines import Failures
from interlock.aws.messages import Known, Message, MessageDesk, done_before, settled
from interlock.aws.office import office_of
from interlock.aws.requests import Context, at_the_counter, within
from interlock.clients.texts import cleaned
from interlock.core.ids import PipelineName
from interlock.errors import Busy, InterlockError, Invalid
from interlock.server.asked import Asked, learn
from interlock.server.audit import Audit
from interlock.server.bodies import parsed
from interlock.server.carrying import BODILESS, Clerk
from interlock.server.doorway import SAFE
from interlock.server.keys import Caller
from interlock.server.kinds import Kind, kinds

if TYPE_CHECKING:
    from interlock.runtime.wiring import Interlock

Event: TypeAlias = Mapping[str, Any]

DIRECTLY: Final = "directly"
"""Who asks by a call of the function: IAM let him in, and Lambda does not say who it was."""

_NO_REQUEST: Final = 'expected a JSON object such as {"request": "SendMarker", "pipelineId": "orders", …}'
_EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)
_MARGIN: Final = timedelta(seconds=5)
_LONGEST_NAME: Final = 255
_OFFICE: Final = office_of(named("ingress"))
_LOG: Final = logging.getLogger(__name__)


class Sender(Caller):
    """Whoever put a message into the queue."""

    __slots__ = ()

    @property
    def actor(self) -> str:
        """The name for the record."""
        return f"queue:{self.name}"


class Said(NamedTuple):
    """What a message says: the request, and of EventBridge's envelope its id and time."""

    request: Request[Any]
    id: str = ""
    at: datetime | None = None


def handler(event: Event, context: Context) -> Any:
    """Take what has come."""
    if not isinstance(event, Mapping):
        raise Invalid(_NO_REQUEST)
    office = _OFFICE()
    if "Records" in event:
        # Nobody hears the answers, so nothing waits for what becomes of a run.
        return Queue(at_the_counter(office.work, timedelta()), office.failures, context).take(event)
    return called(event, context, at_the_counter(office.work))


def called(event: Event, context: Context, work: Interlock) -> Any:
    """Carry out the request of a direct call, and return its answer.

    Raises:
        InterlockError: it was not done.
    """
    said = said_by(dict(event))
    now = work.clock.now()
    sender = Sender(DIRECTLY, frozenset(Role))
    message = Message(said.id or context.aws_request_id, sender.actor, min(now, said.at or now))
    request = said.request
    if isinstance(request, OpenGate):
        settle = msgspec.structs.replace(request, claim=request.claim or message.id)
        return _answer(carried(settle, message, sender, work, context))
    try:
        return _answer(carried(settled(request, message, work), message, sender, work, context))
    except Known as known:
        return {"known": True, "message": str(known)}


def _answer(body: bytes) -> Any:
    return msgspec.json.decode(body) if body else None


def carried(request: Request[Any], message: Message, sender: Sender, work: Interlock, context: Context) -> bytes:
    """Carry out a request as the server does, with its lines in the logs.

    Raises:
        InterlockError: it was not done.
    """
    kind = type(request)
    asked = Asked({b"x-request-id": message.id.encode(errors="replace")}, "")
    asked.caller = sender
    learn(asked, kind.__name__, {name: getattr(request, _field(kind, name)) for name in in_path(kind)})
    audit = Audit(work)
    clerk = Clerk(work, audit, lambda at_work, _actor: MessageDesk(at_work, message, kind))
    status = INTERNAL.status
    try:
        with within(context, _MARGIN):
            done = clerk.do(request, sender, asked)
            if isinstance(request, PushTrait):
                # It may have been on its way while its run asked: what counts for that is when it could be seen.
                nudge(PipelineName(request.pipeline_id), f"push: {request.trait_type}", work.clock.now(), work.hands)
        status = kind.endpoint.success
    except InterlockError as exc:
        status = kind_of(exc).status
        raise
    finally:
        audit.write_down(asked, status)
    return done.body


def _field(kind: Kind, encoded: str) -> str:
    return next(field.name for field in msgspec.structs.fields(kind) if field.encode_name == encoded)


# ---------------------------------------------------------------- the queue


class Queue:
    """Takes batches of messages."""

    def __init__(self, work: Interlock, failures: Failures, context: Context) -> None:
        self._work = work
        self._failures = failures
        self._context = context

    def take(self, event: Event) -> dict[str, list[dict[str, str]]]:
        """Take each message by itself, and return those that are to come again.

        Raises:
            Invalid: these are no messages of a queue.
        """
        again: list[str] = []
        stopped: set[str] = set()
        records = event["Records"]
        for record in records if isinstance(records, list) else [records]:
            if not isinstance(record, Mapping) or record.get("eventSource") != "aws:sqs" or "messageId" not in record:
                raise Invalid("only messages of SQS are taken in batches: send what should come here to the queue")
            # Of one group of a FIFO queue, nothing may overtake what comes again.
            group = str(_attributes(record).get("MessageGroupId", ""))
            if group in stopped or not self._is_over(record):
                again.append(str(record["messageId"]))
                stopped |= {group} if group else set()
        return {"batchItemFailures": [{"itemIdentifier": each} for each in again]}

    def _is_over(self, record: Event) -> bool:
        number = record["messageId"]
        try:
            self._taken(record)
        except InterlockError as exc:
            if kind_of(exc).status >= 500 or isinstance(exc, Busy):
                _LOG.warning("the message %s comes again: %s", number, exc)
                return False
            _LOG.warning("the message %s is refused for good: %s", number, exc)
            return self._is_kept(record, exc)
        except Exception:  # noqa: BLE001  (it is told to Lambda, and to the log; the others of the batch are no worse for it)
            _LOG.exception("an unforeseen fault while taking the message %s: it comes again", number)
            return False
        return True

    def _taken(self, record: Event) -> None:
        body = record.get("body")
        said = said_by(parsed(body.encode(errors="surrogatepass")) if isinstance(body, str) else None)
        sender = Sender(_sender(record), frozenset(Role))
        message = self._message(record, said, sender)
        request = said.request
        try:
            carried(settled(request, message, self._work), message, sender, self._work, self._context)
        except Known as known:
            _LOG.info("the message %s was done before: %s", message.id, known)
        except InterlockError as exc:
            if not done_before(request, exc, message, self._work):
                raise
            _LOG.info("the message %s has its effect already: %s", message.id, exc)

    def _message(self, record: Event, said: Said, sender: Sender) -> Message:
        attributes = _attributes(record)
        now = self._work.clock.now()
        return Message(
            id=said.id or str(record["messageId"]),
            actor=sender.actor,
            sent=min(now, _instant(attributes.get("SentTimestamp")) or now),
            again=str(attributes.get("ApproximateReceiveCount", "1")) != "1",
        )

    def _is_kept(self, record: Event, exc: InterlockError) -> bool:
        kept = {
            "message": record.get("body"),
            "messageId": record["messageId"],
            "receivedAt": self._work.clock.now().isoformat(),
            "attributes": dict(_attributes(record)),
        }
        try:
            self._failures.keep(f"{kind_of(exc).code}: {exc}", kept)
        except Exception:  # noqa: BLE001  (whatever it is, the message is still in its own queue)
            _LOG.exception("the message %s could not be kept in the failure queue: it comes again", record["messageId"])
            return False
        return True


def said_by(document: object) -> Said:
    """Read the request of a message, also out of EventBridge's envelope.

    Raises:
        Invalid: there is none that changes something.
    """
    if isinstance(document, dict) and "detail-type" in document and "detail" in document:
        return Said(_request(document["detail"]), _text(document.get("id")), _envelope_time(document.get("time")))
    return Said(_request(document))


def _request(document: object) -> Request[Any]:
    if not isinstance(document, dict):
        raise Invalid(_NO_REQUEST)
    fields = dict(document)
    kind = _kind(fields.pop("request", None))
    holds = {name: fields.pop(name) for name in in_path(kind) if name in fields}
    if kind.endpoint.method in BODILESS:
        return arrived(kind, holds, fields, None)
    if kind.endpoint.document:
        document = fields.pop(kind.endpoint.document, None)
        if fields:
            raise Invalid(f"{min(fields)[:100]!r} is no field of {kind.__name__}: it has {kind.endpoint.document}")
        return arrived(kind, holds, {}, document)
    return arrived(kind, holds, {}, fields)


def _kind(name: object) -> Kind:
    known = {kind.__name__: kind for kind in kinds()}
    acting = [each for each, kind in known.items() if kind.endpoint.method not in SAFE]
    if isinstance(name, str) and name in acting:
        return known[name]
    if isinstance(name, str) and name in known:
        raise Invalid(f"request: {name} only looks, and a queue has nobody to answer: ask the HTTP API")
    near = get_close_matches(name[:100], acting, n=1, cutoff=0.5) if isinstance(name, str) else []
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(acting)}"
    raise Invalid(f"request: {cleaned(str(name), 100)!r} is none ({hint})")


def _attributes(record: Event) -> Event:
    found = record.get("attributes")
    return found if isinstance(found, Mapping) else {}


def _sender(record: Event) -> str:
    queue = str(record.get("eventSourceARN", "")).rpartition(":")[2]
    return cleaned(str(_attributes(record).get("SenderId") or queue), _LONGEST_NAME) or "unknown"


def _instant(milliseconds: object) -> datetime | None:
    text = str(milliseconds)
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        return None
    return datetime.fromtimestamp(int(text) / 1000, tz=UTC)


def _envelope_time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(text))
        found = found.astimezone(UTC) if found.tzinfo else _EPOCH
    except (ValueError, OverflowError):
        return None
    return found if found > _EPOCH else None


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""
