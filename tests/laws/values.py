"""Entities and small helpers for the law."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from cityloom.model.entity import DEFAULT_VOCAB, LOCATION, Attribute, Entity
from cityloom.model.events import Cause, Event
from cityloom.model.history import HistoryAppend, Instance
from cityloom.model.time import format_datetime
from cityloom.store.history_ports import Window
from cityloom.store.ports import Snapshot, Store, Transaction

T = TypeVar("T")

LAMP: Final = DEFAULT_VOCAB + "Lamp"
SENSOR: Final = DEFAULT_VOCAB + "Sensor"
STATE: Final = DEFAULT_VOCAB + "state"
LEVEL: Final = DEFAULT_VOCAB + "level"
CAUSE: Final = Cause(kind="request", id="request:1", party="clerk")
RUN: Final = Cause(kind="run", id="urn:ngsi-ld:ImportRun:s:1", source="s", file="a.csv", sha256="ab")
HOUR: Final = 3_600_000_000


def prop(value: Any, **more: Any) -> Attribute:
    """A Property."""
    return Attribute(kind="Property", value=value, **more)


def point(lon: float, lat: float) -> Attribute:
    """A GeoProperty."""
    return Attribute(kind="GeoProperty", value={"type": "Point", "coordinates": [lon, lat]})


def lamp(number: int, state: Any = "on", **more: Any) -> Entity:
    """A lamp."""
    values: dict[str, Any] = {"types": [LAMP], "attributes": {STATE: [prop(state)]}} | more
    return Entity(id=f"urn:ngsi-ld:Lamp:{number:03}", **values)


def placed_lamp(number: int, lon: float, lat: float, **more: Any) -> Entity:
    """A lamp that stands somewhere."""
    return lamp(number, attributes={STATE: [prop("on")], LOCATION: [point(lon, lat)]}, **more)


def do(store: Store, work: Callable[[Transaction], T]) -> T:
    """Runs a work and waits until it is durable."""
    return store.submit(work).result(30)


def put(
    store: Store, entity: Entity, tenant: str = "", cause: Cause = CAUSE, row: int | None = None
) -> Event | None:
    """Makes `entity` the state, whatever was there."""
    return do(store, lambda tx: tx.write_entity(tenant, tx.get(tenant, entity.id), entity, cause, row))


def remove(store: Store, entity_id: str, tenant: str = "") -> Event | None:
    """Deletes an entity."""
    return do(store, lambda tx: tx.write_entity(tenant, tx.get(tenant, entity_id), None, CAUSE))


def see(store: Store, work: Callable[[Snapshot], T]) -> T:
    """Reads in one snapshot."""
    with store.snapshot() as snapshot:
        return work(snapshot)


def history(store: Store, entity_id: str, **window: Any) -> dict[str, list[Instance]]:
    """The instances of an entity."""
    return see(store, lambda snapshot: snapshot.instances("", entity_id, Window(**window)))


def levels(store: Store, entity_id: str, **window: Any) -> list[Any]:
    """The values of `level` in the history of an entity."""
    instances = history(store, entity_id, names=[LEVEL], **window).get(LEVEL, [])
    return [instance.attribute.value for instance in instances]


def reading(value: Any, time: int, occurrence: int = 0, row: int | None = None, **more: Any) -> Instance:
    """An instance of `level` at `time`."""
    attribute = prop(value, observed_at=format_datetime(time), **more)
    return Instance(name=LEVEL, attribute=attribute, occurrence=occurrence, row=row)


def append(
    store: Store, entity_id: str, *instances: Instance, cause: Cause = RUN, types: tuple[str, ...] = (SENSOR,)
) -> Event | None:
    """Adds instances to the history of an entity."""
    chunk = HistoryAppend(entity_id=entity_id, types=list(types), instances=list(instances))
    return do(store, lambda tx: tx.append_history("", chunk, cause))
