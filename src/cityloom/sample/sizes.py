"""How large a sample city is: the numbers behind `small`, `medium` and `large`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SizeName = Literal["small", "medium", "large"]


@dataclass(frozen=True, slots=True)
class Size:
    """One size of city; counts are exact where the map has room for them.

    Args:
        entities: all entities that the files describe; street lights fill what the rest leaves.
        radius: metres from the middle to the city boundary, about.
        spacing: metres between two parallel streets near the middle.
        step: seconds between two readings of a sensor.
        days_per_file: local days that one file of a large series holds.
        archive_hours: hours of vehicle positions before the last hour (which is GTFS-realtime).
    """

    name: SizeName
    entities: int
    radius: float
    spacing: float
    districts: int
    bridges: int
    parks: int
    routes: int
    traffic: int
    bicycles: int
    air: int
    noise: int
    rain: int
    river: int
    weather: int
    containers: int
    requests: int
    step: int
    days_per_file: int
    archive_hours: int = 2


SIZES: dict[SizeName, Size] = {
    "small": Size(
        name="small", entities=2_500, radius=2_400.0, spacing=205.0, districts=9, bridges=3, parks=12,
        routes=6, traffic=12, bicycles=6, air=7, noise=7, rain=4, river=3, weather=2,
        containers=110, requests=480, step=3600, days_per_file=31,
    ),
    "medium": Size(
        name="medium", entities=50_000, radius=7_000.0, spacing=165.0, districts=26, bridges=6, parks=90,
        routes=18, traffic=190, bicycles=40, air=40, noise=60, rain=12, river=6, weather=4,
        containers=3_000, requests=9_000, step=900, days_per_file=8,
    ),
    "large": Size(
        name="large", entities=1_000_000, radius=21_000.0, spacing=160.0, districts=72, bridges=14,
        parks=700, routes=60, traffic=4_400, bicycles=600, air=1_500, noise=2_200, rain=250, river=40,
        weather=60, containers=48_000, requests=150_000, step=900, days_per_file=1,
    ),
}  # fmt: skip
