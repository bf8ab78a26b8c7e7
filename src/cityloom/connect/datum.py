"""The shifted coordinates of maps published in China, and the way back to WGS 84.

GCJ-02 moves every point in a box around China by some hundred metres, BD-09
moves that once more. Neither is told by PROJ. The forward formulas are those that
have been published; the way back is found by iteration, since no formula is.

Source: GCJ-02 as in googollee/eviltransform (`wgs2gcj`) and BD-09 as in
wandergis/coordtransform (`gcj02tobd09`): constants and terms; the ellipsoid is
Krasovsky's of 1940. Longitudes and latitudes in degrees, arrays of one shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Degrees = NDArray[np.float64]
Shift = Callable[[Degrees, Degrees], tuple[Degrees, Degrees]]

_SEMI_MAJOR: Final = 6_378_245.0
_ECCENTRICITY_SQUARED: Final = 0.00669342162296594323
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_NEAR: Final = 1e-11
"""Degrees, about 1 µm: the iteration stops when no point moves further."""
_MOST_ROUNDS: Final = 30


def shifted_crs(crs: str) -> Callable[[Any, Any], tuple[Any, Any]] | None:
    """What brings coordinates of GCJ-02 or BD-09 to WGS 84; None for another system.

    Args:
        crs: `GCJ-02` or `BD-09`, also without the dash and in small letters.
    """
    return _SYSTEMS.get(crs.upper().replace("-", ""))


def gcj02_of_wgs84(lon: Any, lat: Any) -> tuple[Any, Any]:
    """WGS 84 to GCJ-02: shifted in the box around China, left alone elsewhere."""
    return _applied(_forward, lon, lat)


def wgs84_of_gcj02(lon: Any, lat: Any) -> tuple[Any, Any]:
    """GCJ-02 to WGS 84, exact to far below a centimetre.

    A point outside the box is taken for one that was not shifted. Cost: about 3 µs a point.
    """
    return _applied(_backward, lon, lat)


def bd09_of_wgs84(lon: Any, lat: Any) -> tuple[Any, Any]:
    """WGS 84 to BD-09."""
    return _applied(lambda x, y: _baidu(*_forward(x, y)), lon, lat)


def wgs84_of_bd09(lon: Any, lat: Any) -> tuple[Any, Any]:
    """BD-09 to WGS 84, exact to far below a centimetre."""
    return _applied(lambda x, y: _backward(*_inverted(_baidu, x, y)), lon, lat)


_SYSTEMS: Final = {"GCJ02": wgs84_of_gcj02, "BD09": wgs84_of_bd09}


def _applied(shift: Shift, lon: Any, lat: Any) -> tuple[Any, Any]:
    """Numbers for numbers, arrays for arrays."""
    x, y = shift(np.asarray(lon, dtype=float), np.asarray(lat, dtype=float))
    return (float(x), float(y)) if x.ndim == 0 else (x, y)


def _forward(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    inside = _in_box(lon, lat)
    x, y = _moved(lon, lat)
    return np.where(inside, x, lon), np.where(inside, y, lat)


def _backward(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    x, y = _inverted(_moved, lon, lat)
    shifted = _in_box(lon, lat) & _in_box(x, y)
    return np.where(shifted, x, lon), np.where(shifted, y, lat)


def _in_box(lon: Degrees, lat: Degrees) -> NDArray[np.bool_]:
    return (lon >= _WEST) & (lon <= _EAST) & (lat >= _SOUTH) & (lat <= _NORTH)


def _moved(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """The shift of GCJ-02, wherever the point lies."""
    x, y, pi = lon - 105.0, lat - 35.0, np.pi
    both = 20 * np.sin(6 * pi * x) + 20 * np.sin(2 * pi * x)
    root = np.sqrt(np.abs(x))
    north = (
        -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
        + (both + 20 * np.sin(pi * y) + 40 * np.sin(pi * y / 3)
           + 160 * np.sin(pi * y / 12) + 320 * np.sin(pi * y / 30)) * 2 / 3
    )  # fmt: skip
    east = (
        300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
        + (both + 20 * np.sin(pi * x) + 40 * np.sin(pi * x / 3)
           + 150 * np.sin(pi * x / 12) + 300 * np.sin(pi * x / 30)) * 2 / 3
    )  # fmt: skip
    # Metres to degrees: by the radii of curvature along the meridian and across it.
    latitude = np.radians(lat)
    flat = 1 - _ECCENTRICITY_SQUARED * np.sin(latitude) ** 2
    meridian = _SEMI_MAJOR * (1 - _ECCENTRICITY_SQUARED) / (flat * np.sqrt(flat))
    parallel = _SEMI_MAJOR / np.sqrt(flat) * np.cos(latitude)
    return lon + np.degrees(east / parallel), lat + np.degrees(north / meridian)


def _baidu(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """GCJ-02 to BD-09, wherever the point lies."""
    wave = np.pi * 3000 / 180
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * wave)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * wave)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _inverted(shift: Shift, lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    """Where `shift` brings to (lon, lat): it changes so slowly that each step gains two digits."""
    x, y = lon, lat
    for _ in range(_MOST_ROUNDS):
        there_x, there_y = shift(x, y)
        step_x, step_y = lon - there_x, lat - there_y
        x, y = x + step_x, y + step_y
        if not np.any((np.abs(step_x) > _NEAR) | (np.abs(step_y) > _NEAR)):
            break
    return x, y
