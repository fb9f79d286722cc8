"""What can fail between the walk and a store, and before the walk begins.

RemoteError
└── MessageRefused     message_refused     not one of the messages that the walk takes

AdapterError
├── RevisionConflict   revision_conflict   somebody else wrote first (retryable; the walk does)
└── StateDamaged       state_damaged       stored bytes of a shadow cannot be read
"""

from __future__ import annotations

from crdtshadow.errors import AdapterError, RemoteError


class MessageRefused(RemoteError):
    """Not one of the messages that the walk takes."""

    code = "message_refused"


class RevisionConflict(AdapterError):
    """Somebody else wrote the shadow since it was read."""

    code = "revision_conflict"
    retryable = True


class StateDamaged(AdapterError):
    """What a store holds of a shadow cannot be read."""

    code = "state_damaged"
