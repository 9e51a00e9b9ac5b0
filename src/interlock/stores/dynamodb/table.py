"""The table of a DynamoDB store: making it, knowing whose it is, and what of it could be set up better."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event
from time import monotonic
from typing import Any, Final, NamedTuple

from interlock.clients.aws_outcomes import code_of, is_denied
from interlock.errors import StoreEmpty, StoreError, StoreTooNew, StoreUnavailable
from interlock.stores.dynamodb import names
from interlock.stores.dynamodb.calls import Calls, Refused
from interlock.stores.dynamodb.errors import translated
from interlock.stores.dynamodb.items import TTL
from interlock.stores.dynamodb.outcomes import FAILED_CONDITION, NOT_FOUND

LAYOUT: Final = 1
SHARDS: Final = 4
LAYOUT_KEY: Final = {"PK": {"S": "#INTERLOCK"}, "SK": {"S": "LAYOUT"}}  # no partition of ours is written so
STREAM_VIEW: Final = "NEW_AND_OLD_IMAGES"

_PATIENCE: Final = 180.0  # seconds until a new table is there; ten to thirty are usual
_PROTECTION_PATIENCE: Final = 60.0  # seconds; the backups of a new table cannot be switched on at once
_BEAT: Final = 0.05
_SLOWEST: Final = 2.0
_KEYS: Final = {
    "": ("PK", "SK"),
    **{name: (f"{name}PK", f"{name}SK") for name in (names.LISTING, names.DUE, names.EXPIRY)},
}
_MAYBE_LATER: Final = frozenset(
    {"ContinuousBackupsUnavailableException", "ResourceInUseException", "LimitExceededException", NOT_FOUND}
)


class Layout(NamedTuple):
    """What of the table's form is not the same in all tables."""

    version: int
    shards: int


class Table:
    """A table by its name. Holds nothing but where it is."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._name = name

    def prepare(self, *, create: bool, read_only: bool) -> Layout:
        """Make the table ready to use, or find that it is, which takes two calls.

        Raises:
            StoreEmpty: there is nothing to read yet.
            StoreTooNew: a later Interlock wrote it; it was not changed.
            StoreUnavailable: trying again can help.
            StoreError: it is missing, of another shape, or not to be used by this role.
        """
        found = self._described()
        if found is None:
            self._refuse_missing(create=create, read_only=read_only)
            self._create()
        if found is None or (found and found.get("TableStatus") == "CREATING"):
            found = self._awaited()
        if found:
            self._refuse_other_shape(found, ("",))
        layout = self.layout()
        if layout is not None and layout.version > LAYOUT:
            raise StoreTooNew(
                f"cannot use {self._calls.address}: a later Interlock wrote it (layout {layout.version}; this one knows "
                f"{LAYOUT}). It was not changed. Upgrade Interlock, or use another table"
            )
        if found:
            self._refuse_other_shape(found, tuple(_KEYS))
        if layout is not None:
            return layout
        if read_only:
            raise StoreEmpty(f"cannot read {self._calls.address}: nothing was ever written into it by Interlock")
        if create:
            self._protect()
        return self._claim()

    def layout(self) -> Layout | None:
        """Read what form the table has; None when no Interlock has opened it for writing yet."""
        item = self._calls.read("get_item", TableName=self._name, Key=LAYOUT_KEY, ConsistentRead=True).get("Item")
        if item is None:
            return None
        try:
            return Layout(int(item["layout"]["N"]), int(item["shards"]["N"]))
        except (KeyError, ValueError) as exc:
            raise StoreError(
                f"cannot use {self._calls.address}: its item PK={LAYOUT_KEY['PK']['S']} says nothing that can be understood "
                f"({exc!r}). Restore it from a backup of the table"
            ) from exc

    def touch(self, layout: Layout) -> None:
        """Write what is there already: it shows that the table can be written, and leaves no trace, in no stream either.

        Raises:
            StoreError: it cannot be.
        """
        item = _layout_item(layout)
        try:
            self._calls.write(
                "put_item",
                TableName=self._name,
                Item=item,
                ConditionExpression="#layout = :layout AND #shards = :shards",
                ExpressionAttributeNames={"#layout": "layout", "#shards": "shards"},
                ExpressionAttributeValues={":layout": item["layout"], ":shards": item["shards"]},
            )
        except Refused as exc:
            if code_of(exc.why) != FAILED_CONDITION:
                raise translated(exc.why, self._calls.address, "write") from exc.why
            raise StoreUnavailable(
                f"cannot use {self._calls.address}: it was made anew or changed its layout since it was opened. Start this "
                "process again"
            ) from exc

    # ------------------------------------------------------------ making it

    def _described(self) -> Mapping[str, Any] | None:
        """Return what AWS says of the table: None when it is missing, nothing when this role may not ask."""
        try:
            described: Mapping[str, Any] = self._calls.once("describe_table", TableName=self._name)["Table"]
        except Refused as exc:
            if code_of(exc.why) == NOT_FOUND:
                return None
            if is_denied(exc.why):
                return {}
            raise translated(exc.why, self._calls.address, "open") from exc.why
        return described

    def _refuse_missing(self, *, create: bool, read_only: bool) -> None:
        if read_only and create:
            raise StoreEmpty(f"cannot read {self._calls.address}: there is no such table yet")
        if read_only or not create:
            raise StoreError(
                f"cannot open {self._calls.address}: there is no such table. Correct dynamodb.tableName and "
                "dynamodb.region, make the table as the documentation of this store shows, or let Interlock make it "
                "(dynamodb.createTable: true)"
            )

    def _create(self) -> None:
        attributes = [name for keys in _KEYS.values() for name in keys]
        try:
            self._calls.once(
                "create_table",
                TableName=self._name,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in attributes],
                KeySchema=_key_schema(""),
                GlobalSecondaryIndexes=[
                    {"IndexName": index, "KeySchema": _key_schema(index), "Projection": {"ProjectionType": "KEYS_ONLY"}}
                    for index in _KEYS
                    if index
                ],
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification={"StreamEnabled": True, "StreamViewType": STREAM_VIEW},
                DeletionProtectionEnabled=True,
            )
        except Refused as exc:
            if code_of(exc.why) != "ResourceInUseException":  # otherwise somebody was faster, and we wait together
                raise translated(exc.why, self._calls.address, "create") from exc.why

    def _awaited(self) -> Mapping[str, Any]:
        deadline, pause = monotonic() + _PATIENCE, _BEAT
        while True:
            found = self._described()
            if found == {} or (found and _is_ready(found)):
                return found
            if monotonic() > deadline:
                raise StoreUnavailable(
                    f"cannot open {self._calls.address}: it is still being made after {_PATIENCE:.0f} seconds. Try again"
                )
            Event().wait(pause)
            pause = min(2 * pause, _SLOWEST)

    def _protect(self) -> None:
        """Let AWS remove what has expired, and keep backups. What of it this role may not do, `advice` tells."""
        self._try(
            "update_time_to_live",
            TableName=self._name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL},
        )
        self._try(
            "update_continuous_backups",
            TableName=self._name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )

    def _try(self, operation: str, **request: Any) -> None:
        deadline, pause = monotonic() + _PROTECTION_PATIENCE, _BEAT
        while True:
            try:
                self._calls.once(operation, **request)
            except Refused as exc:
                if code_of(exc.why) not in _MAYBE_LATER or monotonic() > deadline:
                    return
            else:
                return
            Event().wait(pause)
            pause = min(2 * pause, _SLOWEST)

    def _claim(self) -> Layout:
        mine = Layout(LAYOUT, SHARDS)
        try:
            self._calls.write(
                "put_item",
                TableName=self._name,
                Item=_layout_item(mine),
                ConditionExpression="attribute_not_exists(PK)",
            )
        except Refused as exc:
            if code_of(exc.why) != FAILED_CONDITION:
                raise translated(exc.why, self._calls.address, "open") from exc.why
            return self.prepare(create=False, read_only=False)  # somebody was faster
        return mine

    def _refuse_other_shape(self, found: Mapping[str, Any], parts: tuple[str, ...]) -> None:
        indexes = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes", ())}
        types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
        for index in parts:
            keys = _KEYS[index]
            what = f"its index {index}" if index else "its primary key"
            described = indexes.get(index) if index else found
            if described is None:
                raise self._other_shape(f"it has no index {index} ({keys[0]}, {keys[1]}: both text)")
            if described["KeySchema"] != _key_schema(index) or [types.get(key) for key in keys] != ["S", "S"]:
                raise self._other_shape(f"{what} is not {keys[0]} and {keys[1]}, both text")
            if index and described.get("IndexStatus", "ACTIVE") == "CREATING":
                raise StoreUnavailable(
                    f"cannot open {self._calls.address}: {what} is being made. Try again when it is there"
                )

    def _other_shape(self, how: str) -> StoreError:
        return StoreError(
            f"cannot use {self._calls.address}: {how}. It was not changed. Correct dynamodb.tableName, or the table as the "
            "documentation of this store shows"
        )

    # ------------------------------------------------------------ what could be better

    def advice(self) -> tuple[str, ...]:
        """Return what of the table should be set up otherwise: what it means, and what to do."""
        found = self._asked("describe_table", "Table")
        ttl = self._asked("describe_time_to_live", "TimeToLiveDescription")
        backups = self._asked("describe_continuous_backups", "ContinuousBackupsDescription")
        advice = [*self._about_table(found)] if found else [self._unseen("the table", "DescribeTable")]
        if ttl is None:
            advice.append(self._unseen("time to live", "DescribeTimeToLive"))
        elif ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING") or ttl.get("AttributeName") != TTL:
            advice.append(
                f"{self._calls.address} does not remove expired rows by itself: purging them costs writes, and "
                f"where nothing purges they stay. Enable time to live on the attribute {TTL!r}"
            )
        if backups is None:
            advice.append(self._unseen("point-in-time recovery", "DescribeContinuousBackups"))
        elif backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") != "ENABLED":
            advice.append(
                f"{self._calls.address} has no point-in-time recovery: what is deleted or damaged by mistake is gone. "
                "Enable it"
            )
        return tuple(advice)

    def _about_table(self, found: Mapping[str, Any]) -> list[str]:
        advice = []
        view = found.get("StreamSpecification", {}).get("StreamViewType")
        if view != STREAM_VIEW:
            state = f"shows {view} alone" if view else "is off"
            advice.append(
                f"the stream of {self._calls.address} {state}: functions on AWS would not hear of markers and runs, or not "
                f"of what changed. Set it to {STREAM_VIEW}; without such functions it does not matter"
            )
        if not found.get("DeletionProtectionEnabled"):
            advice.append(
                f"{self._calls.address} can be deleted by one call, and Interlock would forget what has run. Enable "
                "deletion protection"
            )
        return advice

    def _asked(self, operation: str, part: str) -> Mapping[str, Any] | None:
        try:
            answer: Mapping[str, Any] = self._calls.once(operation, TableName=self._name)[part]
        except Refused as exc:
            if is_denied(exc.why):
                return None
            raise translated(exc.why, self._calls.address, "read") from exc.why
        return answer

    def _unseen(self, what: str, permission: str) -> str:
        return (
            f"{what} of {self._calls.address} could not be checked: this role may not (dynamodb:{permission}), or the "
            "server does not know of it"
        )


def _key_schema(index: str) -> list[dict[str, str]]:
    hash_key, range_key = _KEYS[index]
    return [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]


def _is_ready(found: Mapping[str, Any]) -> bool:
    states = [
        found.get("TableStatus"),
        *(index.get("IndexStatus") for index in found.get("GlobalSecondaryIndexes", ())),
    ]
    return all(state in ("ACTIVE", None) for state in states)


def _layout_item(layout: Layout) -> dict[str, Any]:
    return {**LAYOUT_KEY, "layout": {"N": str(layout.version)}, "shards": {"N": str(layout.shards)}}
