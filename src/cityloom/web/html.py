"""HTML for people who open an address of the API in a browser: elements that escape what they hold.

Text becomes HTML in one place, `escape` below; nothing else here takes markup.
The pages run no script, load nothing from elsewhere and say so in their policy.

Source: HTML Living Standard; CSP Level 3.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from starlette.responses import Response

HTML: Final = "text/html"
_VOID: Final = frozenset({"meta", "link", "br", "hr"})

_STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--accent:#0b57a4}
@media (prefers-color-scheme:dark){:root{--accent:#8cc4ff}}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1rem}
a{color:var(--accent)}a:focus-visible{outline:3px solid;outline-offset:2px}
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}
nav a{display:inline-block;padding:.25rem 0;min-height:1.5rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;min-width:100%}
caption{text-align:start;padding:.5rem 0;font-weight:600}
th,td{border-bottom:1px solid var(--line);padding:.4rem .75rem .4rem 0;text-align:start;vertical-align:top}
td{overflow-wrap:anywhere;min-width:5rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
"""
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        f"style-src 'sha256-{_DIGEST}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)


class Markup(str):
    """Text that is HTML already; made by `element` alone."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def element(name: str, *children: Child, **attributes: str | None) -> Markup:
    """One element; children that are no `Markup` are escaped, attributes always.

    Args:
        name: an HTML element's name, never from data.
        attributes: `class_` is `class`; None leaves one out.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{_inner(children)}</{name}>")


def _inner(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(child)
    if isinstance(child, int | float):
        return escape(str(child))
    return "".join(_inner(each) for each in child)


def table(caption: str, head: Iterable[str], rows: Iterable[Iterable[Child]]) -> Markup:
    """A table whose first cell of each row is that row's heading; scrolls by itself on a narrow screen."""
    body = []
    for row in rows:
        first, *others = row
        cells = [element("th", first, scope="row"), *(element("td", cell, dir="auto") for cell in others)]
        body.append(element("tr", cells))
    columns = [element("th", text, scope="col") for text in head]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", columns)),
        element("tbody", body),
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def html_page(
    title: str, language: str, *body: Child, alternates: Iterable[Mapping[str, Any]] = (), status: int = 200
) -> Response:
    """A whole document.

    Args:
        language: tag of the page's own words.
        alternates: links of the resource, `{href, rel, type}`.
    """
    links = [
        element("link", rel=link["rel"], type=link.get("type"), href=link["href"])
        for link in alternates
        if link["rel"] in ("alternate", "next", "prev")
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        links,
        # The digest in the policy is that of the text between the tags.
        Markup(f"<style>{_STYLE}</style>"),
    )
    page = "<!doctype html>" + element("html", head, element("body", element("main", body)), lang=language)
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    return Response(page, status_code=status, media_type=HTML, headers=headers)
