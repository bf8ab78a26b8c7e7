"""Errors as problem documents: the one table from error class to status.

Source: ETSI GS CIM 009 clauses 5.5.2, 5.5.3, 6.3.2, 6.3.3; RFC 9457.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from cityloom.ld.language import choose_language
from cityloom.model import errors
from cityloom.model.errors import BadRequestData, CityloomError

ERROR_BASE: Final = "https://uri.etsi.org/ngsi-ld/errors/"
NGSI_LD_MEDIA_TYPE: Final = "application/json"
PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[dict[type[CityloomError], int]] = {
    errors.InvalidRequest: 400,
    errors.BadRequestData: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.OutgoingRefused: 403,
    errors.TooComplexQuery: 403,
    errors.TooManyResults: 403,
    errors.NonexistentTenant: 404,
    errors.ResourceNotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.NotAcceptable: 406,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.LengthRequired: 411,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.OperationNotSupported: 422,
    errors.TooManyRequests: 429,
    errors.ConfigurationError: 500,
    errors.StoreInUse: 500,
    errors.InternalError: 500,
    errors.NoMultiTenantSupport: 501,
    errors.NotBuilt: 501,
    errors.OutgoingFailed: 502,
    errors.SourceFailed: 502,
    errors.Overloaded: 503,
    errors.StoreUnreachable: 503,
    errors.HistoryUnreachable: 503,
    errors.LdContextNotAvailable: 504,
    errors.SourceTimedOut: 504,
    errors.StoreFailed: 507,
    errors.LoopDetected: 508,
}
"""Every error class of `model.errors` has a row (a test sees to it)."""

_BARE: Final = (errors.LengthRequired, errors.MethodNotAllowed, errors.UnsupportedMediaType)
"""Answered by the NGSI-LD binding without a body: clause 6.3.4, and for 405, which is HTTP's own and no
error type of clause 5.5.2, clause 6.3.2; its header Allow says what is allowed."""


def status_of(error: CityloomError) -> int:
    """The HTTP status of an error."""
    return STATUS[type(error)]


def problem_of(error: CityloomError, languages: str = "") -> dict[str, Any]:
    """The problem document of an error: type, title, status, detail and what the error adds.

    Args:
        languages: ranges as in `Accept-Language`, for a detail that is told in several.
    """
    return {
        "type": ERROR_BASE + type(error).__name__,
        "title": error.title,
        "status": STATUS[type(error)],
        "detail": _detail_of(error, languages),
        **error.extra,
    }


def _detail_of(error: CityloomError, languages: str) -> str:
    if not error.texts or not languages:
        return error.detail
    try:
        return str(choose_language(error.texts, languages)[1])
    except BadRequestData:
        return error.detail  # an error must not fail for want of a language


def problem_response(error: CityloomError, *, ngsi_ld: bool, languages: str = "") -> Response:
    """The response that tells of `error`.

    Args:
        ngsi_ld: whether the NGSI-LD binding answers: `application/json` (6.3.3),
            and 405, 411 and 415 without a body (6.3.2, 6.3.4); else `application/problem+json`.
        languages: as in `problem_of`.
    """
    headers = {"Vary": "Accept-Language"} if error.texts else {}
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.Overloaded | errors.StoreUnreachable):
        headers["Retry-After"] = "1"
    if isinstance(error, errors.TooManyRequests):
        headers["Retry-After"] = str(error.extra.get("retryAfter", 1))
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = str(error.extra.get("allow", ""))
    if ngsi_ld and isinstance(error, _BARE):
        return Response(status_code=status_of(error), headers=headers)
    return Response(
        msgspec.json.encode(problem_of(error, languages)),
        status_code=status_of(error),
        headers=headers,
        media_type=NGSI_LD_MEDIA_TYPE if ngsi_ld else PROBLEM_MEDIA_TYPE,
    )
