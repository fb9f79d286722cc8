"""Every limit of the core, named, with its unit last and the precedent beside it."""

from __future__ import annotations

from typing import Final

DELTA_BYTES_MAX: Final = 128 * 1024
"""A delta from a peer: the payload limit of an AWS IoT MQTT message (AWS IoT Core quotas)."""

STATE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A stored state, which comes from one's own disk or table."""

FIELDS_MAX: Final = 1_000_000
"""Siblings in one state or delta."""

REPLICAS_MAX: Final = 4_096
"""Replicas in one vector clock."""

SIBLINGS_MAX: Final = 1_024
"""Siblings at one path; one per writer that was cut off at the same time."""

PATH_BYTES_MAX: Final = 4_096
"""A JSON pointer in UTF-8."""

PATH_DEPTH_MAX: Final = 64
"""Segments of a JSON pointer. AWS allows 6 to 8 levels below a section."""

VALUE_NESTING_MAX: Final = 32
"""Arrays and objects inside one atomic array."""

NAME_CHARS_MAX: Final = 128
"""A replica's name: the limit of an AWS IoT thing name."""

CLOCK_MS_MAX: Final = (1 << 48) - 1
"""The physical part of a hybrid time."""

DRIFT_MS_MAX: Final = 60_000
"""How far ahead of the receiver's clock a stamp may be (Kulkarni et al. 2014 bound it likewise)."""

PUBLISHED_VERSIONS_MAX: Final = 16
"""AWS versions whose vector clocks are remembered for writers that know only a version."""

CACHED_CHANGES_MAX: Final = 64
"""Cached changes of offline devices that are remembered, so that their redelivery is found out."""
