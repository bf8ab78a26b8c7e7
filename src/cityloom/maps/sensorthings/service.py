"""One request to the service: its path followed from set to set, and the answer to it.

Source: OGC 18-088 clause 9.2 (service root, resource paths), 9.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from msgspec import UNSET, Struct, UnsetType

from cityloom.maps.sensorthings.answer import Answers, Source
from cityloom.maps.sensorthings.model import KINDS, Kind, self_link
from cityloom.maps.sensorthings.options import read_options
from cityloom.maps.sensorthings.root import OPTIONS
from cityloom.maps.sensorthings.rows import Row
from cityloom.maps.sensorthings.view import Lens, View
from cityloom.model.errors import BadRequestData, InvalidRequest, ResourceNotFound
from cityloom.store.ports import Snapshot

_MOST_SEGMENTS: Final = 20
_SEGMENT: Final = re.compile(r"([A-Za-z]+)(?:\((.*)\))?", re.DOTALL)
_OF_ENTITY: Final = frozenset({"$expand", "$select"})
_OF_REFS: Final = OPTIONS - {"$expand", "$select", "$resultFormat"}


class Answer(Struct, frozen=True):
    """What to answer: a JSON value, or a text as it is; both unset where a property has no value."""

    json: Any | UnsetType = UNSET
    text: str | UnsetType = UNSET


class _Place(Struct, frozen=True):
    """Where a path leads: to a collection (`row` None), or to one row of it."""

    source: Source
    row: Row | None = None


def answer(
    snapshot: Snapshot, lens: Lens, raw_path: str, params: Mapping[str, str], largest_page: int
) -> Answer:
    """The answer to a request below the service root.

    Args:
        raw_path: percent-encoded, without the root and its slash.
        params: the query options, decoded.
        largest_page: the most entities of one collection in an answer.

    Raises:
        ResourceNotFound: the path leads nowhere.
        BadRequestData, InvalidRequest, NotBuilt: an option is wrong or not built.
        TooComplexQuery: it would look at too much.
    """
    view = View(snapshot, lens)
    segments = [unquote(segment) for segment in split_path(raw_path)]
    ending = segments.pop() if segments[-1] in ("$ref", "$value") else ""
    place, rest = _follow(view, segments)
    answers = Answers(view, largest_page)
    if rest:
        _allow(params, frozenset())
        return _property(view, place, rest, ending)
    if ending == "$value":
        raise BadRequestData("$value is invalid here: it stands behind a property")
    kind = place.source.kind
    if place.row is None:
        _allow(params, _OF_REFS if ending else OPTIONS)
        options = read_options(params, kind)
        return Answer(json=answers.collection(place.source, options, refs=bool(ending)))
    if ending:
        _allow(params, frozenset())
        return Answer(json={"@iot.selfLink": self_link(view, kind, place.row.id)})
    _allow(params, _OF_ENTITY)
    return Answer(json=answers.entity(kind, place.row, read_options(params, kind)))


def split_path(raw: str) -> list[str]:
    """The segments of a percent-encoded path; a slash between quotes separates nothing.

    Raises:
        ResourceNotFound: it has no segment, an empty one, or too many.
    """
    quoted = False
    segments = [""]
    for part in re.split(r"('|%27|/)", raw):
        if part == "/" and not quoted:
            segments.append("")
            continue
        if part in ("'", "%27"):
            quoted = not quoted
        segments[-1] += part
    if not all(segments) or len(segments) > _MOST_SEGMENTS:
        raise ResourceNotFound(f"the path {raw[:200]} does not exist")
    return segments


def _follow(view: View, segments: list[str]) -> tuple[_Place, list[str]]:
    """Where a path leads, and what of it names a property there."""
    if not segments:
        raise ResourceNotFound("the path does not exist: it names no entity set")
    name, id = _parse_segment(segments[0])
    kind = KINDS.get(name)
    if kind is None:
        raise ResourceNotFound(f"the entity set {name[:100]!r} does not exist; {', '.join(KINDS)} do")
    place = _Place(Source(kind, f"{view.lens.root}/{name}"))
    if id is not None:
        place = _Place(place.source, _found(view, kind, id))
    for at, segment in enumerate(segments[1:], start=1):
        if place.row is None:
            raise ResourceNotFound(f"the path does not exist: {segment[:100]} behind a collection")
        name, id = _parse_segment(segment)
        link = place.source.kind.links.get(name)
        if link is None:
            return place, segments[at:]
        place = _step(view, place.source.kind, place.row, name, id)
    return place, []


def _step(view: View, kind: Kind, row: Row, name: str, id: str | None) -> _Place:
    link = kind.links[name]
    target = KINDS[link.target]
    source = Source(target, f"{self_link(view, kind, row.id)}/{name}", row, name)
    if not link.many:
        end = next(view.related(row, name), None)
        if id is not None or end is None:
            raise ResourceNotFound(
                f"{name} of {row.id} does not exist" if id is None else f"{name} takes no id"
            )
        return _Place(source, end)
    if id is None:
        return _Place(source)
    found = _found(view, target, id)
    if not _leads_to(view, kind, row, name, found):
        raise ResourceNotFound(f"{target.name}({id!r}) does not exist on {row.id}")
    return _Place(source, found)


def _leads_to(view: View, kind: Kind, row: Row, name: str, found: Row) -> bool:
    """Whether `found` is among the rows that `name` leads to: looked for from the side that has fewer."""
    if kind.links[name].target != "Observations":
        return any(each.id == found.id for each in view.related(row, name))
    return any(
        end.id == row.id
        for back, link in KINDS["Observations"].links.items()
        if link.target == kind.name
        for end in view.related(found, back)
    )


def _found(view: View, kind: Kind, id: str) -> Row:
    row = view.find(kind.name, id)
    if row is None:
        raise ResourceNotFound(f"{kind.name}({id[:200]!r}) does not exist")
    return row


def _parse_segment(segment: str) -> tuple[str, str | None]:
    """The name and the id of a segment; ids are texts in quotes, a quote in them doubled."""
    match = _SEGMENT.fullmatch(segment)
    if match is None:
        return segment, None
    name, id = match.groups()
    if id is not None and len(id) > 1 and id[0] == id[-1] == "'":
        id = id[1:-1].replace("''", "'")
    return name, id


def _property(view: View, place: _Place, names: list[str], ending: str) -> Answer:
    """`{"name": value}` of a property (or of a member of it), or the value alone."""
    known = place.source.kind.properties.get(names[0])
    if names in (["id"], ["@iot.id"]) and place.row is not None:
        value: Any = place.row.id
    elif known is None or place.row is None or ending == "$ref":
        listed = ", ".join([*place.source.kind.properties, *place.source.kind.links])
        raise ResourceNotFound(
            f"{names[0][:100]} does not exist on {place.source.kind.name}, which have {listed}"
        )
    else:
        value = known.get(view, place.row)
        for name in names[1:]:
            if not isinstance(value, dict) or name not in value:
                raise ResourceNotFound(f"{'/'.join(names)[:200]} does not exist on {place.row.id}")
            value = value[name]
    if value is None:
        return Answer()
    if ending == "$value" and isinstance(value, str):
        return Answer(text=value)
    return Answer(json=value if ending == "$value" else {names[-1]: value})


def _allow(params: Mapping[str, str], allowed: frozenset[str]) -> None:
    for name in params:
        if name not in allowed:
            raise InvalidRequest(f"parameter {name} is invalid: it has no meaning for this path")
