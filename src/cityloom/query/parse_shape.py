"""Parsers of what orders an answer and what of an entity it shows.

Source: ETSI GS CIM 009 clauses 4.21 (pick, omit), 4.23 (orderBy), 4.5.5 (datasetId), 4.15 (lang).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cityloom.model.errors import BadRequestData
from cityloom.query.collation import check_collation
from cityloom.query.geometry import GEOMETRY_TYPES, check_reference
from cityloom.query.parse_q import attribute_name, read_path
from cityloom.query.scanner import Scanner, is_name, is_uri
from cityloom.query.values import OrderBy, OrderTerm, Projection

_DIRECTIONS = {
    "asc": (False, False),
    "desc": (True, False),
    "dist-asc": (False, True),
    "dist-desc": (True, True),
}
"""descending, by distance"""


def words(value: Any, parameter: str) -> list[str]:
    """The items of a list parameter: text with commas, or an array of texts.

    Raises:
        BadRequestData: it is neither, or an item is empty.
    """
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise BadRequestData(f"{parameter} is invalid: a list of texts is required")
    for place, item in enumerate(items):
        if not isinstance(item, str) or not item.strip():
            raise BadRequestData(f"{parameter}[{place}] is invalid: a text that is not empty is required")
    return [item.strip() for item in items]


def split_names(value: Any) -> list[str]:
    """The short names of `expandValues` or `jsonKeys`; none where it is left out."""
    return [name.strip() for name in value.split(",")] if isinstance(value, str) and value else []


def parse_geometry(kind: Any, coordinates: Any, place: str) -> dict[str, Any]:
    """A reference geometry from its type and coordinates (JSON text, or an array already).

    Raises:
        BadRequestData: they make no valid geometry in CRS84 degrees.
    """
    if kind not in GEOMETRY_TYPES:
        raise BadRequestData(f"geometry is invalid: {kind!r}; one of {', '.join(GEOMETRY_TYPES)} is required")
    if isinstance(coordinates, str):
        try:
            coordinates = json.loads(coordinates)
        except (ValueError, RecursionError) as error:
            raise BadRequestData(f"{place} is invalid: a JSON array is required: {error}") from None
    geometry = {"type": kind, "coordinates": coordinates}
    check_reference(geometry, place)
    return geometry


def parse_order_by(parameters: Mapping[str, Any], expand: Callable[[str], str]) -> OrderBy | None:
    """Reads `orderBy` with `collation`, `orderFrom` and `orderGeometry`; None when there is no `orderBy`.

    Raises:
        BadRequestData: one of them is invalid, or an order by distance lacks `orderFrom`.
    """
    collation = parameters.get("collation")
    if collation is not None:
        check_collation(collation)
    given = parameters.get("orderBy")
    if given is None:
        return None
    scanner = Scanner(",".join(words(given, "orderBy")), "orderBy")
    terms = [_order_term(scanner, expand)]
    while scanner.take(","):
        terms.append(_order_term(scanner, expand))
    scanner.expect_end()
    geometry = None
    if parameters.get("orderFrom") is not None:
        kind = parameters.get("orderGeometry") or "Point"
        geometry = parse_geometry(kind, parameters["orderFrom"], "orderFrom")
    if geometry is None and any(term.by_distance for term in terms):
        raise BadRequestData("orderFrom is required: orderBy asks for an order by distance")
    return OrderBy(terms, collation, geometry)


def _order_term(scanner: Scanner, expand: Callable[[str], str]) -> OrderTerm:
    scanner.count_term()
    scanner.skip_space()
    path, _ = read_path(scanner, expand)
    direction = "asc"
    if scanner.take(";"):
        start = scanner.position
        direction = scanner.until(",")
        if direction not in _DIRECTIONS:
            scanner.fail(f"{direction!r} is no direction; one of {', '.join(_DIRECTIONS)} is required", start)
    descending, by_distance = _DIRECTIONS[direction]
    return OrderTerm(path, descending, by_distance)


def parse_projection(
    parameters: Mapping[str, Any], expand: Callable[[str], str], join_level: int = 0
) -> Projection:
    """Reads `attrs`, `pick`, `omit`, `datasetId` and `lang`; each list as text or as an array.

    Args:
        parameters: the caller's, by their names on the wire; others are not looked at.
        expand: gives the IRI of a short name.
        join_level: how deep linked entities are retrieved; names in braces may not reach deeper.

    Raises:
        BadRequestData: one of them is invalid; names the parameter and the position.
    """
    attrs = parameters.get("attrs")
    datasets = parameters.get("datasetId")
    lang = parameters.get("lang")
    if lang is not None and (not isinstance(lang, str) or not lang.strip()):
        raise BadRequestData("lang is invalid: a language tag is required")
    projection = Projection(
        attrs=[] if attrs is None else [path[0] for path in _names(attrs, "attrs", expand, 0)],
        pick=_picked(parameters, "pick", expand, join_level),
        omit=_picked(parameters, "omit", expand, join_level),
        dataset_ids=[] if datasets is None else parse_dataset_ids(datasets),
        lang=lang,
    )
    _refuse_contradiction(projection)
    return projection


def _refuse_contradiction(projection: Projection) -> None:
    """`attrs` names attributes alone and is another word for `pick` (6.5.3.1): one of them is told."""
    for name in ("id", "type", "scope"):
        if name in projection.attrs:
            raise BadRequestData(f"attrs is invalid: {name!r} is no attribute; use pick")
    if projection.attrs and (projection.pick or projection.omit):
        raise BadRequestData("attrs is invalid together with pick or omit: it is another word for pick")
    both = [path for path in projection.pick if path in projection.omit]
    if both:
        raise BadRequestData(f"omit is invalid: {both[0][-1]!r} is picked as well")


def parse_dataset_ids(value: Any) -> list[str]:
    """Reads `datasetId`: URIs, or `@none` for the default instance (4.5.5). Raises BadRequestData."""
    items = words(value, "datasetId")
    for item in items:
        if item != "@none" and not is_uri(item):
            raise BadRequestData(f"datasetId is invalid: {item!r} is no URI and not @none")
    return items


def _picked(
    parameters: Mapping[str, Any], parameter: str, expand: Callable[[str], str], join_level: int
) -> list[tuple[str, ...]]:
    given = parameters.get(parameter)
    return [] if given is None else _names(given, parameter, expand, join_level)


def _names(
    value: Any, parameter: str, expand: Callable[[str], str], join_level: int
) -> list[tuple[str, ...]]:
    """Projection terms as paths: `a{b,c}` is (a, b) and (a, c)."""
    text = (
        ",".join(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value
    )
    scanner = Scanner(text, parameter)
    paths = _projection_terms(scanner, expand, join_level)
    scanner.expect_end()
    return paths


def _projection_terms(
    scanner: Scanner, expand: Callable[[str], str], join_level: int
) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    while True:
        scanner.count_term()
        scanner.skip_space()
        start = scanner.position
        name = scanner.until(",|{}")
        if not (is_name(name) or is_uri(name)):
            scanner.fail(f"{name!r} is no name of an attribute or member", start)
        head = attribute_name(name, expand)
        if scanner.take("{"):
            scanner.enter()
            if join_level < 1:
                scanner.fail(
                    "names in braces reach linked entities deeper than join and joinLevel retrieve them"
                )
            paths.extend((head, *tail) for tail in _projection_terms(scanner, expand, join_level - 1))
            if not scanner.take("}"):
                scanner.fail("a closing brace is required")
            scanner.leave()
            scanner.skip_space()
        else:
            paths.append((head,))
        if not scanner.take_any((",", "|")):
            return paths
