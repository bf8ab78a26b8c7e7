"""`/open311`: discovery, services and their definitions, service requests, tokens, the bulk file.

Source: GeoReport v2 and Service Discovery (wiki.open311.org); GeoReport Bulk (proposed).
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from msgspec.structs import replace
from starlette.responses import Response, StreamingResponse

from cityloom.broker.ports import Call
from cityloom.cases.keep.numbers import number_of
from cityloom.cases.open311.reads import STATUSES, RequestsWish, ids_of, span_of
from cityloom.cases.open311.requests import BULK, Language, notice_of
from cityloom.cases.service import Cases
from cityloom.ld.language import choose_language
from cityloom.model.errors import BadRequestData, ResourceNotFound
from cityloom.model.time import parse_datetime
from cityloom.web.incoming import Incoming
from cityloom.web.open311.form import read_form
from cityloom.web.open311_answers import CSV, OPEN311_ROOT, answer, format_of
from cityloom.web.origin import origin_of

SPECIFICATION: Final = "http://wiki.open311.org/GeoReport_v2"
V2: Final = f"{OPEN311_ROOT}/v2"
_MOST: Final = 1000
"""Requests of one answer (GET Service Requests, Response Volume)."""
_ROWS: Final = 500
"""Rows of the bulk file that are read at once."""


async def discovery(incoming: Incoming) -> Response:
    """`GET /open311/discovery`: where the endpoint is, in which formats."""
    cases = cases_of(incoming)
    part, origin = cases.book.rules.open311, origin_of(incoming.services.settings, incoming.headers)
    changeset = part.changeset or cases.book.rules.limits.told.version
    told = {
        "changeset": changeset,
        "contact": part.contact or f"Whoever runs {_name(incoming)}; the page is at {origin}/",
        "key_service": part.key_service or "Ask whoever runs this node for an API key.",
        "endpoints": [
            {
                "specification": SPECIFICATION,
                "url": origin + V2,
                "changeset": changeset,
                "type": "test" if part.test else "production",
                "formats": ["text/xml", "application/json"],
            }
        ],
    }
    return answer("discovery", told, format_of(incoming.raw_path))


async def services(incoming: Incoming) -> Response:
    """`GET /open311/v2/services`: what can be reported."""
    call = _asked(incoming)
    found = cases_of(incoming).open311_services(call, _language(incoming))
    return answer("services", found, format_of(incoming.raw_path))


async def definition(incoming: Incoming) -> Response:
    """`GET /open311/v2/services/{serviceCode}`: what is asked for with it."""
    call = _asked(incoming)
    code = _bare(incoming.path["serviceCode"])
    found = cases_of(incoming).open311_definition(call, code, _language(incoming))
    return answer("service_definition", found, format_of(incoming.raw_path))


async def requests(incoming: Incoming) -> Response:
    """`GET /open311/v2/requests`: those of the last 90 days, or what the filters say."""
    call = _asked(incoming)
    page = _integer(incoming, "page", 1)
    size = _integer(incoming, "page_size", _MOST)
    if size > _MOST:
        raise BadRequestData(f"page_size is invalid: the most is {_MOST}")
    wish = replace(_wish(incoming), limit=size, offset=(page - 1) * size)
    found = await cases_of(incoming).open311_requests(call, wish, _language(incoming))
    return answer("service_requests", [_told(one) for one in found], format_of(incoming.raw_path))


async def request(incoming: Incoming) -> Response:
    """`GET /open311/v2/requests/{serviceRequestId}`: one request."""
    call = _asked(incoming)
    found = await cases_of(incoming).open311_request(
        call,
        _bare(incoming.path["serviceRequestId"]),
        _language(incoming),
        extended=incoming.params.flag("extensions"),
    )
    return answer("service_requests", [_told(found)], format_of(incoming.raw_path))


async def token(incoming: Incoming) -> Response:
    """`GET /open311/v2/tokens/{token}`: the request that a token stands for."""
    call = _asked(incoming)
    name = _bare(incoming.path["token"])
    found = await cases_of(incoming).open311_token(call, name)
    told = [{"service_request_id": number_of(found), "token": name}]
    return answer("service_requests", told, format_of(incoming.raw_path))


async def report(incoming: Incoming) -> Response:
    """`POST /open311/v2/requests`: a report; a case begins."""
    form = await read_form(incoming)
    cases = cases_of(incoming)
    call = _as_holder(incoming, form.values.pop("api_key", "") or incoming.params.get("api_key", ""))
    _check_jurisdiction(incoming, form.values.pop("jurisdiction_id", "") or _jurisdiction_asked(incoming))
    name = secrets.token_urlsafe(24) if cases.book.rules.open311.tokens else ""
    with incoming.services.keyless.report(call, incoming.peer, incoming.headers):
        told = await cases.report(call, await cases.open311_report(call, form.values, form.answers, name))
    notice = notice_of(told, cases.book.rules.calendar.time_zone, bool(form.values.get("lat")))
    found: dict[str, Any] = {"token": name} if name else {"service_request_id": number_of(told.id)}
    body = [{**found, "service_notice": _language(incoming)(notice) or None, "account_id": None}]
    return answer("service_requests", body, format_of(incoming.raw_path), 201)


async def bulk(incoming: Incoming) -> Response:
    """`GET /open311/v2/requests.csv`: every request, or those that the filters say, by number."""
    call, params, cases = _asked(incoming), incoming.params, cases_of(incoming)
    wish = replace(
        _filters(incoming),
        since=_bound(params.get("start_date"), "start_date"),
        until=_bound(params.get("end_date"), "end_date"),
    )
    language = _language(incoming)
    ids = await cases.open311_ids(call, wish)

    async def parts() -> AsyncIterator[bytes]:
        yield _lines([list(BULK)])
        for first in range(0, len(ids), _ROWS):
            some = RequestsWish(ids=tuple(ids[first : first + _ROWS]), codes=wish.codes, limit=_ROWS)
            yield _lines(await cases.open311_rows(call, some, language))

    return StreamingResponse(parts(), headers={"Content-Type": CSV})


def cases_of(incoming: Incoming) -> Cases:
    """The cases of the city. Raises ResourceNotFound: it has none."""
    cases = incoming.services.cases
    if cases is None:
        raise ResourceNotFound("this city has no Open311: its profile names no file of `cases`")
    return cases


def _asked(incoming: Incoming) -> Call:
    """Who asks, once the jurisdiction is known to be this one."""
    _check_jurisdiction(incoming, _jurisdiction_asked(incoming))
    return _as_holder(incoming, incoming.params.get("api_key", ""))


def _as_holder(incoming: Incoming, key: str) -> Call:
    """The call of who holds `api_key`; a key in a header goes before. Raises Unauthorized."""
    call = incoming.call
    if not key or call.party:
        return call
    party = incoming.services.identify({"x-api-key": key})
    return replace(call, party=party, cause=replace(call.cause, party=party))


def _jurisdiction_asked(incoming: Incoming) -> str:
    return incoming.params.get("jurisdiction_id", "")


def _check_jurisdiction(incoming: Incoming, asked: str) -> None:
    """Raises ResourceNotFound: it is another city's. Without one, the city is meant: there is one here."""
    own = cases_of(incoming).book.rules.open311.jurisdiction or incoming.services.city.profile
    if asked and asked != own:
        raise ResourceNotFound(f"jurisdiction_id {asked[:100]!r} was not found; here is {own}")


def _language(incoming: Incoming) -> Language:
    """Chooses by Accept-Language, else in the order of the city's languages."""
    ranges = incoming.headers.get("accept-language") or ",".join(incoming.services.city.languages)

    def choose(texts: Mapping[str, str]) -> str:
        told = {tag: text for tag, text in texts.items() if text}
        return str(choose_language(told, ranges or "*")[1]) if told else ""

    return choose


def _wish(incoming: Incoming) -> RequestsWish:
    params = incoming.params
    ids = ids_of(params.get("service_request_id", ""))
    if ids:
        # It overrides all other arguments.
        return RequestsWish(ids=ids, extended=params.flag("extensions"))
    since, until = span_of(
        params.get("start_date") or None, params.get("end_date") or None, incoming.services.clock.now()
    )
    return replace(_filters(incoming), since=since, until=until)


def _filters(incoming: Incoming) -> RequestsWish:
    params = incoming.params
    statuses = _list(params.get("status"))
    for one in statuses:
        if one not in STATUSES:
            raise BadRequestData(f"status is invalid: {one[:100]!r} is neither open nor closed")
    codes = _list(params.get("service_code"))
    return RequestsWish(codes=codes, statuses=statuses, extended=params.flag("extensions"))


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def _integer(incoming: Incoming, name: str, default: int) -> int:
    return (incoming.params.integer(name, 1) if incoming.params.get(name) else None) or default


def _bound(text: str | None, name: str) -> int:
    return parse_datetime(text.replace(" ", "+"), name) if text else 0


def _told(found: Any) -> dict[str, Any]:
    """A request without the extension where none was asked for: foreign tags are for who knows them."""
    told = {name: getattr(found, name) for name in found.__struct_fields__}
    if told["extended_attributes"] is None:
        del told["extended_attributes"]
    return told


def _bare(name: str) -> str:
    """What stands in a path, without its format."""
    return name.removesuffix(".xml").removesuffix(".json") if name.endswith((".xml", ".json")) else name


def _name(incoming: Incoming) -> str:
    return next(iter(incoming.services.city.name.values()), "") or "this city"


def _lines(rows: list[list[Any]]) -> bytes:
    """Rows as RFC 4180 has them."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
