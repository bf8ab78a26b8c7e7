"""WebMercatorQuad: where a place on earth lies in which tile.

Positions are first brought into the unit square: x from 0 at 180° west to 1 at 180° east, y from 0
in the north to 1 in the south. A tile matrix z cuts it into 2^z times 2^z tiles. What lies beyond
85.0511° is at the edge of the square: the projection ends there.

Source: OGC 17-083r4 annex D.1 (WebMercatorQuad), EPSG:3857.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cityloom.store.map_ports import Box

Numbers = NDArray[np.float64]

DEEPEST: Final = 24
"""The last tile matrix."""
EXTENT: Final = 4096
"""Units along the side of a tile."""
_RADIUS: Final = 6_378_137.0
_HALF: Final = math.pi * _RADIUS
_LAST: Final = 1 - 2.0**-40
"""The end of the unit square, so little before 1 that it is the same place at every zoom."""
_PIXELS: Final = 256
_PIXEL_METRES: Final = 0.00028
"""The side of a pixel that scale denominators go by."""


class TileAddress(NamedTuple):
    """Tile matrix, column from the west, row from the north."""

    z: int
    x: int
    y: int

    @property
    def exists(self) -> bool:
        """Whether the matrix set has such a tile."""
        return 0 <= self.z <= DEEPEST and 0 <= self.x < 1 << self.z and 0 <= self.y < 1 << self.z


def to_unit(lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
    """CRS84 degrees in the unit square; its last edges belong to the last tiles."""
    sine = np.sin(np.radians(lat))
    with np.errstate(divide="ignore"):
        y = 0.5 - np.log((1 + sine) / (1 - sine)) / (4 * math.pi)
    return np.clip(lon / 360.0 + 0.5, 0.0, _LAST), np.clip(y, 0.0, _LAST)


def latitude(y: float) -> float:
    """The latitude of a height in the unit square, in degrees."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y))))


def tile_box(tile: TileAddress, buffer: int = 0) -> Box:
    """Where to look for what a tile shows, in CRS84 degrees; a hair too large, never too small.

    The rows at the edges of the square reach to the poles.

    Args:
        buffer: units around the tile that are looked at too; not across 180°.
    """
    count = 1 << tile.z
    margin = buffer / EXTENT + 1e-6
    west, east = (tile.x - margin) / count * 360 - 180, (tile.x + 1 + margin) / count * 360 - 180
    north, south = (tile.y - margin) / count, (tile.y + 1 + margin) / count
    return (
        max(west, -180.0),
        -90.0 if south >= 1 else latitude(south),
        min(east, 180.0),
        90.0 if north <= 0 else latitude(north),
    )


def tile_bounds(tile: TileAddress) -> Box:
    """west, south, east, north of a tile in degrees."""
    count = 1 << tile.z
    return (
        tile.x / count * 360 - 180,
        latitude((tile.y + 1) / count),
        (tile.x + 1) / count * 360 - 180,
        latitude(tile.y / count),
    )


def tile_span(box: Box, z: int) -> tuple[int, int, int, int]:
    """First and last column, first and last row of the tiles of a matrix that a box touches."""
    x, y = to_unit(np.array((box[0], box[2])), np.array((box[3], box[1])))
    last = (1 << z) - 1
    columns = np.clip(np.floor(x * (1 << z)), 0, last).astype(int)
    rows = np.clip(np.floor(y * (1 << z)), 0, last).astype(int)
    return int(columns[0]), int(columns[1]), int(rows[0]), int(rows[1])


def tile_matrices() -> list[dict[str, Any]]:
    """The tile matrices of WebMercatorQuad, as OGC 17-083r4 writes them in JSON."""
    matrices = []
    for z in range(DEEPEST + 1):
        cell = 2 * _HALF / _PIXELS / (1 << z)
        matrices.append(
            {
                "id": str(z),
                "scaleDenominator": cell / _PIXEL_METRES,
                "cellSize": cell,
                "cornerOfOrigin": "topLeft",
                "pointOfOrigin": [-_HALF, _HALF],
                "tileWidth": _PIXELS,
                "tileHeight": _PIXELS,
                "matrixWidth": 1 << z,
                "matrixHeight": 1 << z,
            }
        )
    return matrices
