"""What every resource below `/ogc` shares: links, languages, formats, reading off the event loop.

Source: OGC 17-069r4 clauses 7.1 to 7.10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from starlette.responses import Response

from cityloom.ld.language import choose_language
from cityloom.model.errors import BadRequestData
from cityloom.store.ports import Snapshot
from cityloom.web.answers import encode
from cityloom.web.body import GEO_JSON, JSON
from cityloom.web.html import HTML
from cityloom.web.incoming import Incoming
from cityloom.web.ogc_words import LANGUAGES
from cityloom.web.origin import OGC_ROOT, origin_of

T = TypeVar("T")
Link = dict[str, Any]

ROOT: Final = OGC_ROOT
QUERYABLES: Final = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
OPENAPI_JSON: Final = "application/vnd.oai.openapi+json;version=3.0"
SCHEMA_JSON: Final = "application/schema+json"
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"

METADATA: Final = {"json": JSON, "html": HTML}
"""The formats of what is no feature."""
FEATURES: Final = {"json": GEO_JSON, "html": HTML, "csv": CSV, "parquet": PARQUET}
FEATURE: Final = {"json": GEO_JSON, "html": HTML}
SCHEMA: Final = {"json": SCHEMA_JSON, "html": HTML}
API: Final = {"json": OPENAPI_JSON, "html": HTML}
COMMON_PARAMS: Final = frozenset({"f", "lang"})


def origin(incoming: Incoming) -> str:
    """How this caller reaches the node."""
    return origin_of(incoming.services.settings, incoming.headers)


def url_of(incoming: Incoming, *segments: str, params: Mapping[str, Any] | None = None) -> str:
    """An absolute URL below `/ogc`."""
    path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
    return origin(incoming) + ROOT + path + (f"?{urlencode(params, quote_via=quote)}" if params else "")


def link(href: str, rel: str, media_type: str = "", title: str = "") -> Link:
    """A link object (7.2)."""
    told = {"href": href, "rel": rel}
    if media_type:
        told["type"] = media_type
    if title:
        told["title"] = title
    return told


def own_links(
    incoming: Incoming, formats: Mapping[str, str], params: Mapping[str, Any] | None = None
) -> list[Link]:
    """The links `self` and `alternate` of what was asked for, each with its media type.

    Args:
        params: of the request; those that came when not given.
    """
    kept = dict(incoming.params if params is None else params)
    here = origin(incoming) + incoming.raw_path
    links = []
    for word, media_type in formats.items():
        wanted = urlencode({**kept, "f": word}, quote_via=quote)
        rel = "self" if media_type == incoming.accept else "alternate"
        links.append(link(f"{here}?{wanted}", rel, media_type))
    if incoming.accept not in formats.values():
        # The plain `application/json` that some callers insist on is the first format, told as that.
        links[0] = link(links[0]["href"], "self", incoming.accept)
    return sorted(links, key=lambda each: each["rel"] != "self")


def languages_of(incoming: Incoming) -> str:
    """The reader's language ranges: `lang`, else Accept-Language, else the city's first language.

    Raises:
        BadRequestData: `lang` is no list of language ranges.
    """
    city = incoming.services.city.languages
    fallback = city[0] if city else "en"
    asked = incoming.params.text("lang")
    if asked is not None:
        choose_language(LANGUAGES, asked)
        return asked
    accepted = incoming.headers.get("accept-language", "")
    try:
        choose_language(LANGUAGES, accepted)
    except BadRequestData:
        return fallback
    return accepted


def page_language(incoming: Incoming) -> str:
    """In which of our own languages a page speaks."""
    return str(choose_language(LANGUAGES, languages_of(incoming))[1])


async def read(incoming: Incoming, work: Callable[[Snapshot], T]) -> T:
    """Runs a reading work off the event loop, when the caller may see the map."""
    services = incoming.services
    services.access.check(incoming.call, "read", "map")
    return await asyncio.wrap_future(services.store.read(work))


def json_answer(incoming: Incoming, body: Any, links: Iterable[Link] = ()) -> Response:
    """A JSON body with its links in the head, too."""
    return told(incoming, Response(encode(body), media_type=incoming.accept), links)


def told(incoming: Incoming, response: Response, links: Iterable[Link] = ()) -> Response:
    """The response with its links in the head, and with what it depends on."""
    response.headers["Vary"] = "Accept, Accept-Language"
    for each in links:
        media_type = f'; type="{each["type"]}"' if "type" in each else ""
        response.headers.append("Link", f'<{each["href"]}>; rel="{each["rel"]}"{media_type}')
    return response
