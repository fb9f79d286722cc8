"""The state table as the walk's store: one row per shadow and writing region, all of them joined on read.

Each region writes only its own row, under a condition on its revision. So global tables, where the
last writer of an item wins, lose nothing: no item has two writers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError
from crdtshadow_walk import Change, Record, RevisionConflict, ShadowKey, StateDamaged, new_epoch

from crdtshadow import CrdtShadowError, Policy, Shadow
from crdtshadow.errors import AdapterError
from crdtshadow_aws.clients import DynamoDB
from crdtshadow_aws.errors import AwsError, StateTooLarge, error_code, translated
from crdtshadow_aws.items import (
    ITEM_BYTES_MAX,
    PENDING,
    Item,
    RowKey,
    read_record,
    read_row_key,
    record_attributes,
    row_key,
    row_prefix,
    size_bytes,
)
from crdtshadow_aws.quarantine import Quarantine

REVIEW_INDEX: Final = "pending-conflicts"


class Policies(Protocol):
    """Where the policies of shadows come from."""

    def policy_of(self, key: ShadowKey) -> Policy | None:
        """Return the policy of a shadow, ``None`` for the default."""


class StateStore:
    """The state table; implements the walk's :class:`~crdtshadow_walk.ports.Store`.

    Args:
        client: Of DynamoDB.
        table: The state table's name.
        region: Whose rows are written here.
        policies: Of things.
        quarantine: Where refusals go.
        default_policy: Of shadows that have none of their own.
        epochs: Mints the epoch of a row when it is first written.
    """

    def __init__(
        self,
        client: DynamoDB,
        table: str,
        *,
        region: str,
        policies: Policies,
        quarantine: Quarantine,
        default_policy: Policy,
        epochs: Callable[[], int] = new_epoch,
    ) -> None:
        self._client = client
        self._table = table
        self._policies = policies
        self._quarantine = quarantine
        self._epochs = epochs
        self.region = region
        self.default_policy = default_policy

    def load(self, keys: Sequence[ShadowKey]) -> Mapping[ShadowKey, Record]:
        """Return a record for every one of *keys*, all regions joined; of revision 0 for one not held here.

        Raises:
            AwsError: DynamoDB failed.
            StateDamaged: A row cannot be read.
        """
        return {key: self._join(key, self.rows(key.thing, row_prefix(key))) for key in keys}

    def commit(self, changes: Sequence[Change]) -> Mapping[ShadowKey, AdapterError]:
        """Write each of *changes* that follows the revision held, its refusals first; return why others failed.

        Refusals go ahead, since a parked delta that is refused leaves the row with this write. If the
        write fails then, they come to the quarantine again: at least once is what a queue promises.
        """
        failed: dict[ShadowKey, AdapterError] = {}
        for change in changes:
            try:
                self._quarantine.add(change.refusals, at_ms=change.at_ms)
                if change.record is not None:
                    self._write(change, change.record)
            except (AwsError, RevisionConflict) as error:
                failed[change.key] = error
        return failed

    def rows(self, thing: str, prefix: str = "") -> list[dict[str, Any]]:
        """Return the rows of a thing whose range keys begin with *prefix*, as of now.

        Raises:
            AwsError: DynamoDB failed.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "thingName = :thing",
            "ExpressionAttributeValues": {":thing": {"S": thing}},
            "ConsistentRead": True,
        }
        if prefix:
            request["KeyConditionExpression"] += " AND begins_with(shadowRegion, :prefix)"
            request["ExpressionAttributeValues"][":prefix"] = {"S": prefix}
        return list(self._pages(request))

    def pending(self, *, limit: int) -> list[RowKey]:
        """Return at most *limit* rows of this region in which conflicts wait for a review.

        Raises:
            AwsError: DynamoDB failed.
        """
        request = {
            "TableName": self._table,
            "IndexName": REVIEW_INDEX,
            "KeyConditionExpression": "pendingReview = :pending",
            "ExpressionAttributeValues": {":pending": {"S": PENDING}},
        }
        found: list[RowKey] = []
        for item in self._pages(request):
            row = read_row_key(item)
            if row.region == self.region:
                found.append(row)
                if len(found) >= limit:
                    break
        return found

    def _pages(self, request: dict[str, Any]) -> Any:
        while True:
            with translated(f"reading table {self._table}"):
                page = self._client.query(**request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _join(self, key: ShadowKey, rows: Sequence[Mapping[str, Any]]) -> Record:
        """Return the row of this region with the states of all others joined into its own."""
        policy = self._policies.policy_of(key)
        mine = Record(self._epochs(), policy=policy)
        others = []
        for row in rows:
            record = read_record(row, policy=policy)
            if read_row_key(row).region == self.region:
                mine = record
            elif record.state:
                others.append(record.state)
        if not others:
            return mine
        try:
            whole = Shadow.decode(mine.state) if mine.state else Shadow()
            for state in others:
                whole.merge(Shadow.decode(state))
        except CrdtShadowError as error:
            raise StateDamaged(f"shadow {key}: the rows of its regions cannot be joined: {error}") from None
        return mine._replace(state=whole.encode())

    def _write(self, change: Change, record: Record) -> None:
        where = row_key(change.key, self.region)
        attributes = record_attributes(record, policy=record.policy or self.default_policy, at_ms=change.at_ms)
        size = size_bytes({**where, **attributes}) + len("pendingReview") + len(PENDING)
        if size > ITEM_BYTES_MAX:
            raise StateTooLarge(
                f"shadow {change.key}: its row would have {size:,} bytes, at most {ITEM_BYTES_MAX:,} fit"
            )
        update, removed = dict(attributes), []
        if change.conflicts:
            update["pendingReview"] = {"S": PENDING}
        elif change.conflicts is not None:
            removed = ["pendingReview"]
        try:
            with translated(f"writing shadow {change.key}"):
                self._client.update_item(**_conditional(self._table, where, update, removed, record.revision - 1))
        except AwsError as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError) or error_code(cause) != "ConditionalCheckFailedException":
                raise
            # A request whose answer was lost is sent again, and meets what it wrote itself.
            held = cause.response.get("Item", {})
            if not all(held.get(name) == value for name, value in update.items()):
                raise RevisionConflict(
                    f"shadow {change.key}: was written since revision {record.revision - 1} was read"
                ) from None


def _conditional(table: str, where: Item, update: Item, removed: Sequence[str], revision: int) -> dict[str, Any]:
    """Return the request that writes *update* into a row if that is at *revision*, 0 for none."""
    names = {f"#{at}": name for at, name in enumerate([*update, *removed])}
    places = list(names)
    expression = "SET " + ", ".join(f"{place} = :{place[1:]}" for place in places[: len(update)])
    if removed:
        expression += " REMOVE " + ", ".join(places[len(update) :])
    values = {f":{at}": value for at, value in enumerate(update.values())}
    names["#revision"] = "revision"
    if revision:
        condition = "#revision = :before"
        values[":before"] = {"N": str(revision)}
    else:
        condition = "attribute_not_exists(#revision)"
    return {
        "TableName": table,
        "Key": where,
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
