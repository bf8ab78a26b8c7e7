"""The form of a report: names, values, and the answers to what a service asks for.

Source: GeoReport v2 (wiki.open311.org): POST Service Request; WHATWG URL 5 (urlencoded).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from cityloom.model.errors import BadRequestData, InvalidRequest, UnsupportedMediaType
from cityloom.web.body import read_body
from cityloom.web.incoming import Incoming

FORM: Final = "application/x-www-form-urlencoded"
FIELDS: Final = frozenset(
    {
        *("api_key", "jurisdiction_id", "service_code", "lat", "long", "address_string", "address_id"),
        *("email", "device_id", "account_id", "first_name", "last_name", "phone"),
        *("description", "media_url"),
    }
)
_ATTRIBUTE: Final = re.compile(r"attribute\[([^\[\]]{1,100})\](?:\[\])?")
_LARGEST: Final = 256 * 1024
_MOST: Final = 500


class Form(Struct):
    """What was sent: parameters that are not empty, and answers by the attribute's code."""

    values: dict[str, str]
    answers: dict[str, tuple[str, ...]]


async def read_form(incoming: Incoming) -> Form:
    """The form that a request brings.

    Raises:
        UnsupportedMediaType: it says to be something else.
        InvalidRequest: it is not UTF-8, or no form.
        BadRequestData: a parameter is unknown or comes twice.
    """
    media_type, _, rest = (incoming.headers.get("content-type") or "").partition(";")
    if media_type.strip().lower() != FORM:
        raise UnsupportedMediaType(f"Content-Type is invalid: {FORM} is required")
    charset = rest.partition("charset=")[2].strip().strip('"').lower()
    if charset not in ("", "utf-8", "utf8"):
        raise UnsupportedMediaType(f"Content-Type is invalid: charset {charset[:40]!r} is not UTF-8")
    body = await read_body(incoming.receive, incoming.headers, _LARGEST)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except ValueError:
        raise InvalidRequest(f"the body is invalid: no form in UTF-8 of at most {_MOST} fields") from None
    return form_of(pairs)


def form_of(pairs: list[tuple[str, str]]) -> Form:
    """The form that names and values are. Raises BadRequestData."""
    form = Form(values={}, answers={})
    for name, value in pairs:
        match = _ATTRIBUTE.fullmatch(name)
        if match is not None:
            if value:
                form.answers[match[1]] = (*form.answers.get(match[1], ()), value)
            continue
        if name not in FIELDS:
            raise BadRequestData(
                f"parameter {name[:100]!r} is invalid: POST Service Request does not know it"
            )
        if name in form.values:
            raise BadRequestData(f"parameter {name} is invalid: it is given twice")
        if value:
            form.values[name] = value
    return form
