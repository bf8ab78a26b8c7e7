"""The table `sight`: what a map and a search need of an entity, kept narrow beside its body."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, NamedTuple

import msgspec

from cityloom.model.entity import LOCATION, Attribute, Entity
from cityloom.query.geometry import point_of
from cityloom.store.tables.base.session import Session

NAMES: Final = ("/name", "#name")
"""How the IRIs of what is shown as an entity's name end."""
_FOUND_BY: Final = (*NAMES, "/alternateName", "#alternateName")
_DIMENSIONS: Final = {
    "Point": 0,
    "MultiPoint": 0,
    "LineString": 1,
    "MultiLineString": 1,
    "Polygon": 2,
    "MultiPolygon": 2,
}
_LONGEST: Final = 1000
"""Characters of one name that are searched: more is a text, not a name."""
_BETWEEN_WORDS = re.compile(r"[\W_]+")

_encode = msgspec.json.Encoder().encode


class Sight(NamedTuple):
    """One row of `sight`, without its key."""

    type: int
    text: str
    id: str
    dimension: int | None
    lon: float | None
    lat: float | None
    name: str | bytes | None


def is_shown(name: str) -> bool:
    """Whether a change of this attribute changes the entity's sight."""
    return name == LOCATION or name.endswith(_FOUND_BY)


def sight_of(entity: Entity, types: list[int]) -> Sight:
    """What is kept of an entity.

    Args:
        types: the numbers of its types.
    """
    located = default_instance(entity.attributes.get(LOCATION, []))
    value = located.value if located is not None and located.kind == "GeoProperty" else None
    point = point_of(value)
    kind = value.get("type") if isinstance(value, dict) else None
    names = [name for name in entity.attributes if name.endswith(_FOUND_BY)]
    shown = next((name for name in names if name.endswith(NAMES)), None)
    told = default_instance(entity.attributes[shown]) if shown is not None else None
    return Sight(
        types[0] if types else 0,
        _text_of([each.value for name in names for each in entity.attributes[name]]),
        entity.id,
        _DIMENSIONS.get(str(kind)),
        point[0] if point is not None else None,
        point[1] if point is not None else None,
        _stored_name(told.value if told is not None else None),
    )


def write_sight(session: Session, key: int, tenant: int, sight: Sight) -> None:
    """Makes `sight` what is shown of the entity with row `key`."""
    session.change(
        "INSERT INTO sight (row, tenant, type, text, id, dimension, lon, lat, name)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (row) DO UPDATE SET tenant = excluded.tenant,"
        " type = excluded.type, text = excluded.text, id = excluded.id, dimension = excluded.dimension,"
        " lon = excluded.lon, lat = excluded.lat, name = excluded.name",
        (key, tenant, *sight[:-1], session.dialect.stored_name(sight.name)),
    )


def default_instance(instances: list[Attribute]) -> Attribute | None:
    """The default instance, or else the first."""
    if len(instances) == 1:
        return instances[0]
    return next((each for each in instances if not each.dataset_id), instances[0] if instances else None)


def _stored_name(value: Any) -> str | bytes | None:
    if isinstance(value, str):
        return value
    return _encode(value) if isinstance(value, dict) and value else None


def _text_of(values: list[Any]) -> str:
    """The names between line ends: what begins, ends or is whole can be told from the text alone."""
    texts: list[str] = []
    for value in values:
        if isinstance(value, dict):
            members = value.values()
            texts += [
                text for member in members for text in (member if isinstance(member, list) else [member])
            ]
        else:
            texts.append(value)
    folded = dict.fromkeys(fold(text) for text in texts if isinstance(text, str))
    folded.pop("", None)
    return "\n" + "".join(f"{text}\n" for text in folded) if folded else ""


def fold(text: str) -> str:
    """A text as it is searched: without case, accents and width, words between single spaces."""
    text = text[:_LONGEST]
    if not text.isascii():
        spread = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(char for char in spread if not unicodedata.combining(char))
    return _BETWEEN_WORDS.sub(" ", text.casefold()).strip()
