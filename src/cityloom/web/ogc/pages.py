"""The resources below `/ogc` as HTML: for a person who follows the links, on a phone too.

Source: OGC 17-069r4 clause 8.2 (requirements class "HTML").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from cityloom.ld.language import choose_language
from cityloom.web.answers import encode
from cityloom.web.html import Child, Markup, element, html_page, table
from cityloom.web.incoming import Incoming
from cityloom.web.ogc.shared import Link, origin, page_language, told, url_of
from cityloom.web.ogc_words import WORDS

_MOST_COLUMNS: Final = 12
_LONGEST_CELL: Final = 300
_SELF: Final = frozenset({"self", "alternate"})


class Pages:
    """Pages of one request, in its language."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self.language = page_language(incoming)
        self.words = WORDS[self.language]

    def landing(self, links: Sequence[Link]) -> Response:
        """The landing page."""
        body = [element("p", self.words["city"]), self._nav(self.words["where"], links[2:])]
        return self._page(self.city_name(), [], links, body)

    def conformance(self, classes: Sequence[str], links: Sequence[Link]) -> Response:
        """The conformance classes."""
        body = element("ul", [element("li", each) for each in classes])
        return self._page(self.words["conformance"], [], links, [body])

    def collections(self, documents: Sequence[dict[str, Any]], links: Sequence[Link]) -> Response:
        """Every collection."""
        words = self.words
        rows = [
            [
                element("a", each["title"], href=url_of(self._incoming, "collections", each["id"])),
                each["id"],
                element("a", words["items"], href=url_of(self._incoming, "collections", each["id"], "items")),
            ]
            for each in documents
        ]
        body = table(words["collections"], [words["title"], words["id"], words["items"]], rows)
        return self._page(words["collections"], [], links, [body])

    def collection(self, document: dict[str, Any], links: Sequence[Link]) -> Response:
        """One collection: what it is, and all its links."""
        words = self.words
        box = document.get("extent", {}).get("spatial", {}).get("bbox", [[]])[0]
        rows: list[list[Child]] = [
            [words["id"], document["id"]],
            [words["extent"], ", ".join(f"{each:.5f}" for each in box) or words["none"]],
            [words["crs"], element("ul", [element("li", each) for each in document["crs"]])],
        ]
        body = [
            element("p", document["description"]),
            table(words["collection"], [words["attribute"], words["value"]], rows),
            self._nav(words["data"], [_in_format(each) for each in links if each["rel"] not in _SELF]),
        ]
        return self._page(document["title"], [], links, body)

    def queryables(self, document: dict[str, Any], collection: str, links: Sequence[Link]) -> Response:
        """The properties of a collection."""
        words = self.words
        rows = [
            [
                name,
                schema.get("title", ""),
                " ".join([_text(schema.get("type", "")), schema.get("format", "")]),
                schema.get("x-ogc-unit", ""),
                ", ".join(str(each) for each in schema.get("enum", schema.get("examples", []))),
            ]
            for name, schema in document["properties"].items()
        ]
        head = [words["attribute"], words["title"], words["type"], words["unit"], words["values"]]
        body = table(words["queryables"], head, rows)
        return self._page(words["queryables"], [collection], links, [body])

    def items(self, title: str, collection: str, document: dict[str, Any], links: Sequence[Link]) -> Response:
        """One page of features, the first properties of each."""
        words, features = self.words, document["features"]
        names = list(dict.fromkeys(name for each in features for name in each["properties"]))[:_MOST_COLUMNS]
        rows = [
            [
                element(
                    "a",
                    each["id"],
                    href=url_of(self._incoming, "collections", collection, "items", each["id"]),
                ),
                *(_text(each["properties"].get(name), _LONGEST_CELL) for name in names),
                _kind(each["geometry"]),
                element("a", words["map"], href=self._map(each["id"])),
            ]
            for each in features
        ]
        matched = words["matched"].format(
            returned=document["numberReturned"], matched=document["numberMatched"]
        )
        turning = [link | {"title": words[link["rel"]]} for link in links if link["rel"] in ("prev", "next")]
        head = [words["id"], *names, words["geometry"], words["map"]]
        body = [element("p", matched), self._nav(words["items"], turning), table(title, head, rows)]
        return self._page(title, [collection], links, body)

    def feature(self, collection: str, document: dict[str, Any], links: Sequence[Link]) -> Response:
        """One feature, whole."""
        words = self.words
        rows = [[name, _text(value)] for name, value in document["properties"].items()]
        body = [
            element("p", element("a", words["map"], href=self._map(document["id"]))),
            table(words["items"], [words["attribute"], words["value"]], rows),
            element("h2", words["geometry"]),
            element("pre", _text(document["geometry"]) or words["none"], tabindex="0"),
        ]
        return self._page(document["id"], [collection, "items"], links, body)

    def tile_matrix_sets(self, known: Sequence[dict[str, Any]], links: Sequence[Link]) -> Response:
        """The tile matrix sets."""
        words = self.words
        rows = [[element("a", each["id"], href=each["links"][0]["href"]), each["uri"]] for each in known]
        body = table(words["matrix_sets"], [words["id"], words["type"]], rows)
        return self._page(words["matrix_sets"], [], links, [body])

    def tile_matrix_set(self, document: dict[str, Any], links: Sequence[Link]) -> Response:
        """One tile matrix set: its zoom levels."""
        words = self.words
        rows = [
            [each["id"], f"{each['scaleDenominator']:,.0f}", each["matrixWidth"], each["matrixHeight"]]
            for each in document["tileMatrices"]
        ]
        head = [words["tile_matrix"], words["scale"], words["columns"], words["rows"]]
        return self._page(document["id"], [], links, [table(document["title"], head, rows)])

    def tilesets(self, item: dict[str, Any], collection: str, links: Sequence[Link]) -> Response:
        """The tilesets of a collection: one."""
        words = self.words
        leading = [
            each | {"title": words[title]}
            for each, title in zip(item["links"], ("tiles", "tiling_scheme"), strict=True)
        ]
        body = [self._on_map(collection), self._nav(words["tiles"], leading)]
        return self._page(f"{words['tiles']}: {item['title']}", [collection], links, body)

    def tileset(
        self, document: dict[str, Any], collection: str, template: str, links: Sequence[Link]
    ) -> Response:
        """One tileset: where its tiles are, and what is in them.

        Args:
            template: the address of a tile, with {tileMatrix}, {tileRow} and {tileCol}.
        """
        words, limits = self.words, document["tileMatrixSetLimits"]
        spans = [
            [
                each["tileMatrix"],
                f"{each['minTileCol']} – {each['maxTileCol']}",
                f"{each['minTileRow']} – {each['maxTileRow']}",
            ]
            for each in limits
        ]
        (layer,) = document["layers"]
        fields = [[name, schema["title"]] for name, schema in layer["propertiesSchema"]["properties"].items()]
        whole = {"href": _whole_tile(template, limits), "rel": "item", "title": words["one_tile"]}
        leading = [*(each for each in links if each["rel"] not in _SELF), whole]
        body = [
            self._on_map(collection),
            element("h2", words["address"]),
            element("pre", _filled(template, "{z}", "{y}", "{x}"), tabindex="0"),
            self._nav(words["data"], leading),
            table(words["matrices"], [words["tile_matrix"], words["columns"], words["rows"]], spans),
            table(words["attribute"], [words["attribute"], words["title"]], fields),
        ]
        return self._page(f"{words['tiles']}: {collection}", [collection, "tiles"], links, body)

    def api(self, document: dict[str, Any], links: Sequence[Link]) -> Response:
        """The operations and their parameters."""
        words = self.words
        rows = [
            [
                f"{method.upper()} {document['servers'][0]['url']}{path}",
                operation["summary"],
                ", ".join(each["name"] for each in operation["parameters"]),
            ]
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        body = table(words["api"], [words["path"], words["operation"], words["parameters"]], rows)
        return self._page(words["api"], [], links, [body])

    def city_name(self) -> str:
        """The city's name in the page's language."""
        names = self._incoming.services.city.name
        return str(choose_language(names, self.language)[1]) if names else "Cityloom"

    def _map(self, entity_id: str) -> str:
        return f"{origin(self._incoming)}/?{urlencode({'id': entity_id})}"

    def _on_map(self, collection: str) -> Markup:
        href = f"{origin(self._incoming)}/?{urlencode({'layers': collection})}"
        return element("p", element("a", self.words["map"], href=href))

    def _nav(self, label: str, links: Iterable[Link]) -> Markup | None:
        entries = [
            element(
                "li", element("a", _label(each), href=each["href"], rel=each["rel"], type=each.get("type"))
            )
            for each in links
        ]
        return element("nav", element("ul", entries), aria_label=label) if entries else None

    def _page(self, title: str, way: Sequence[str], links: Sequence[Link], body: Child) -> Response:
        """A page with the way to it above and its other formats below.

        Args:
            way: the collection's id, and `items` or `tiles` for what is below them.
        """
        words, incoming = self.words, self._incoming
        trail = [
            link | {"title": name}
            for link, name in (
                ({"href": f"{origin(incoming)}/", "rel": "up"}, self.city_name()),
                ({"href": url_of(incoming), "rel": "up"}, words["home"]),
                ({"href": url_of(incoming, "collections"), "rel": "up"}, words["collections"]),
            )
        ]
        for depth in range(len(way)):
            href = url_of(incoming, "collections", *way[: depth + 1])
            name = words[way[depth]] if depth else way[0]
            trail.append({"href": href, "rel": "up", "title": name})
        others = [each for each in links if each["rel"] in _SELF]
        whole = [
            self._nav(words["where"], trail),
            element("h1", title, dir="auto"),
            body,
            self._nav(words["formats"], others),
        ]
        city = self.city_name()
        response = html_page(
            title if title == city else f"{title} · {city}", self.language, whole, alternates=links
        )
        return told(incoming, response, links)


def _in_format(link: Link) -> Link:
    """A link that a browser, which asks for HTML, follows to GeoJSON all the same."""
    if link["rel"] == "items" and "?" not in link["href"]:
        return link | {"href": f"{link['href']}?f=json"}
    return link


def _whole_tile(template: str, limits: Sequence[dict[str, Any]]) -> str:
    """The smallest tile that holds the whole collection."""
    for each in reversed(limits):
        column, row = each["minTileCol"], each["minTileRow"]
        if (column, row) == (each["maxTileCol"], each["maxTileRow"]):
            break
    return _filled(template, each["tileMatrix"], str(row), str(column))


def _filled(template: str, matrix: str, row: str, column: str) -> str:
    """The address of a tile with these in the places of its variables."""
    for name, value in {"{tileMatrix}": matrix, "{tileRow}": row, "{tileCol}": column}.items():
        template = template.replace(name, value)
    return template


def _label(link: Link) -> str:
    if link["rel"] in _SELF and "title" not in link:
        return str(link.get("type", link["rel"]))
    title = str(link.get("title", link["rel"]))
    return f"{title} ({link['type']})" if "type" in link and link["rel"] == "items" else title


def _kind(geometry: Any) -> str:
    return str(geometry["type"]) if geometry else ""


def _text(value: Any, longest: int | None = None) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else encode(value).decode()
    return text if longest is None or len(text) <= longest else text[:longest] + "…"
