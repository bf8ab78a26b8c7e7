"""The map: shapes are valid, districts tile the city, streets connect, things stand where they should."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl
import shapely

METRES = 111_320.0
"""Metres in a degree of latitude; a degree of longitude is shorter."""


def _points(table, lon="lon", lat="lat"):
    return shapely.points(table[lon].to_numpy(), table[lat].to_numpy())


def test_map_has_only_valid_shapes(city):
    for name in ("districts", "water", "parks", "street_segments"):
        for properties, shape in city.layer(f"map/{name}.geojson"):
            assert shapely.is_valid(shape), properties
            assert not shape.is_empty, properties


def test_districts_tile_the_city_without_gap_or_overlap(city):
    cells = [shape for _, shape in city.layer("map/districts.geojson")]

    whole = shapely.union_all(cells)
    assert shapely.coverage_is_valid(cells)
    assert whole.geom_type == "Polygon"
    assert len(whole.interiors) == 0
    assert np.isclose(sum(cell.area for cell in cells), whole.area, rtol=1e-9)


def test_districts_have_different_names_in_both_languages(city):
    properties = [item for item, _ in city.layer("map/districts.geojson")]

    for column in ("code", "name_en", "name_zh"):
        values = [item[column] for item in properties]
        assert len(set(values)) == len(values)
        assert all(values)


def test_streets_form_one_network(city):
    neighbours = defaultdict(set)
    for _, shape in city.layer("map/street_segments.geojson"):
        first, last = shape.coords[0], shape.coords[-1]
        neighbours[first].add(last)
        neighbours[last].add(first)
    seen, queue = set(), [next(iter(neighbours))]
    while queue:
        node = queue.pop()
        if node not in seen:
            seen.add(node)
            queue += neighbours[node]

    assert len(seen) == len(neighbours)


def test_streets_cross_the_river_on_bridges_only(city):
    river = next(shape for item, shape in city.layer("map/water.geojson") if item["kind"] == "river")
    bridges = 0
    for item, shape in city.layer("map/street_segments.geojson"):
        wet = shape.intersection(river).length * METRES
        if item["bridge"] == "yes":
            bridges += wet > 10
        else:
            assert wet < 1.0, item
    assert bridges >= 2


def test_segments_belong_to_streets_and_districts(city):
    streets = set(city.csv("map/streets.csv")["street"])
    districts = {item["code"]: shape for item, shape in city.layer("map/districts.geojson")}
    for item, shape in city.layer("map/street_segments.geojson"):
        assert item["street"] in streets
        middle = shape.interpolate(0.5, normalized=True)
        assert districts[item["district"]].distance(middle) * METRES < 1.0


def test_sensors_stand_in_the_district_of_their_register(city):
    districts = {item["code"]: shape for item, shape in city.layer("map/districts.geojson")}
    for name in (
        "environment/air_stations.csv",
        "environment/noise_meters.csv",
        "environment/rain_gauges.csv",
        "environment/river_gauges.csv",
        "environment/weather_stations.csv",
        "traffic/detectors.csv",
        "traffic/bicycle_counters.csv",
        "waste/containers.csv",
    ):
        table = city.csv(name)
        for district, point in zip(table["district"], _points(table), strict=True):
            assert districts[district].distance(point) * METRES < 0.05, name


def test_street_lights_stand_beside_streets(city):
    segments = [shape for _, shape in city.layer("map/street_segments.geojson")]
    wrong = {item["code"] for item in city.planted("wrongCoordinates") if item["source"] == "lights"}
    lights = city.csv("lighting/streetlights.csv.gz").filter(~pl.col("lamp").is_in(list(wrong)))
    tree = shapely.STRtree(segments)

    _, distance = tree.query_nearest(_points(lights), return_distance=True, all_matches=False)

    assert len(lights) > 500
    assert distance.max() * METRES < 45


def test_parks_lie_on_land_and_apart_from_each_other(city):
    parks = [shape for _, shape in city.layer("map/parks.geojson")]
    water = shapely.union_all([shape for _, shape in city.layer("map/water.geojson")])
    together = shapely.union_all(parks)

    assert together.intersection(water).area < 1e-4 * together.area
    assert np.isclose(sum(park.area for park in parks), together.area, rtol=1e-6)
