"""Logs and metrics, by Powertools: structured lines, and metrics inside them (embedded metric format).

Each metric comes without dimension, so that it can be asked for by its name alone, and by ``service``.
None has a thing's name as a dimension: a fleet would make as many metrics as it has things.

==========================  ============  =============================================================
``ConflictDetected``        Count         conflicts that arose or changed
``SyncCompleted``           Count         changes after which the AWS shadow shows what readers see
``OfflineSync``             Count         devices that came back with cached changes
``UpdateRefused``           Count         messages in the quarantine, and updates that AWS would refuse
``PublishConflict``         Count         updates for a version that the AWS shadow had left behind
``ConfigurationInvalid``    Count         items of the configuration table that are not obeyed
``MergeDuration``           Milliseconds  of the walk of one shadow's part of a batch, its table included
``ClockSkew``               Milliseconds  how far a delta's newest stamp was ahead of the clock here
==========================  ============  =============================================================
"""

from __future__ import annotations

import json
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

CONFLICT_DETECTED: Final = "ConflictDetected"
SYNC_COMPLETED: Final = "SyncCompleted"
OFFLINE_SYNC: Final = "OfflineSync"
UPDATE_REFUSED: Final = "UpdateRefused"
PUBLISH_CONFLICT: Final = "PublishConflict"
CONFIGURATION_INVALID: Final = "ConfigurationInvalid"
MERGE_DURATION: Final = "MergeDuration"
CLOCK_SKEW: Final = "ClockSkew"

NAMESPACE: Final = "IoT/ShadowSync"
SERVICE: Final = "crdtshadow"
"""Where the environment names none (``POWERTOOLS_METRICS_NAMESPACE``, ``POWERTOOLS_SERVICE_NAME``)."""

_VALUES_MAX: Final = 100
"""Of one metric in one line (CloudWatch, "Embedded metric format specification")."""


class Telemetry:
    """What one invocation has to tell; written when it ends.

    Args:
        namespace, service: Of the metrics and of the log.
    """

    def __init__(self, *, namespace: str = NAMESPACE, service: str = SERVICE) -> None:
        self.logger = Logger(service=service)
        self._metrics = Metrics(namespace=namespace, service=service)
        self._counts: dict[str, int] = {}
        self._times: dict[str, list[float]] = {}

    def count(self, name: str, number: int = 1) -> None:
        """Add *number* to a count."""
        self._counts[name] = self._counts.get(name, 0) + number

    def time(self, name: str, ms: float) -> None:
        """Add a time in milliseconds."""
        self._times.setdefault(name, []).append(ms)

    def report_configuration(self, problem: str) -> None:
        """Tell that an item of the configuration table is not obeyed."""
        self.count(CONFIGURATION_INVALID)
        self.logger.warning("configuration not obeyed", extra={"problem": problem})

    def flush(self) -> None:
        """Write the metrics, if there are any; from then on there are none."""
        counts, self._counts = self._counts, {}
        times, self._times = self._times, {}
        for name, number in counts.items():
            if number:
                self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
        while True:
            for name, values in times.items():
                for ms in values[: _VALUES_MAX - 1]:
                    self._metrics.add_metric(name=name, unit=MetricUnit.Milliseconds, value=ms)
            times = {name: values[_VALUES_MAX - 1 :] for name, values in times.items() if len(values) >= _VALUES_MAX}
            if self._metrics.metric_set:
                self._write()
            if not times:
                return

    def _write(self) -> None:
        line = self._metrics.serialize_metric_set()
        for directive in line["_aws"]["CloudWatchMetrics"]:
            directive["Dimensions"] = [[], *directive["Dimensions"]]
        print(json.dumps(line, separators=(",", ":")), flush=True)  # noqa: T201 - CloudWatch reads standard output
        self._metrics.clear_metrics()
