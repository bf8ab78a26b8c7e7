"""Features as GeoJSON, written in pieces so that no more than the answer itself is held.

Source: RFC 7946; OGC 17-069r4 clauses 7.16 and 8.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from cityloom.maps.crs import Crs
from cityloom.maps.features import Writer, geometry_of, reproject
from cityloom.model.entity import Entity

_PIECE: Final = 1000
_encode: Final = msgspec.json.Encoder().encode


def features_of(entities: Iterable[Entity], writer: Writer, crs: Crs) -> Iterator[list[dict[str, Any]]]:
    """Features in pieces: `{type, id, geometry, properties}`."""
    waiting = iter(entities)
    while piece := list(islice(waiting, _PIECE)):
        geometries = reproject([geometry_of(entity) for entity in piece], crs)
        yield [
            {
                "type": "Feature",
                "id": entity.id,
                "geometry": geometry,
                "properties": writer.properties(entity),
            }
            for entity, geometry in zip(piece, geometries, strict=True)
        ]


def encode_collection(
    entities: Iterable[Entity], writer: Writer, crs: Crs, members: Iterable[tuple[str, Any]]
) -> bytes:
    """A FeatureCollection.

    Args:
        members: what else it tells; asked for after the last feature, when the counts are known.

    Cost: about 5 µs for each light feature.
    """
    body = bytearray(b'{"type":"FeatureCollection","features":[')
    first = True
    for features in features_of(entities, writer, crs):
        if not first:
            body += b","
        first = False
        body += _encode(features)[1:-1]
    body += b"]"
    for name, value in members:
        body += b"," + _encode(name) + b":" + _encode(value)
    body += b"}"
    return bytes(body)
