"""The composition root: what the environment says, made into parts that know each other, once a process.

Each part is made when it is first used, so that a function needs only the variables of what it uses.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Final

from crdtshadow_walk import new_epoch, wall_clock_ms

from crdtshadow_aws.bus import Bus
from crdtshadow_aws.clients import Clients, DynamoDB
from crdtshadow_aws.configuration import Configuration
from crdtshadow_aws.history import History
from crdtshadow_aws.quarantine import Quarantine
from crdtshadow_aws.settings import Settings, needed, read_settings
from crdtshadow_aws.shadow_service import ShadowService
from crdtshadow_aws.store import StateStore
from crdtshadow_aws.sync_metrics import SyncMetrics
from crdtshadow_aws.telemetry import NAMESPACE, SERVICE, Telemetry

PAUSE_MS_MAX: Final = 400
_PAUSE_MS: Final = 10


def pause(attempt: int) -> None:
    """Wait before attempt number *attempt* + 1: a random time, longer on average with each attempt.

    Source: AWS Builders' Library, "Timeouts, retries, and backoff with jitter" (full jitter).
    """
    time.sleep(random.uniform(0, min(PAUSE_MS_MAX, _PAUSE_MS << attempt)) / 1000)


class Parts:
    """What a handler works with.

    Args:
        environ: The environment.
        clients: Of AWS; made as the environment says by default.
        now: Returns the wall clock in milliseconds since 1970.
        pause: Called with the number of an attempt that was lost to others, before the next one.
        epochs: Mints the epochs of rows.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        clients: Clients | None = None,
        now: Callable[[], int] = wall_clock_ms,
        pause: Callable[[int], None] = pause,
        epochs: Callable[[], int] = new_epoch,
    ) -> None:
        self.settings: Settings = read_settings(environ)
        self.now = now
        self.pause = pause
        self._epochs = epochs
        self._environ = environ
        self._clients = clients or Clients(region=self.settings.region, iot_endpoint=self.settings.iot_endpoint)

    @cached_property
    def telemetry(self) -> Telemetry:
        """Log and metrics."""
        return Telemetry(
            namespace=self._environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE,
            service=self._environ.get("POWERTOOLS_SERVICE_NAME") or SERVICE,
        )

    @cached_property
    def configuration(self) -> Configuration:
        """The configuration table; without one, all is at its default."""
        return Configuration(
            lambda: self._clients.dynamodb,
            self.settings.configuration_table,
            now=self.now,
            report=lambda problem: self.telemetry.report_configuration(problem),
        )

    @cached_property
    def quarantine(self) -> Quarantine:
        """The refusals queue."""
        return Quarantine(lambda: self._clients.sqs, self.settings.refusals_queue_url)

    @cached_property
    def store(self) -> StateStore:
        """The state table."""
        return StateStore(
            self._clients.dynamodb,
            needed(self.settings.state_table, "STATE_TABLE"),
            region=needed(self.settings.region, "AWS_REGION"),
            policies=self.configuration,
            quarantine=self.quarantine,
            default_policy=self.settings.default_policy,
            epochs=self._epochs,
        )

    @cached_property
    def shadows(self) -> ShadowService:
        """AWS IoT's data plane."""
        return ShadowService(self._clients.iot, limits=self.settings.limits)

    @property
    def dynamodb(self) -> DynamoDB:
        """The client of DynamoDB."""
        return self._clients.dynamodb

    @property
    def history_table(self) -> str:
        """The name of the history table."""
        return needed(self.settings.history_table, "HISTORY_TABLE")

    @property
    def metrics_table(self) -> str:
        """The name of the sync metrics table."""
        return needed(self.settings.metrics_table, "METRICS_TABLE")

    @cached_property
    def history(self) -> History:
        """The history table."""
        return History(self._clients.dynamodb, self.history_table)

    @cached_property
    def sync_metrics(self) -> SyncMetrics:
        """The sync metrics table."""
        return SyncMetrics(self._clients.dynamodb, self.metrics_table)

    @cached_property
    def bus(self) -> Bus:
        """The event bus."""
        return Bus(self._clients.events, needed(self.settings.event_bus_name, "EVENT_BUS_NAME"))


@cache
def parts() -> Parts:
    """Return the parts of this process, as its environment says."""
    return Parts(os.environ)
