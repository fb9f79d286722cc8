"""What the environment says, read once and checked; each function has only the variables that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from crdtshadow import InvalidPolicy, Policy
from crdtshadow.document import NESTING_MAX, SHADOW_BYTES_MAX, Limits
from crdtshadow.limits import DRIFT_MS_MAX
from crdtshadow.policy import FIELD_LEVEL_MERGE
from crdtshadow_aws.errors import SettingsError

HISTORY_TTL_DAYS: Final = 0
METRICS_TTL_DAYS: Final = 30


class Settings(NamedTuple):
    """Where things are, and how it shall be done.

    Attributes:
        region: Whose row of a shadow this region writes.
        state_table, history_table, configuration_table, metrics_table: Names of tables.
        refusals_queue_url, event_bus_name: Where refused messages and events go.
        iot_endpoint: The host of the data endpoint; ``""`` for boto3's choice.
        default_policy: Of things without a valid configuration of their own.
        drift_ms_max: How far ahead of the clock here a stamp may be.
        history_ttl_days: How long history is kept; 0 for ever.
        metrics_ttl_days: How long sync metrics are kept.
        limits: The account's quotas for shadow documents.
    """

    region: str
    state_table: str
    history_table: str
    configuration_table: str
    metrics_table: str
    refusals_queue_url: str
    event_bus_name: str
    iot_endpoint: str
    default_policy: Policy
    drift_ms_max: int
    history_ttl_days: int
    metrics_ttl_days: int
    limits: Limits


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return what *environ* says.

    Raises:
        SettingsError: A variable says nothing usable; the message names it.

    >>> read_settings({"AWS_REGION": "eu-west-1", "AUTO_RESOLVE_THRESHOLD": "3"}).default_policy
    Policy.from_json({'strategy': 'field_level_merge', 'auto_resolve_threshold': 3})
    """
    return Settings(
        environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "",
        environ.get("STATE_TABLE", ""),
        environ.get("HISTORY_TABLE", ""),
        environ.get("CONFIGURATION_TABLE", ""),
        environ.get("METRICS_TABLE", ""),
        environ.get("REFUSALS_QUEUE_URL", ""),
        environ.get("EVENT_BUS_NAME", ""),
        environ.get("IOT_ENDPOINT", ""),
        _policy(environ),
        _number(environ, "DRIFT_BOUND_MS", DRIFT_MS_MAX, least=0),
        _number(environ, "HISTORY_TTL_DAYS", HISTORY_TTL_DAYS, least=0),
        _number(environ, "METRICS_TTL_DAYS", METRICS_TTL_DAYS, least=1),
        Limits(
            shadow_bytes_max=_number(environ, "SHADOW_BYTES_MAX", SHADOW_BYTES_MAX, least=1),
            nesting_max=_number(environ, "SHADOW_NESTING_MAX", NESTING_MAX, least=1),
        ),
    )


def needed(value: str, name: str) -> str:
    """Return *value*, which the variable *name* must have given.

    Raises:
        SettingsError: It is empty.
    """
    if not value:
        raise SettingsError(f"{name}: is not set")
    return value


def _policy(environ: Mapping[str, str]) -> Policy:
    data: dict[str, object] = {"strategy": environ.get("DEFAULT_CONFLICT_STRATEGY") or FIELD_LEVEL_MERGE}
    if environ.get("AUTO_RESOLVE_THRESHOLD"):
        data["auto_resolve_threshold"] = _number(environ, "AUTO_RESOLVE_THRESHOLD", 1, least=1)
    try:
        return Policy.from_json(data)
    except InvalidPolicy as error:
        raise SettingsError(f"DEFAULT_CONFLICT_STRATEGY: {error}") from None


def _number(environ: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise SettingsError(f"{name}: {text!r}, needs an integer from {least}")
    return int(text)
