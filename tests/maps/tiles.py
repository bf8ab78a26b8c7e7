"""Tiles read by a decoder that is not ours, and cities to draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import mapbox_vector_tile
import shapely
from msgspec import Struct

from cityloom.ld.context import LdContext
from cityloom.maps.mercator import TileAddress
from cityloom.maps.tile import Wanted, draw_tile
from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.events import Cause
from cityloom.store.ports import Store, Transaction

TYPE = DEFAULT_VOCAB + "Thing"
CAUSE = Cause(kind="request", id="request:1")


class Seen(Struct):
    """A feature of a tile: its geometry in units, x from the west, y from the north."""

    geometry: Any
    properties: dict[str, Any]


def thing(number: int, geometry: dict[str, Any], **attributes: Attribute) -> Entity:
    location = Attribute(kind="GeoProperty", value=geometry)
    more = {DEFAULT_VOCAB + name: [attribute] for name, attribute in attributes.items()}
    return Entity(id=f"urn:t:{number:05}", types=[TYPE], attributes={LOCATION: [location], **more})


def keep(store: Store, entities: Iterable[Entity]) -> None:
    def work(tx: Transaction) -> None:
        for entity in entities:
            tx.write_entity("", tx.get("", entity.id), entity, CAUSE)

    store.submit(work).result(30)


def drawn(store: Store, tile: TileAddress, attributes: Sequence[str] = (), lang: str = "en") -> list[Seen]:
    """The features of a tile as `mapbox_vector_tile` decodes them."""
    names = tuple(DEFAULT_VOCAB + name for name in attributes)
    wanted = Wanted(tenant="", type=TYPE, name="Thing", attributes=names, keys=tuple(attributes), lang=lang)
    with store.snapshot() as snapshot:
        body = draw_tile(snapshot, wanted, tile, LdContext.core)
    if not body:
        return []
    layers = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True})
    assert layers.keys() == {"Thing"}
    assert (layers["Thing"]["extent"], layers["Thing"]["version"]) == (4096, 2)
    return [
        Seen(shapely.geometry.shape(each["geometry"]), each["properties"])
        for each in layers["Thing"]["features"]
    ]
