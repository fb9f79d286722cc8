"""Every error this package raises, split by whose fault it is.

    CrdtShadowError
    ├── LocalError            you called it wrongly
    │   ├── InvalidValue      invalid_value      not a JSON value this library can hold
    │   ├── InvalidPath       invalid_path       not a JSON pointer, or one that may not stand here
    │   ├── InvalidPolicy     invalid_policy     policy data that means nothing
    │   ├── InvalidIdentity   invalid_identity   a replica name, epoch or proof that cannot be used
    │   ├── LimitExceeded     limit_exceeded     within the rules, but more than a limit allows
    │   └── UnknownConflict   unknown_conflict   there is no such conflict, or no such sibling
    ├── RemoteError           a peer sent something wrong; the receiver's state is untouched
    │   ├── DecodeError       malformed          the one error of every decoder
    │   ├── MissingBase       missing_base       a delta for somebody who has seen more (retryable)
    │   ├── BelowFloor        below_floor        unseen writes from before removals were forgotten
    │   ├── ClockDrift        clock_drift        stamps from too far in the future (retryable)
    │   ├── NotAuthorized     not_authorized     a peer speaks for a replica that is not its own
    │   ├── EventRefused      event_refused      an event that is not what AWS IoT delivers
    │   └── DocumentError     document_refused   AWS's shadow service would refuse it, with its status
    └── AdapterError          the world failed; subclasses live in the adapters

``code`` is stable and fit for metrics and exit codes; ``retryable`` says whether the same call can
succeed later without a change of its input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from crdtshadow.clock import VectorClock


class CrdtShadowError(Exception):
    """Root of every error of this package."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class LocalError(CrdtShadowError, ValueError):
    """The caller broke a rule of the interface."""

    code = "local"


class InvalidValue(LocalError):
    """Not a JSON value this library can hold."""

    code = "invalid_value"


class InvalidPath(LocalError):
    """Not a JSON pointer (RFC 6901), or one that may not stand here."""

    code = "invalid_path"


class InvalidPolicy(LocalError):
    """Policy data that means nothing; the message says what and where."""

    code = "invalid_policy"


class InvalidIdentity(LocalError):
    """A replica name, epoch or proof of the last time used that cannot be used."""

    code = "invalid_identity"


class LimitExceeded(LocalError):
    """Within the rules, but more than a named limit allows."""

    code = "limit_exceeded"


class UnknownConflict(LocalError):
    """There is no conflict at that path, or no such sibling in it."""

    code = "unknown_conflict"


class RemoteError(CrdtShadowError):
    """A peer sent something wrong; the receiver's state is untouched."""

    code = "remote"


class DecodeError(RemoteError):
    """Bytes that are not a canonical encoding of this wire version."""

    code = "malformed"


class MissingBase(RemoteError):
    """A delta whose base the receiver has not seen; answer with ``clock`` to get one that fits."""

    code = "missing_base"
    retryable = True

    def __init__(self, message: str, *, clock: VectorClock) -> None:
        super().__init__(message)
        self.clock = clock


class BelowFloor(RemoteError):
    """Unseen writes of somebody who missed removals that are already forgotten; offer a rebase."""

    code = "below_floor"

    def __init__(self, message: str, *, floor: VectorClock) -> None:
        super().__init__(message)
        self.floor = floor


class ClockDrift(RemoteError):
    """Stamps ahead of the receiver's clock by more than the bound; re-stamp from ``now_ms``."""

    code = "clock_drift"
    retryable = True

    def __init__(self, message: str, *, now_ms: int) -> None:
        super().__init__(message)
        self.now_ms = now_ms


class NotAuthorized(RemoteError):
    """A peer claims writes of a replica it may not speak for."""

    code = "not_authorized"


class EventRefused(RemoteError):
    """An event that is not an AWS IoT shadow document event."""

    code = "event_refused"


class DocumentError(RemoteError):
    """A request AWS's shadow service would refuse; ``status`` is its HTTP-like code."""

    code = "document_refused"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class AdapterError(CrdtShadowError):
    """Storage, network or operating system failed."""

    code = "adapter"
