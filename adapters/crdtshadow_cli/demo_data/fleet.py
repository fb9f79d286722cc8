"""The fleet of the demo: who writes what, when, and having seen what.

Three things of one house in January. Until Thursday morning crdtshadow only listens, so no device
hears of what others wrote. Times are UTC.

* ``hall-thermostat`` keeps its shadow with the library. On Monday its router fails; people turn its
  knob meanwhile, and change the same settings from the console and the app.
* ``cellar-pump`` is written by a gateway whose clock runs ahead after a power cut.
* ``porch-lamp`` is set back to its factory settings, and begins anew.

Console and app know nothing of replicas: they write the AWS shadow document, whose events are made
here by :mod:`crdtshadow.document`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Final, NamedTuple

from crdtshadow import ClockDrift, Delta, Replica, Shadow, VectorClock, check_drift
from crdtshadow.document import ShadowDocument, apply_update, check_request
from crdtshadow.limits import DRIFT_MS_MAX
from crdtshadow.testing import FakeClock
from crdtshadow_cli.wording import iso_time

THERMOSTAT: Final = "hall-thermostat"
PUMP: Final = "cellar-pump"
LAMP: Final = "porch-lamp"
GATEWAY: Final = "gateway"

_DAYS: Final = {"Mon": 13, "Tue": 14, "Wed": 15, "Thu": 16}
_CLOCK_AHEAD_MS: Final = (2 * 60 + 38) * 60_000


def at(moment: str) -> int:
    """Return the milliseconds since 1970 of a moment of that week in January 2025.

    >>> iso_time(at("Mon 07:30"))
    '2025-01-13T07:30:00.000Z'
    """
    day, time = moment.split()
    hour, minute = time.split(":")
    return round(datetime(2025, 1, _DAYS[day], int(hour), int(minute), tzinfo=UTC).timestamp() * 1000)


class Fleet(NamedTuple):
    """The lines that arrived, and the devices as they are at the end.

    Attributes:
        lines: JSON objects, in the order of arrival.
        clock: The wall clock of all devices.
        devices: By thing, its replica.
    """

    lines: list[str]
    clock: FakeClock
    devices: dict[str, Replica]


def live() -> Fleet:
    """Return what becomes of the fleet when it lives through the week."""
    week = _Week()
    week.console("Mon 07:30", THERMOSTAT, "The landlord sets up the thermostat in the AWS console.", {
        "desired": {"target": 20, "limits": {"min": 15, "max": 25}, "preheat": "06:00"},
    })  # fmt: skip
    thermostat = week.device("thermostat", epoch=0x7E2A41C0)
    week.clock.ms = at("Mon 07:55")
    thermostat.update({"reported": {"temperature": 19.6, "battery": 96, "firmware": "4.1"}})
    thermostat_sent = week.delta("Mon 07:55", THERMOSTAT, "It reports once. At 08:10 the router fails.", thermostat)

    week.clock.ms = at("Mon 22:40")
    thermostat.set("/desired/target", 18.5)
    week.clock.ms = at("Tue 06:30")
    thermostat.set("/desired/preheat", "05:30")
    week.clock.ms = at("Tue 08:00")
    thermostat.set("/desired/limits/max", 22)

    week.app("Tue 17:00", LAMP, "A tenant chooses a scene for the lamp in the app.", {
        "desired": {"brightness": 40, "scene": "evening"},
    })  # fmt: skip
    lamp = week.device(LAMP, epoch=0x1A3B5C7D)
    week.clock.ms = at("Tue 17:01")
    lamp.update({"reported": {"brightness": 40, "scene": "evening", "firmware": "1.9"}})
    week.delta("Tue 17:01", LAMP, "The lamp says that it did.", lamp)
    week.app("Tue 19:05", THERMOSTAT, "A tenant changes both limits in the app.", {
        "desired": {"limits": {"min": 16, "max": 24}},
    })  # fmt: skip
    week.console("Wed 09:00", PUMP, "The landlord sets up the pump.", {"desired": {"mode": "auto"}})
    week.console("Wed 10:30", THERMOSTAT, "The landlord sets the target, and removes the preheating.", {
        "desired": {"target": 21, "preheat": None},
    })  # fmt: skip
    week.clock.ms = at("Wed 21:15")
    thermostat.set("/desired/limits/min", 19)
    week.app("Wed 22:00", THERMOSTAT, "A tenant changes one limit again.", {"desired": {"limits": {"max": 23}}})
    week.clock.ms = at("Thu 06:00")
    thermostat.update({"reported": {"temperature": 17.2, "battery": 61}})

    gateway = week.device(GATEWAY, epoch=0x6A7E0001)
    week.clock.ms = at("Thu 07:50") + _CLOCK_AHEAD_MS
    gateway.update({"desired": {"mode": "eco"}, "reported": {"mode": "eco", "rpm": 900}})
    week.delta("Thu 07:52", PUMP, "Somebody switched at the gateway, whose clock runs 2 h 38 min ahead.", gateway)
    week.app("Thu 07:55", PUMP, "A tenant wants hot water.", {"desired": {"mode": "boost"}})
    week.clock.ms = week.refusal_of(gateway, "Thu 07:58")
    gateway.rebase(Shadow().delta(), epoch=0x6A7E0002)
    week.delta("Thu 07:58", PUMP, "The gateway heard the time, and sends its writing again with new stamps.", gateway)

    week.delta("Thu 08:20", THERMOSTAT, "The router works again: three days arrive at once.", thermostat,
               since=thermostat_sent)  # fmt: skip

    week.clock.ms = at("Thu 08:40")
    lamp = week.device(LAMP, epoch=0x2B4C6D8E)
    lamp.update({"reported": {"brightness": 100, "firmware": "2.0"}})
    week.delta("Thu 08:40", LAMP, "After a factory reset the lamp begins anew, under a new epoch.", lamp)
    return Fleet(week.lines, week.clock, {THERMOSTAT: thermostat, PUMP: gateway, LAMP: lamp})


class _Week:
    """What happens, in the order in which it arrives."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.clock = FakeClock()
        self._documents: dict[str, ShadowDocument] = {}

    def device(self, name: str, *, epoch: int) -> Replica:
        """Return a device that has just been switched on and knows nothing."""
        return Replica(name, epoch=epoch, now=self.clock)

    def console(self, moment: str, thing: str, note: str, state: dict[str, object]) -> None:
        """Let somebody edit the AWS document in the console."""
        self._edit(moment, thing, note, {"state": state})

    def app(self, moment: str, thing: str, note: str, state: dict[str, object]) -> None:
        """Let an app edit the AWS document; it says who it is by its token."""
        self._edit(moment, thing, note, {"state": state, "clientToken": f"app-{len(self.lines):02d}"})

    def _edit(self, moment: str, thing: str, note: str, request: dict[str, object]) -> None:
        now_ms = at(moment)
        update = apply_update(self._documents.get(thing), check_request(request), now_s=now_ms // 1000)
        self._documents[thing] = update.document
        self._arrives(now_ms, thing, note, dict(update.documents))
        self.clock.ms = now_ms

    def delta(
        self, moment: str, thing: str, note: str, replica: Replica, *, since: VectorClock | None = None
    ) -> VectorClock:
        """Let a device send what it wrote, and return what has been sent then."""
        delta = replica.delta(since)
        self._arrives(at(moment), thing, note, {"delta": b64encode(delta.encode()).decode()})
        return delta.upto

    def _arrives(self, now_ms: int, thing: str, note: str, content: dict[str, object]) -> None:
        line = {"arrived": iso_time(now_ms), "note": note, "thingName": thing, **content}
        self.lines.append(json.dumps(line, ensure_ascii=False))

    def refusal_of(self, replica: Replica, moment: str) -> int:
        """Return the time that a receiver tells when it refuses what *replica* would send."""
        delta: Delta = replica.delta()
        try:
            check_drift(Shadow(), delta, now_ms=at(moment), drift_ms_max=DRIFT_MS_MAX)
        except ClockDrift as refused:
            return refused.now_ms
        raise AssertionError("the clock was meant to run ahead")
