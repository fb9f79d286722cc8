"""What can go wrong with AWS, and the one place where botocore's errors are told apart.

    AdapterError
    ├── SettingsError      settings          an environment variable is missing, or says nothing usable
    └── AwsError
        ├── AwsUnavailable aws_unavailable   throttled, an error of AWS's own, or no answer (retryable)
        ├── AwsDenied      aws_denied        not permitted, or no credentials
        ├── AwsRefused     aws_refused       any other refusal of a request
        ├── VersionMoved   version_moved     the AWS shadow is at another version (retryable, after a look)
        ├── StateTooLarge  state_too_large   a shadow's row would not fit into a DynamoDB item
        └── NotDone        not_done          a record, or an invocation, has to come again (retryable)

    RemoteError
    ├── BadRequest         bad_request       an operation that is none, or arguments that it cannot use
    └── NotFound           not_found         no such thing, shadow or conflict

A message that meets ``StateTooLarge``, or the walk's ``StateDamaged``, meets it again whenever it
comes: such messages go to the quarantine. With all other errors they come again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as NoConnection
from crdtshadow_walk import StateDamaged

from crdtshadow.errors import AdapterError, RemoteError


class SettingsError(AdapterError):
    """An environment variable is missing, or its text means nothing."""

    code = "settings"


class AwsError(AdapterError):
    """AWS did not do what was asked."""

    code = "aws"


class AwsUnavailable(AwsError):
    """Throttled, an error of AWS's own, or no answer; the request may have been carried out."""

    code = "aws_unavailable"
    retryable = True


class AwsDenied(AwsError):
    """The role may not do this, or there are no valid credentials."""

    code = "aws_denied"


class AwsRefused(AwsError):
    """AWS refused the request for another reason, such as a table that is not there."""

    code = "aws_refused"


class VersionMoved(AwsError):
    """The AWS shadow is not at the version that an update was for."""

    code = "version_moved"
    retryable = True


class StateTooLarge(AwsError):
    """What is known of a shadow would not fit into a DynamoDB item; nothing was written."""

    code = "state_too_large"


class BadRequest(RemoteError):
    """An operation that is none, or arguments that it cannot use."""

    code = "bad_request"


class NotFound(RemoteError):
    """No such thing, or shadow of it."""

    code = "not_found"


class NotDone(AwsError):
    """What was asked is not done, or not wholly; it has to come again."""

    code = "not_done"
    retryable = True


POISON: Final = (StateTooLarge, StateDamaged)
"""With these, the same message fails again whenever it comes."""

_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""Error codes of throttling in AWS's services (botocore, "standard" retry mode)."""

_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "ForbiddenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnauthorizedException",
        "UnrecognizedClientException",
    }
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise an :class:`AwsError` that says *what* failed, in place of botocore's errors.

    Errors that only a bug can cause, such as a parameter of a wrong type, pass as they are.
    """
    try:
        yield
    except ClientError as error:
        raise _refusal(error, what) from error
    except (HTTPClientError, NoConnection) as error:
        raise AwsUnavailable(f"{what}: no answer ({error})") from error
    except ParamValidationError:
        raise
    except BotoCoreError as error:
        raise AwsDenied(f"{what}: {error}") from error


def error_code(error: ClientError) -> str:
    """Return AWS's name of an error."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _refusal(error: ClientError, what: str) -> AwsError:
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{what}: {code}: {error.response.get('Error', {}).get('Message', '')}"
    if code in _THROTTLED or status >= 500 or status == 429:
        return AwsUnavailable(text)
    return AwsDenied(text) if code in _DENIED or status in (401, 403) else AwsRefused(text)
