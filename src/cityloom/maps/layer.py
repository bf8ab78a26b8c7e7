"""One layer of a Mapbox Vector Tile, filled feature by feature.

The messages of `mapbox_vector_tile` are filled directly with integers: its own `encode` wants
GeoJSON and takes four times as long.

Source: Mapbox Vector Tile Specification 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from cityloom.maps.mercator import EXTENT

POINT: Final = 1
LINE: Final = 2
AREA: Final = 3
_MOVE: Final = 1
_DRAW: Final = 2
_CLOSE: Final = 7 | 1 << 3
_VERSION: Final = 2
_WHOLE: Final = range(-(2**63), 2**63)

Property = bool | int | float | str
_encode = msgspec.json.Encoder().encode


class Layer:
    """A layer; an empty one makes an empty tile."""

    def __init__(self, name: str) -> None:
        # With it comes protobuf, which only a node that draws tiles needs.
        from mapbox_vector_tile.Mapbox import vector_tile_pb2

        self._tile = vector_tile_pb2.tile()
        self._layer = self._tile.layers.add()
        self._layer.name = name
        self._layer.version = _VERSION
        self._layer.extent = EXTENT
        self._features = self._layer.features
        self._values = self._layer.values
        self._keys: dict[str, int] = {}
        self._texts: dict[str, int] = {}
        self._others: dict[tuple[type, Property], int] = {}
        self._count = 0
        self.features = 0

    def encode(self) -> bytes:
        """The tile."""
        if not self.features:
            return b""
        encoded: bytes = self._tile.SerializeToString()
        return encoded

    def add(self, kind: int, geometry: Sequence[int], tags: Sequence[int]) -> None:
        """Adds a feature.

        Args:
            kind: POINT, LINE or AREA.
            geometry: commands and parameters, as `points`, `lines` and `areas` make them.
            tags: numbers of keys and values, in turn.
        """
        feature = self._features.add()
        feature.type = kind
        feature.tags.extend(tags)
        feature.geometry.extend(geometry)
        self.features += 1

    def key(self, name: str) -> int:
        """The number of a property's name."""
        number = self._keys.get(name)
        if number is None:
            number = self._keys[name] = len(self._keys)
            self._layer.keys.append(name)
        return number

    def text(self, value: str) -> int:
        """The number of a text."""
        number = self._texts.get(value)
        if number is None:
            number = self._texts[value] = self._count
            self._count += 1
            self._values.add().string_value = value
        return number

    def value(self, value: Property) -> int:
        """The number of a value."""
        kind = type(value)
        if kind is str:
            return self.text(value)  # type: ignore[arg-type]
        number = self._others.get((kind, value))
        if number is None:
            number = self._others[kind, value] = self._count
            self._count += 1
            message = self._values.add()
            if kind is bool:
                message.bool_value = value
            elif kind is int and value in _WHOLE:
                message.int_value = value
            else:
                message.double_value = float(value)
        return number


def property_of(value: Any) -> Property:
    """A JSON value as a tile can hold it: what is no text, number or boolean as JSON."""
    return value if isinstance(value, str | bool | int | float) else _encode(value).decode()


def points(positions: Sequence[Sequence[int]]) -> list[int]:
    """The commands of a point, or of several."""
    out = [_MOVE | len(positions) << 3]
    _follow(out, positions, (0, 0))
    return out


def lines(parts: Iterable[Sequence[Sequence[int]]]) -> list[int]:
    """The commands of lines, each of two positions or more."""
    out: list[int] = []
    last: Sequence[int] = (0, 0)
    for part in parts:
        out.append(_MOVE | 1 << 3)
        last = _follow(out, part[:1], last)
        out.append(_DRAW | len(part) - 1 << 3)
        last = _follow(out, part[1:], last)
    return out


def areas(rings: Iterable[Sequence[Sequence[int]]]) -> list[int]:
    """The commands of rings: each exterior ring before its interior ones, the first position not repeated."""
    out: list[int] = []
    last: Sequence[int] = (0, 0)
    for ring in rings:
        out.append(_MOVE | 1 << 3)
        last = _follow(out, ring[:1], last)
        out.append(_DRAW | len(ring) - 1 << 3)
        last = _follow(out, ring[1:], last)
        out.append(_CLOSE)
    return out


def _follow(out: list[int], positions: Sequence[Sequence[int]], last: Sequence[int]) -> Sequence[int]:
    x, y = last
    for position in positions:
        across, down = position[0] - x, position[1] - y
        out.append(across * 2 if across >= 0 else across * -2 - 1)
        out.append(down * 2 if down >= 0 else down * -2 - 1)
        x, y = position
    return x, y
