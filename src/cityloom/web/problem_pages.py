"""Errors for a person who opened an address in a browser: the same problem, as a page with a way back.

It tells nothing of the city: whoever asks may not have the right to read it.

Source: RFC 9457; RFC 9110 clause 12.5.1 (Accept).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from starlette.responses import Response
from starlette.types import Scope

from cityloom.ld.language import choose_language
from cityloom.model.errors import BadRequestData, CityloomError, NotAcceptable
from cityloom.web.body import JSON, accepted
from cityloom.web.headers import Headers
from cityloom.web.html import HTML, element, html_page
from cityloom.web.ogc_words import LANGUAGES, WORDS
from cityloom.web.origin import OGC_ROOT, origin_of
from cityloom.web.problem import PROBLEM_MEDIA_TYPE, problem_of, problem_response
from cityloom.web.services import Services

_COLLECTIONS: Final = f"{OGC_ROOT}/collections"
_LONGEST_QUERY: Final = 10_000
_KEPT: Final = ("WWW-Authenticate", "Retry-After", "Allow")


def problem_answer(error: CityloomError, scope: Scope, services: Services) -> Response:
    """The problem as JSON, or as a page for who asks for HTML (by `f`, else by Accept)."""
    response, headers = problem_response(error, ngsi_ld=False), Headers(scope["headers"])
    asked = _asked(scope)
    if _wants_page(asked, headers):
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        response = _page(error, asked, scope["path"], headers, services)
        response.headers.update(kept)
    response.headers["Vary"] = "Accept, Accept-Language"
    return response


def _asked(scope: Scope) -> dict[str, str]:
    """The query parameters, whatever is wrong with them."""
    text = scope["query_string"][:_LONGEST_QUERY].decode("ascii", "replace")
    return dict(parse_qsl(text))


def _wants_page(asked: dict[str, str], headers: Headers) -> bool:
    if "f" in asked:
        return asked["f"] == "html"
    try:
        return accepted(headers, (PROBLEM_MEDIA_TYPE, JSON, HTML)) == HTML
    except NotAcceptable:
        return False


def _page(
    error: CityloomError, asked: dict[str, str], path: str, headers: Headers, services: Services
) -> Response:
    language = _language(asked, headers, services)
    problem, words, here = problem_of(error), WORDS[language], origin_of(services.settings, headers)
    back = [
        (f"{here}/", words["start"]),
        (here + OGC_ROOT, words["home"]),
        (here + _COLLECTIONS, words["collections"]),
    ]
    collection = path.removeprefix(f"{_COLLECTIONS}/").partition("/")[0]
    if path.startswith(f"{_COLLECTIONS}/{collection}/") and problem["status"] == 400:
        # What was asked of it is wrong, not the collection.
        name = unquote(collection)
        back.append((f"{here}{_COLLECTIONS}/{quote(name, safe='')}", name))
    entries = [element("li", element("a", name, href=href)) for href, name in back]
    title = words.get(f"problem_{problem['status']}", words["problem"])
    return html_page(
        title,
        language,
        element("h1", title),
        element("p", problem["detail"], lang="en", dir="auto"),
        element("nav", element("ul", entries), aria_label=words["back"]),
        status=problem["status"],
    )


def _language(asked: dict[str, str], headers: Headers, services: Services) -> str:
    for wanted in (asked.get("lang"), headers.get("accept-language"), *services.city.languages[:1]):
        try:
            if wanted:
                return str(choose_language(LANGUAGES, wanted)[1])
        except BadRequestData:
            continue
    return "en"
