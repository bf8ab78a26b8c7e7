"""One small class per problem type; `web/problem.py` maps each to a status, once.

Source: ETSI GS CIM 009 clause 5.5.2 (error types) and 6.3.2 (their statuses).
Messages say `does not exist`, `already exists`, `is invalid`, `is required`
and name the field and the place of the value.
"""

from __future__ import annotations

from collections.abc import Mapping


class CityloomError(Exception):
    """Base of every error that is the caller's or the city's, never a bug of ours.

    Args:
        detail: one sentence for a person: what is wrong and where.
        extra: members to add to the problem document.

    `texts` is the detail by language, where it is told in several.
    """

    title = "Error"
    texts: Mapping[str, str] | None = None

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class InvalidRequest(CityloomError):
    """The request's syntax is wrong: malformed JSON, an unknown parameter (5.5.2)."""

    title = "The request is invalid"


class BadRequestData(CityloomError):
    """The request is well formed but its data is not (5.5.2)."""

    title = "The request includes input data which does not meet the requirements"


class AlreadyExists(CityloomError):
    """The referred element already exists (5.5.2)."""

    title = "The referred element already exists"


class OperationNotSupported(CityloomError):
    """The operation is known and not supported on this element (5.5.2)."""

    title = "The operation is not supported"


class NotBuilt(CityloomError):
    """An operation or a parameter that the standard knows and that is not built yet."""

    title = "Known and not built yet"


class ResourceNotFound(CityloomError):
    """The referred resource does not exist (5.5.2)."""

    title = "The referred resource does not exist"


class InternalError(CityloomError):
    """Something of ours failed (5.5.2)."""

    title = "Internal error"


class TooComplexQuery(CityloomError):
    """The query is too complex for this node (5.5.2)."""

    title = "The query is too complex"


class TooManyResults(CityloomError):
    """The answer would be larger than a limit allows (5.5.2)."""

    title = "The query produces too many results"


class LdContextNotAvailable(CityloomError):
    """A remote @context cannot be had or is no @context (5.5.2)."""

    title = "The remote @context is not available"


class NoMultiTenantSupport(CityloomError):
    """The node does not support tenants (5.5.2)."""

    title = "Tenants are not supported"


class NonexistentTenant(CityloomError):
    """The tenant does not exist (5.5.2)."""

    title = "The tenant does not exist"


class Conflict(CityloomError):
    """A write contradicts what is there: another version of an entity, another registration (5.9.2)."""

    title = "The request conflicts with what is there"


class PayloadTooLarge(CityloomError):
    """A body, batch, string, nesting or geometry is over a limit of the settings."""

    title = "The request is larger than this node allows"


class LengthRequired(CityloomError):
    """The request has a body and no Content-Length (6.3.4)."""

    title = "The length of the body is required"


class UnsupportedMediaType(CityloomError):
    """The body's media type is not one that this operation reads (6.3.4)."""

    title = "The media type of the body is not supported"


class NotAcceptable(CityloomError):
    """No media type that the caller accepts can be produced (6.3.4)."""

    title = "None of the accepted media types can be produced"


class MethodNotAllowed(CityloomError):
    """The resource exists and does not know this method."""

    title = "The method is not allowed on this resource"


class Unauthorized(CityloomError):
    """No identity was shown where one is required."""

    title = "Authentication is required"


class Forbidden(CityloomError):
    """The identity shown may not do this."""

    title = "This identity may not do this"


class TooManyRequests(CityloomError):
    """More came from one source, or from all without a key, than is taken.

    `retryAfter` are the seconds after which one more is.
    """

    title = "Too many requests"


class Overloaded(CityloomError):
    """The writer's queue is full; try again."""

    title = "The node is busy"


class StoreFailed(CityloomError):
    """The store could not commit: full disk, read-only file, lost disk."""

    title = "The store could not keep the write"


class StoreUnreachable(StoreFailed):
    """The database cannot be reached; try again."""

    title = "The store cannot be reached"


class HistoryUnreachable(StoreUnreachable):
    """The tables of old history are away, or not where they were said to be; all else goes on."""

    title = "The history cannot be read"


class OutgoingRefused(CityloomError):
    """An outgoing call goes where the settings do not let it go."""

    title = "The address is not allowed"


class OutgoingFailed(CityloomError):
    """An outgoing call failed: unreachable, too slow, too large, refused."""

    title = "The other side could not be reached"


class SourceFailed(CityloomError):
    """A registered context source could not do its part: it refused, or its answer was none (6.3.17)."""

    title = "A context source failed"


class SourceTimedOut(CityloomError):
    """A registered context source gave no answer in time (6.3.17)."""

    title = "A context source did not answer in time"


class LoopDetected(CityloomError):
    """A request came back to where it had been, by way of registrations (6.3.17)."""

    title = "The request goes round in a loop"


class ConfigurationError(CityloomError):
    """A setting, a profile, a mapping or a folder is wrong: one sentence, exit status not 0."""

    title = "The configuration is invalid"


class StoreInUse(ConfigurationError):
    """Another process has the city's file."""
