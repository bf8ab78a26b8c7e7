"""Lines and areas in a tile: clipped, simplified, on whole units, and always valid.

Broken geometry breaks no tile: an area that crosses itself is made simple, and what cannot be read
is drawn as its box. What is smaller than a unit is drawn one unit large, so that nothing that is
there goes unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely

from cityloom.maps.layer import AREA, LINE, POINT, areas, lines, points
from cityloom.maps.mercator import EXTENT, Numbers, TileAddress, to_unit
from cityloom.query.geometry import GEOMETRY_TYPES

BUFFER: Final = 80
"""Units around a tile that lines and areas reach into: ten pixels of 512, for wide strokes."""
_TOLERANCE: Final = 1.0
"""Units that simplifying may move a line: an eighth of a pixel."""
_THIN: Final = 1.0
"""Units to either side of an area that has no width."""
_FRAME: Final = (-BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)

Drawn = tuple[int, list[int]]
"""The kind of a feature, and its commands."""


def draw_shapes(
    geometries: Sequence[bytes | None],
    boxes: Numbers,
    dimensions: Sequence[int],
    tile: TileAddress,
) -> list[Drawn | None]:
    """Geometries as a tile holds them; None for those that the tile does not touch.

    Args:
        geometries: GeoJSON; None where the box is enough.
        boxes: west, south, east, north of each, in degrees; shape (n, 4).
        dimensions: 0 points, 1 lines, 2 areas.

    Cost: about 60 µs an area of a few vertices.
    """
    read = _read(geometries)
    frames = _boxes_in(boxes, tile)
    drawn: list[Drawn | None] = []
    for geometry, frame, dimension in zip(read, frames, dimensions, strict=True):
        if geometry is None:
            drawn.append(_mark(dimension, frame))
            continue
        placed = shapely.transform(geometry, lambda places: _into(places, tile))
        drawn.append(_draw(placed, dimension))
    return drawn


def _read(geometries: Sequence[bytes | None]) -> list[Any]:
    texts = np.array([None if each is None else each.decode() for each in geometries], dtype=object)
    try:
        found = shapely.force_2d(shapely.from_geojson(texts, on_invalid="ignore"))
    except shapely.errors.GEOSException:
        found = np.full(len(texts), None)
    return [each if each is not None and each.geom_type in GEOMETRY_TYPES else None for each in found]


def _into(places: Numbers, tile: TileAddress) -> Numbers:
    x, y = to_unit(places[:, 0], places[:, 1])
    count = 1 << tile.z
    return np.column_stack(((x * count - tile.x) * EXTENT, (y * count - tile.y) * EXTENT))


def _boxes_in(boxes: Numbers, tile: TileAddress) -> Numbers:
    """Boxes in units of the tile: left, top, right, bottom."""
    if not len(boxes):
        return np.empty((0, 4))
    corners = np.concatenate((boxes[:, [0, 3]], boxes[:, [2, 1]]))
    placed = _into(corners, tile)
    return np.hstack((placed[: len(boxes)], placed[len(boxes) :]))


def _draw(geometry: Any, dimension: int) -> Drawn | None:
    left, top, right, bottom = shapely.bounds(geometry)
    if not (left <= _FRAME[2] and right >= _FRAME[0] and top <= _FRAME[3] and bottom >= _FRAME[1]):
        return None
    inside = left >= _FRAME[0] and right <= _FRAME[2] and top >= _FRAME[1] and bottom <= _FRAME[3]
    if dimension == 0:
        return _draw_points(geometry)
    if dimension == 1:
        return _draw_lines(geometry, inside)
    return _draw_areas(geometry, inside)


def _draw_points(geometry: Any) -> Drawn | None:
    places = shapely.get_coordinates(geometry)
    kept = places[((places >= 0) & (places < EXTENT)).all(axis=1)]
    if not len(kept):
        return None
    whole = np.unique(np.minimum(np.rint(kept), EXTENT - 1).astype(int), axis=0)
    return POINT, points(whole.tolist())


def _draw_lines(geometry: Any, inside: bool) -> Drawn | None:
    clipped = geometry if inside else _clip(geometry)
    if clipped.is_empty:
        return None
    parts = []
    for part in shapely.get_parts(shapely.simplify(clipped, _TOLERANCE, preserve_topology=False)):
        if part.geom_type != "LineString":
            continue  # where a line only touches the frame
        whole = _without_repeats(np.rint(shapely.get_coordinates(part)).astype(int))
        if len(whole) > 1:
            parts.append(whole.tolist())
    if not parts:
        return _mark(1, np.array(shapely.bounds(clipped)))
    return LINE, lines(parts)


def _draw_areas(geometry: Any, inside: bool) -> Drawn | None:
    if not shapely.is_valid(geometry):
        # What is a hole of nothing is nothing, however far away it lies.
        # Of what its holes take whole the outline is left.
        outline = shapely.multilinestrings(shapely.get_exterior_ring(shapely.get_parts(geometry)))
        made, inside = shapely.make_valid(geometry, method="structure", keep_collapsed=True), False
        geometry = _areas_of(made)
        if geometry.is_empty:  # an area without any, such as a ring that goes there and back
            geometry = shapely.buffer(outline if made.is_empty else made, _THIN, quad_segs=1)
    clipped = geometry if inside else _areas_of(_clip(geometry))
    if clipped.is_empty:
        return None
    rings = _rings(clipped) or _rings(shapely.buffer(clipped, _THIN, quad_segs=1))
    if not rings:
        return _mark(2, np.array(shapely.bounds(clipped)))
    return AREA, areas(rings)


def _rings(area: Any) -> list[list[list[int]]]:
    """The rings of an area on whole units, exterior before interior; none where it has no width."""
    simple = shapely.simplify(area, _TOLERANCE, preserve_topology=False)
    if not shapely.is_valid(simple):
        simple = _areas_of(shapely.make_valid(simple))
    whole = _areas_of(shapely.set_precision(simple, 1.0))
    if whole.is_empty:
        return []
    return [
        np.rint(shapely.get_coordinates(ring)[:-1]).astype(int).tolist()
        for part in shapely.get_parts(shapely.orient_polygons(whole))
        for ring in (part.exterior, *part.interiors)
    ]


def _clip(geometry: Any) -> Any:
    try:
        return shapely.clip_by_rect(geometry, *_FRAME)
    except shapely.errors.GEOSException:
        return shapely.intersection(geometry, shapely.box(*_FRAME))


def _areas_of(geometry: Any) -> Any:
    """What of a geometry is area."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = shapely.get_parts(geometry)
    while any(part.geom_type in ("MultiPolygon", "GeometryCollection") for part in parts):
        parts = shapely.get_parts(parts)
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])


def _without_repeats(places: Any) -> Any:
    return places[np.concatenate(([True], (places[1:] != places[:-1]).any(axis=1)))]


def _mark(dimension: int, frame: Numbers) -> Drawn | None:
    """What is too small, or cannot be read: its box, one unit large at least; None beyond the tile."""
    left, top, right, bottom = frame
    if left > _FRAME[2] or right < _FRAME[0] or top > _FRAME[3] or bottom < _FRAME[1]:
        return None
    left, right = np.clip((left, right), _FRAME[0], _FRAME[2] - 1)
    top, bottom = np.clip((top, bottom), _FRAME[1], _FRAME[3] - 1)
    x, y = int(np.floor(left)), int(np.floor(top))
    if dimension == 0:
        return (POINT, points([(x, y)])) if 0 <= x < EXTENT and 0 <= y < EXTENT else None
    right, bottom = max(int(np.ceil(right)), x + 1), max(int(np.ceil(bottom)), y + 1)
    if dimension == 1:
        return LINE, lines([[(x, y), (right, bottom)]])
    return AREA, areas([[(x, y), (right, y), (right, bottom), (x, bottom)]])
