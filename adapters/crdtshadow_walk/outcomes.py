"""What became of messages, and of the shadows they were for. Values, in place of callbacks."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from crdtshadow import Decision, MissingBase, Stamp, View
from crdtshadow.errors import AdapterError, CrdtShadowError
from crdtshadow_walk.audit import Entry
from crdtshadow_walk.messages import DeltaMessage, Message, ShadowKey


class Merged(NamedTuple):
    """The message changed the state, which is stored.

    Attributes:
        message: What arrived.
        changed: Paths whose siblings changed, sorted.
        clones: Stamps that came with two outcomes: two programs use one identity.
    """

    message: Message
    changed: tuple[str, ...]
    clones: tuple[Stamp, ...] = ()


class Echo(NamedTuple):
    """The message brought nothing that the state did not have.

    Attributes:
        message: What arrived.
        reason: Why it says nothing new.
    """

    message: Message
    reason: str


class Refused(NamedTuple):
    """The message changed nothing and is in the quarantine; no use in sending it again as it is.

    Attributes:
        message: What arrived.
        error: Why; some tell what would help (:class:`~crdtshadow.errors.ClockDrift` the time,
            :class:`~crdtshadow.errors.MissingBase` a clock to send from).
    """

    message: Message
    error: CrdtShadowError

    @property
    def code(self) -> str:
        """The error's stable code."""
        return self.error.code

    @property
    def reason(self) -> str:
        """The error's message."""
        return str(self.error)


class Parked(NamedTuple):
    """The delta waits, stored, for what it continues from.

    Attributes:
        message: What arrived.
        error: Has the clock from which a delta would fit at once.
    """

    message: DeltaMessage
    error: MissingBase


class Failed(NamedTuple):
    """Storing failed for the message's shadow; it has to come again if the error is retryable.

    Attributes:
        message: What arrived.
        error: Why.
    """

    message: Message
    error: AdapterError


Outcome: TypeAlias = "Merged | Echo | Refused | Parked | Failed"


class Settled(NamedTuple):
    """A shadow whose state changed, as stored: what there is to publish.

    Attributes:
        key: The shadow.
        revision: Of the record stored.
        view: What readers see since.
        history: What each message changed of that, and which conflicts arose or were settled.
    """

    key: ShadowKey
    revision: int
    view: View
    history: tuple[Entry, ...]

    @property
    def conflicts(self) -> tuple[Decision, ...]:
        """The conflicts in the state now, and how the policy decides each."""
        return self.view.decisions


class Walked(NamedTuple):
    """What became of a batch.

    Attributes:
        outcomes: One for each message, in their order.
        released: Of parked messages of earlier batches that are parked no more.
        settled: The shadows whose state changed, each once.
    """

    outcomes: tuple[Outcome, ...]
    released: tuple[Outcome, ...]
    settled: tuple[Settled, ...]
